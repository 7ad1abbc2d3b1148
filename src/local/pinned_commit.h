#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "kernel/topk.h"
#include "local/catalog_pool.h"
#include "local/index_keeper.h"
#include "local/search_view.h"
#include "local/snapshot.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// What is known of a commit and kept until there is a newer one, whether or not anybody has it
/// pinned. What is worked out once and then shared has the mutex before it.
struct Commit {
  catalog::Listing listing;
  /// The rows, or why they can't be searched: a catalogue with a damaged segment can be read.
  Result<std::shared_ptr<const Snapshot>> rows = Status(StatusCode::kInternal, "not opened");
  /// Of its index, or why its key is none.
  Result<std::shared_ptr<IndexKeeper>> keeper = Status(StatusCode::kInternal, "not opened");

  std::mutex facts_mutex;
  std::optional<catalog::Counts> counts;
  std::optional<std::vector<VerdictRecord>> verdicts;

  std::mutex view_mutex;
  std::optional<std::shared_ptr<const SearchView>> view;  ///< Null: exactly.
};

/// How a database is read.
struct ReadSetup {
  std::string folder;
  kernel::Variant variant = kernel::Variant::kPortable;
  int threads = 1;  ///< For verifying files and building an index.
};

/// The snapshot of a database in a folder: a commit's rows, mapped, and its catalogue in a read
/// transaction of SQLite, on a connection of its own that one thread reads from at a time, briefly.
class PinnedCommit : public BackendSnapshot {
 public:
  /// `catalog` reads the commit (Catalog::BeginRead).
  PinnedCommit(std::shared_ptr<Commit> commit, ReadSetup setup, CatalogPool::Borrowed catalog)
      : commit_(std::move(commit)), setup_(std::move(setup)), catalog_(std::move(catalog)) {}

  const Result<std::shared_ptr<const Snapshot>>& rows() const { return commit_->rows; }
  const Result<std::shared_ptr<IndexKeeper>>& keeper() const { return commit_->keeper; }

  std::int64_t generation() const override { return commit_->listing.generation; }
  Result<std::vector<SearchResult>> Search(std::span<const SearchQuery> queries,
                                           const SearchOptions& options) const override;
  Result<std::vector<std::vector<AlikeContent>>> FindAlike(std::span<const AlikeQuery> queries,
                                                           int most,
                                                           const CallOptions& call) const override;
  Result<std::vector<FeatureSet>> Features(std::span<const std::int64_t> contents,
                                           const CallOptions& call) const override;
  Result<std::vector<std::vector<ImageRecord>>> Describe(std::span<const std::int64_t> contents,
                                                         const CallOptions& call) const override;
  Result<std::optional<ImageRecord>> FindPath(const std::string& path) const override;
  Result<std::optional<ImageRecord>> FindId(ImageId id) const override;
  Result<std::int64_t> FindContent(const ContentHash& hash) const override;
  Status List(const std::function<bool(const ImageRecord&)>& visit, const CallOptions& call,
              ImageId after) const override;
  Result<BackendStats> Stats() const override;
  Result<std::vector<VerdictRecord>> Verdicts() const override;

 private:
  /// What `read` makes of the catalogue, which is that of the commit.
  template <typename Read>
  auto FromCatalog(Read read) const -> decltype(read(std::declval<catalog::Catalog&>()));

  Result<FeatureSet> FeaturesOf(std::int64_t content) const;
  Result<std::shared_ptr<const SearchView>> View(std::shared_ptr<const Snapshot> rows) const;
  /// A view turned out to be damaged.
  void Distrust(const std::shared_ptr<const SearchView>& view) const;

  const std::shared_ptr<Commit> commit_;
  const ReadSetup setup_;
  mutable std::mutex catalog_mutex_;  ///< Guards `catalog_`.
  const CatalogPool::Borrowed catalog_;
};

}  // namespace siftsearch::local
