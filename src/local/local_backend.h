#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "env/file_env.h"
#include "local/catalog_pool.h"
#include "local/index_keeper.h"
#include "local/pinned_commit.h"
#include "local/snapshot.h"
#include "local/writer.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch::local {

struct OpenOptions {
  bool create = false;     ///< Make the database when there is none.
  bool read_only = false;  ///< Refuse writes.
  /// To create with (the defaults where not given); must equal an existing database's.
  std::optional<ExtractorSettings> settings{};
  /// Key of the index to create with (the default where not given); must equal an existing
  /// database's.
  std::optional<std::string> index{};
  std::chrono::milliseconds lock_wait{60'000};  ///< How long a writer waits for another.
  int threads = 0;       ///< For verifying files; 0: one for each available processor.
  std::string kernel{};  ///< Variant of the exact search; empty: the best that the machine has.
  std::int64_t terms_from = kTermsFrom;  ///< Live rows from which "auto" stands for "Terms".
};

/// A database in a folder on this machine (schema/catalog.md). Each write takes the folder's lock
/// for its own length; other processes may read and write the same folder. A damaged segment does
/// not keep a database from opening, so that `Check` can name it, but fails searches: the first
/// search on a segment reads all of it and compares its checksums.
class LocalBackend : public SearchBackend {
 public:
  /// `folder` is on the operating system's file system, whatever `env` wraps; `env` must outlive
  /// the backend. kNotFound: no database there, and none to be made. kInvalidArgument: the folder
  /// is something else, or `options.index` is no key. kIncompatible: other settings or another
  /// index, or a newer format. An index key that the catalogue has and this program does not know
  /// fails searches only.
  static Result<std::unique_ptr<LocalBackend>> Open(FileEnv& env, const std::string& folder,
                                                    const OpenOptions& options);

  const ExtractorSettings& settings() const override { return settings_; }
  Result<std::shared_ptr<const BackendSnapshot>> Pin() override;
  Result<std::vector<PutOutcome>> Put(std::span<const PutItem> items) override;
  Result<std::int64_t> Remove(std::span<const ImageId> ids) override;
  Result<std::vector<CheckProblem>> Check(const RowsProgress& progress = {}) override;
  Status Compact(const RowsProgress& progress = {}) override;
  Status SetIndex(const std::string& key, const RowsProgress& progress = {}) override;
  Status PutVerdicts(std::span<const VerdictRecord> verdicts) override;
  Result<std::int64_t> ForgetVerdicts(std::span<const VerdictRecord> verdicts) override;
  Status ExportFaiss(const std::string& file) override;

 private:
  LocalBackend(FileEnv& env, std::string folder, const OpenOptions& options,
               std::unique_ptr<catalog::Catalog> catalog, kernel::Variant variant);
  std::string segments_folder() const { return folder_ + "/segments"; }
  int threads() const;

  Result<std::shared_ptr<const PinnedCommit>> PinNewest();
  /// What is known of the commit that `catalog` reads; `pin_mutex_` is held.
  Result<std::shared_ptr<Commit>> CommitOf(catalog::Catalog& catalog, std::int64_t generation);
  /// The rows of the newest commit.
  Result<std::shared_ptr<const Snapshot>> CurrentRows();
  std::shared_ptr<IndexKeeper> NewKeeper(index::FactoryKey key) const;
  /// What keeps the index of a key, the newest commit's if it can; `pin_mutex_` is held.
  /// kIncompatible for a key that is none.
  Result<std::shared_ptr<IndexKeeper>> KeeperOf(const std::string& key) const;

  /// Held while the database is changed.
  struct WriteLock {
    std::unique_lock<std::mutex> in_process;
    std::unique_ptr<FileLock> folder;
  };
  /// kPermissionDenied where the database was opened to be read only.
  Result<WriteLock> LockForWriting();
  /// Takes the locks, lets `change` plan a commit, commits it, and sees to the index (`all` as of
  /// IndexKeeper::Update).
  Status Write(const std::function<Status(Writer&)>& change, bool all = false);
  /// The same without the locks, which the caller holds, and without the index.
  Status CommitChange(const std::function<Status(Writer&)>& change);
  Status UpdateIndex(bool all);
  Status CheckWritable() const;
  Status OpenForWriting();

  FileEnv& env_;
  const std::string folder_;
  const OpenOptions options_;
  const ExtractorSettings settings_;
  const kernel::Variant variant_;
  const std::shared_ptr<CatalogPool> catalogs_;

  std::mutex pin_mutex_;  ///< Guards what follows; held while a new commit's files are opened.
  std::shared_ptr<Commit> commit_;  ///< The newest one that was pinned.
  /// Not owned: while nobody reads, no read transaction keeps the catalogue's log from being used
  /// again.
  std::weak_ptr<const PinnedCommit> pinned_;

  /// Guards `write_catalog_`, a connection of its own, so that readers see only what is committed.
  std::mutex write_mutex_;
  std::unique_ptr<catalog::Catalog> write_catalog_;
};

}  // namespace siftsearch::local
