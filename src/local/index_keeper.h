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

/// With the key "auto", a database of so many live rows is looked up by terms, a smaller one is
/// searched exactly.
inline constexpr std::int64_t kTermsFrom = 200'000;

/// The index of a database: its files of terms, or Faiss's in the file `index.cache`. Both are
/// derived: without them, or with what is damaged, out of date or another database's, searches give
/// the same answers. Safe from several threads.
class IndexKeeper {
 public:
  /// `terms_from` stands for kTermsFrom.
  IndexKeeper(FileEnv& env, std::string folder, index::FactoryKey key, kernel::Variant variant,
              std::int64_t terms_from);

  const index::FactoryKey& key() const { return key_; }
  /// The key that searches of so many live rows go by: "auto" stands for "IDMap,Flat" or "Terms".
  std::string KeyInUse(std::int64_t live_rows) const;
  /// Size of its files; 0 when there are none.
  std::int64_t bytes() const;

  /// Rows are looked up by terms, and there are enough for it to be worth its while.
  bool LooksUp(const Snapshot& snapshot) const;

  /// How to search a snapshot, verified unless it is looked up in; null: exactly. Reads the file
  /// when it is newer than what is in memory; where it is no use, builds the index, and stores it
  /// if nobody else writes and the folder allows it.
  Result<std::shared_ptr<const SearchView>> View(std::shared_ptr<const Snapshot> snapshot,
                                                 int threads);

  /// A view turned out to be damaged: the next one is of what is sound.
  void Distrust() { terms_.Distrust(); }

  /// Makes what a snapshot needs and takes long, for a later Update; needs no lock. Verifies
  /// what it reads; changes no file that another key needs. `progress` is told of files of terms.
  Status Prepare(std::shared_ptr<const Snapshot> snapshot, int threads,
                 const RowsProgress& progress);

  /// Brings the files up to a snapshot if that is due; `all`: if they lack anything. Verifies what
  /// it reads. The caller holds the folder's write lock.
  Status Update(const Snapshot& snapshot, bool all, int threads);

  /// Removes the files that only another key needs. The caller holds the folder's write lock.
  Status RemoveUnused(const Snapshot& snapshot) const;

 private:
  bool UsesTerms(std::int64_t live_rows) const;
  Result<std::shared_ptr<const SearchView>> FaissView(std::shared_ptr<const Snapshot> snapshot,
                                                      int threads);
  Status UpdateFaiss(const Snapshot& snapshot, bool all, int threads) const;
  Status StorePrepared();
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
  const std::int64_t terms_from_;
  TermsKeeper terms_;

  std::mutex mutex_;  ///< Guards what follows.
  std::shared_ptr<const index::ApproximateIndex> index_;
  std::uint64_t index_checksum_ = 0;  ///< Of the file that `index_` is from.
  std::shared_ptr<const IndexView> view_;
  std::shared_ptr<const index::ApproximateIndex> prepared_;  ///< Built, not stored yet.
};

}  // namespace siftsearch::local
