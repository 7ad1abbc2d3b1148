#include "local/index_keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/status_macros.h"
#include "index/index_cache.h"

namespace siftsearch::local {
namespace {

/// The kernel is through with so few rows before an index is read.
constexpr std::int64_t kAlwaysExact = 4096;
/// The kernel is through with so few rows in the time that finding the words and looking terms up
/// takes, which is that of some 8,000 rows.
constexpr std::int64_t kFewRows = 8192;
/// The index gets new rows when they are more than this part of all: exact search of them then
/// costs an eighth of searching without an index, and the file is written some nine times in all
/// while a database grows, whatever its size.
constexpr std::int64_t kUncoveredPart = 8;
/// An index is trained anew when there are so many times the rows that it was trained with: half of
/// them had no say in the centroids then, and since each training costs about as much as all before
/// it, a growing database pays for the last one twice.
constexpr std::int64_t kRetrainGrowth = 2;

}  // namespace

IndexKeeper::IndexKeeper(FileEnv& env, std::string folder, index::FactoryKey key,
                         kernel::Variant variant, std::int64_t terms_from)
    : env_(env),
      folder_(std::move(folder)),
      key_(std::move(key)),
      variant_(variant),
      terms_from_(terms_from),
      terms_(env, folder_, variant) {}

bool IndexKeeper::UsesTerms(std::int64_t live_rows) const {
  return key_.terms() || (key_.automatic() && live_rows >= terms_from_);
}

bool IndexKeeper::LooksUp(const Snapshot& snapshot) const {
  return UsesTerms(snapshot.live_rows()) && snapshot.rows() > kFewRows;
}

std::string IndexKeeper::KeyInUse(std::int64_t live_rows) const {
  if (!key_.automatic()) return key_.text();
  return UsesTerms(live_rows) ? "Terms" : "IDMap,Flat";
}

std::int64_t IndexKeeper::bytes() const {
  if (key_.exact()) return 0;
  if (!key_.faiss()) return terms_.bytes();
  const auto size = env_.FileSize(file());
  return size.ok() ? *size : 0;
}

bool IndexKeeper::WorthAnIndex(std::int64_t rows) const {
  return key_.faiss() && rows > kAlwaysExact && rows >= key_.min_rows();
}

Result<std::shared_ptr<const SearchView>> IndexKeeper::View(
    std::shared_ptr<const Snapshot> snapshot, int threads) {
  if (key_.faiss()) return FaissView(std::move(snapshot), threads);
  if (!LooksUp(*snapshot)) return std::shared_ptr<const SearchView>();
  SIFTSEARCH_ASSIGN_OR_RETURN(auto view, terms_.View(std::move(snapshot), threads));
  return std::shared_ptr<const SearchView>(std::move(view));
}

Result<std::shared_ptr<const SearchView>> IndexKeeper::FaissView(
    std::shared_ptr<const Snapshot> snapshot, int threads) {
  const std::lock_guard lock(mutex_);
  if (view_ != nullptr && &view_->snapshot() == snapshot.get()) {
    return std::shared_ptr<const SearchView>(view_);
  }
  Load(*snapshot, threads);
  if (index_ == nullptr) {
    if (!WorthAnIndex(Measure(*snapshot, {}).uncovered)) return std::shared_ptr<const SearchView>();
    SIFTSEARCH_ASSIGN_OR_RETURN(index_, BuildAnew(*snapshot, threads));
    TryToStore(*index_);
  }
  view_ = std::make_shared<const IndexView>(std::move(snapshot), index_);
  return std::shared_ptr<const SearchView>(view_);
}

void IndexKeeper::Load(const Snapshot& snapshot, int threads) {
  const auto header = index::ReadCacheHeader(env_, file(), key_);
  if (!header.ok()) return;
  if (index_ != nullptr && header->payload_checksum == index_checksum_) return;
  auto read = index::ReadCache(env_, file(), key_, variant_);
  if (!read.ok() || !IsIndexOf(snapshot, (*read)->contents(), threads)) return;
  index_ = std::move(read).value();
  index_checksum_ = header->payload_checksum;
}

Result<std::shared_ptr<index::ApproximateIndex>> IndexKeeper::BuildAnew(const Snapshot& snapshot,
                                                                        int threads) const {
  const Coverage all = Measure(snapshot, {});
  SIFTSEARCH_ASSIGN_OR_RETURN(auto built,
                              index::ApproximateIndex::Build(key_, all.to_add, variant_, threads));
  return std::shared_ptr<index::ApproximateIndex>(std::move(built));
}

void IndexKeeper::TryToStore(const index::ApproximateIndex& index) const {
  const auto lock = env_.Lock(folder_, std::chrono::milliseconds(0));
  if (!lock.ok()) return;
  // A search goes on without the file: not every reader may write.
  (void)index::WriteCache(env_, file(), key_, index);
}

IndexKeeper::Due IndexKeeper::PlanUpdate(const Coverage& coverage, std::int64_t trained_rows,
                                         bool all) const {
  const std::int64_t live = coverage.covered + coverage.uncovered;
  const bool outgrown = key_.trained() && live >= kRetrainGrowth * trained_rows;
  // Rows that are gone take places among the candidates from those that are live.
  if (outgrown || coverage.gone > coverage.covered || (all && coverage.gone > 0)) return Due::kAnew;
  const std::int64_t limit = all ? 0 : std::max(kAlwaysExact, live / kUncoveredPart);
  return coverage.uncovered > limit ? Due::kMore : Due::kNothing;
}

Status IndexKeeper::Prepare(std::shared_ptr<const Snapshot> snapshot, int threads,
                            const RowsProgress& progress) {
  const bool builds = key_.faiss() && WorthAnIndex(snapshot->live_rows()) &&
                      !index::ReadCacheHeader(env_, file(), key_).ok();
  if (!builds && !LooksUp(*snapshot)) return {};
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->Verify(threads));
  // A view stores the files of terms that it makes, each as soon as it has it.
  if (!builds) return terms_.View(std::move(snapshot), threads, progress).status();
  SIFTSEARCH_ASSIGN_OR_RETURN(auto built, BuildAnew(*snapshot, threads));
  const std::lock_guard lock(mutex_);
  prepared_ = std::move(built);
  return {};
}

