#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "env/file_env.h"
#include "kernel/topk.h"
#include "lists/terms_file.h"
#include "local/snapshot.h"
#include "local/terms_view.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// The file of terms of a segment in the database folder `database`.
std::string TermsPath(const std::string& database, std::int64_t segment);

/// The files of terms of a database, one beside each segment (schema/terms.md). They are derived:
/// one that is missing, damaged or another segment's is made again, in memory where nothing may be
/// written. What a merge of segments needs is taken over from the files of those it merged.
class TermsKeeper {
 public:
  /// `folder` is the database's.
  TermsKeeper(FileEnv& env, const std::string& folder, kernel::Variant variant);

  /// Size of the files.
  std::int64_t bytes() const;

  /// How to look rows of a verified snapshot up. `progress` is told of each file that is made.
  Result<std::shared_ptr<const TermsView>> View(std::shared_ptr<const Snapshot> snapshot,
                                                int threads, const RowsProgress& progress = {});

  /// A file was damaged where nobody had looked yet: the next view reads all of each.
  void Distrust();

  /// Makes the files that a snapshot lacks, of segments that it verifies, and removes those of
  /// segments that are gone. The caller holds the folder's write lock.
  Status Update(const Snapshot& snapshot, int threads) const;

  /// The caller holds the folder's write lock.
  Status RemoveAll() const { return RemoveBut({}); }

 private:
  using File = std::shared_ptr<const lists::TermsFile>;

  std::string PathOf(std::int64_t segment) const { return TermsPath(database_, segment); }
  Result<File> Load(const Snapshot::Part& part, bool verify) const;
  Result<std::vector<std::uint8_t>> Make(const Snapshot::Part& part, int threads) const;
  Status Store(std::int64_t segment, std::span<const std::uint8_t> bytes) const;
  Status RemoveBut(const std::set<std::string>& kept) const;

  FileEnv& env_;
  const std::string database_;
  const std::string folder_;
  const kernel::Variant variant_;

  std::mutex mutex_;  ///< Guards what follows.
  std::shared_ptr<const TermsView> view_;
  bool distrust_ = false;
};

}  // namespace siftsearch::local
