#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "siftsearch/search_backend.h"

namespace siftsearch::engine {

/// A backend's snapshot whose answers fit what was asked: as many as were asked for, each index
/// within its range, each number finite. The engine relies on that and looks no more. kCorrupt,
/// with what is wrong, for an answer that does not fit: a store elsewhere may be another version,
/// or damaged.
class CheckedSnapshot : public BackendSnapshot {
 public:
  explicit CheckedSnapshot(std::shared_ptr<const BackendSnapshot> snapshot)
      : snapshot_(std::move(snapshot)) {}

  std::int64_t generation() const override { return snapshot_->generation(); }
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
  Result<std::vector<VerdictRecord>> Verdicts() const override { return snapshot_->Verdicts(); }

 private:
  const std::shared_ptr<const BackendSnapshot> snapshot_;
};

/// kCorrupt where a backend gave another number of answers than were asked for.
Status CheckCount(std::size_t given, std::size_t asked, const std::string& what);

}  // namespace siftsearch::engine
