#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "env/file_env.h"
#include "index/approximate_index.h"
#include "index/factory_key.h"
#include "local/index_view.h"
#include "local/search_view.h"
#include "local/snapshot.h"
#include "local/terms_keeper.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// The index of a database: its files of terms, or Faiss's in the file `index.cache`. Both are
/// derived: without them, or with what is damaged, out of date or another database's, searches give
/// the same answers.
class IndexKeeper {
 public:
  IndexKeeper(FileEnv& env, std::string folder, index::FactoryKey key, kernel::Variant variant);

  const index::FactoryKey& key() const { return key_; }
  /// Size of its files; 0 when there are none.
  std::int64_t bytes() const;

  /// How to search a verified snapshot; null: exactly. Reads the file when it is newer than what is
  /// in memory; where it is no use, builds the index, and stores it if nobody else writes and the
  /// folder allows it.
  Result<std::shared_ptr<const SearchView>> View(std::shared_ptr<const Snapshot> snapshot,
                                                 int threads);

  /// A view turned out to be damaged: the next one is of what is sound.
  void Distrust() { terms_.Distrust(); }

  /// Brings the file up to a verified snapshot if that is due; `all`: if it lacks anything. The
  /// caller holds the folder's write lock.
  Status Update(const Snapshot& snapshot, bool all, int threads) const;

 private:
  Result<std::shared_ptr<const SearchView>> FaissView(std::shared_ptr<const Snapshot> snapshot,
                                                      int threads);
  Status UpdateFaiss(const Snapshot& snapshot, bool all, int threads) const;
  enum class Due { kNothing, kMore, kAnew };
  Due PlanUpdate(const Coverage& coverage, std::int64_t trained_rows, bool all) const;
  bool WorthAnIndex(std::int64_t rows) const;
  std::string file() const { return folder_ + "/index.cache"; }

  /// Takes the file's index if it is another than the one in memory and this database's.
  void Load(const Snapshot& snapshot, int threads);
  Result<std::shared_ptr<index::ApproximateIndex>> BuildAnew(const Snapshot& snapshot,
                                                             int threads) const;
  void TryToStore(const index::ApproximateIndex& index) const;

  FileEnv& env_;
  const std::string folder_;
  const index::FactoryKey key_;
  const kernel::Variant variant_;
  TermsKeeper terms_;

  std::mutex mutex_;  ///< Guards what follows.
  std::shared_ptr<const index::ApproximateIndex> index_;
  std::uint64_t index_checksum_ = 0;  ///< Of the file that `index_` is from.
  std::shared_ptr<const IndexView> view_;
};

}  // namespace siftsearch::local