Status IndexKeeper::StorePrepared() {
  const std::lock_guard lock(mutex_);
  if (prepared_ == nullptr) return {};
  return index::WriteCache(env_, file(), key_, *std::exchange(prepared_, nullptr));
}

Status IndexKeeper::Update(const Snapshot& snapshot, bool all, int threads) {
  if (key_.faiss()) {
    SIFTSEARCH_RETURN_IF_ERROR(StorePrepared());
    SIFTSEARCH_RETURN_IF_ERROR(snapshot.Verify(threads));
    return UpdateFaiss(snapshot, all, threads);
  }
  return LooksUp(snapshot) ? terms_.Update(snapshot, threads) : Status();
}

Status IndexKeeper::RemoveUnused(const Snapshot& snapshot) const {
  if (!UsesTerms(snapshot.live_rows())) SIFTSEARCH_RETURN_IF_ERROR(terms_.RemoveAll());
  if (key_.faiss()) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool exists, env_.Exists(file()));
  return exists ? env_.Remove(file()) : Status();
}

Status IndexKeeper::UpdateFaiss(const Snapshot& snapshot, bool all, int threads) const {
  std::shared_ptr<index::ApproximateIndex> index;
  Due due = Due::kAnew;
  if (auto header = index::ReadCacheHeader(env_, file(), key_); header.ok()) {
    const Coverage coverage = Measure(snapshot, header->contents);
    due = PlanUpdate(coverage, header->trained_rows, all);
    if (due == Due::kNothing) return {};
    auto read = index::ReadCache(env_, file(), key_, variant_);
    if (due == Due::kMore && read.ok() && IsIndexOf(snapshot, (*read)->contents(), threads)) {
      index = std::move(read).value();
      SIFTSEARCH_RETURN_IF_ERROR(index->Add(coverage.to_add, threads));
    }
  }
  if (index == nullptr) {
    if (!WorthAnIndex(Measure(snapshot, {}).uncovered)) return {};
    SIFTSEARCH_ASSIGN_OR_RETURN(index, BuildAnew(snapshot, threads));
  }
  return index::WriteCache(env_, file(), key_, *index);
}

}  // namespace siftsearch::local
