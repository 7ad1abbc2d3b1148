#include "local/local_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exception_status.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "kernel/topk.h"
#include "local/check.h"
#include "local/search.h"

namespace siftsearch::local {
namespace {

/// How often a reader starts over because a writer merged away a file that it was about to open.
constexpr int kSnapshotAttempts = 20;

Status CheckApproximation(const index::FactoryKey& key, const Approximation& asked) {
  if (asked.nprobe < 0 || asked.ef_search < 0) {
    return {StatusCode::kInvalidArgument, "nprobe and ef_search are not negative"};
  }
  if (asked.nprobe > 0 && key.lists() == 0) {
    return {
        StatusCode::kInvalidArgument,
        fmt::format("nprobe is for an index of lists (IVF…); the database's is {}", key.text())};
  }
  if (asked.ef_search > 0 && !key.graph()) {
    return {StatusCode::kInvalidArgument,
            fmt::format("ef_search is for an index with a graph (HNSW…); the database's is {}",
                        key.text())};
  }
  return {};
}

}  // namespace

LocalBackend::LocalBackend(FileEnv& env, std::string folder, const OpenOptions& options,
                           std::unique_ptr<catalog::Catalog> catalog, kernel::Variant variant)
    : env_(env),
      folder_(std::move(folder)),
      options_(options),
      settings_(catalog->settings()),
      variant_(variant),
      catalog_(std::move(catalog)) {}

int LocalBackend::threads() const {
  return options_.threads > 0 ? options_.threads : AvailableThreads();
}

Result<std::optional<ImageRecord>> LocalBackend::FindPath(const std::string& path) try {
  const std::lock_guard lock(read_mutex_);
  return catalog_->FindPath(path);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::optional<ImageRecord>> LocalBackend::FindId(ImageId id) try {
  const std::lock_guard lock(read_mutex_);
  return catalog_->FindId(id);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::int64_t> LocalBackend::FindContent(const ContentHash& hash) try {
  const std::lock_guard lock(read_mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto content, catalog_->FindHash(hash));
  return content ? content->content : 0;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::vector<ImageRecord>> LocalBackend::Describe(std::int64_t content) try {
  const std::lock_guard lock(read_mutex_);
  return catalog_->ImagesOf(content);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Status LocalBackend::List(const std::function<bool(const ImageRecord&)>& visit) try {
  return catalog_->VisitImages(visit);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Status LocalBackend::OpenForWriting() {
  if (write_catalog_ != nullptr) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(
      write_catalog_, catalog::Catalog::Open(folder_ + "/catalog.sqlite", catalog::Access::kWrite));
  return {};
}

Status LocalBackend::CheckWritable() const {
  if (!options_.read_only) return {};
  return {StatusCode::kPermissionDenied,
          fmt::format("the database {} was opened for reading only", folder_)};
}

Result<LocalBackend::WriteLock> LocalBackend::LockForWriting() {
  SIFTSEARCH_RETURN_IF_ERROR(CheckWritable());
  WriteLock lock{.in_process = std::unique_lock(write_mutex_), .folder = nullptr};
  SIFTSEARCH_ASSIGN_OR_RETURN(lock.folder, env_.Lock(folder_, options_.lock_wait));
  SIFTSEARCH_RETURN_IF_ERROR(OpenForWriting());
  return lock;
}

Status LocalBackend::Commit(const std::function<Status(Writer&)>& change) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer,
                              Writer::Begin(env_, segments_folder(), *write_catalog_, threads()));
  SIFTSEARCH_RETURN_IF_ERROR(change(*writer));
  return writer->Commit();
}

Status LocalBackend::Write(const std::function<Status(Writer&)>& change, bool all) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const WriteLock lock, LockForWriting());
  SIFTSEARCH_RETURN_IF_ERROR(Commit(change));
  // The commit stands without an index: the next search makes it up, or says why it can't.
  (void)UpdateIndex(all);
  return {};
}

Status LocalBackend::UpdateIndex(bool all) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, CurrentSnapshot());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto keeper, KeeperOf(snapshot->index_key()));
  SIFTSEARCH_RETURN_IF_ERROR(keeper->Update(*snapshot, all, threads()));
  return all ? keeper->RemoveUnused(*snapshot) : Status();
}

std::shared_ptr<IndexKeeper> LocalBackend::NewKeeper(index::FactoryKey key) const {
  return std::make_shared<IndexKeeper>(env_, folder_, std::move(key), variant_,
                                       options_.terms_from);
}

Result<std::shared_ptr<IndexKeeper>> LocalBackend::KeeperOf(const std::string& key) {
  const std::lock_guard lock(keeper_mutex_);
  if (keeper_ != nullptr && keeper_->key().text() == key) return keeper_;
  auto parsed = index::FactoryKey::Parse(key);
  if (!parsed.ok()) {
    return Status(StatusCode::kIncompatible,
                  fmt::format("the database {} can't be searched: {}; `siftsearch index auto` sets "
                              "an index that can",
                              folder_, parsed.status().message()));
  }
  return keeper_ = NewKeeper(std::move(parsed).value());
}

Status LocalBackend::SetIndex(const std::string& key) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(index::FactoryKey parsed, index::FactoryKey::Parse(key));
  SIFTSEARCH_RETURN_IF_ERROR(CheckWritable());
  const std::shared_ptr<IndexKeeper> keeper = NewKeeper(std::move(parsed));
  // What takes long is made before the change, while others read and write.
  SIFTSEARCH_ASSIGN_OR_RETURN(auto snapshot, CurrentSnapshot());
  SIFTSEARCH_RETURN_IF_ERROR(keeper->Prepare(std::move(snapshot), threads()));

  SIFTSEARCH_ASSIGN_OR_RETURN(const WriteLock lock, LockForWriting());
  SIFTSEARCH_RETURN_IF_ERROR(Commit([&](Writer& writer) { return writer.SetIndex(key); }));
  SIFTSEARCH_ASSIGN_OR_RETURN(snapshot, CurrentSnapshot());
  Status stored = keeper->Update(*snapshot, /*all=*/false, threads());
  if (stored.ok()) stored = keeper->RemoveUnused(*snapshot);
  if (stored.ok()) return {};
  return {stored.code(),
          fmt::format("the index of the database {} is {} now, but its files are not as they "
                      "should be: {}",
                      folder_, key, stored.message())};
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::vector<PutOutcome>> LocalBackend::Put(std::span<const PutItem> items) try {
  std::vector<PutOutcome> outcomes;
  SIFTSEARCH_RETURN_IF_ERROR(Write([&](Writer& writer) -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(outcomes, writer.Put(items));
    return {};
  }));
  return outcomes;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::int64_t> LocalBackend::Remove(std::span<const ImageId> ids) try {
  std::int64_t removed = 0;
  SIFTSEARCH_RETURN_IF_ERROR(Write([&](Writer& writer) -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(removed, writer.Remove(ids));
    return {};
  }));
  return removed;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Status LocalBackend::PutVerdicts(std::span<const VerdictRecord> verdicts) try {
  return Write([&](Writer& writer) { return writer.PutVerdicts(verdicts); });
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::int64_t> LocalBackend::ForgetVerdicts(std::span<const VerdictRecord> verdicts) try {
  std::int64_t forgotten = 0;
  SIFTSEARCH_RETURN_IF_ERROR(Write([&](Writer& writer) -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(forgotten, writer.ForgetVerdicts(verdicts));
    return {};
  }));
  return forgotten;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::vector<VerdictRecord>> LocalBackend::Verdicts() try {
  const std::lock_guard lock(read_mutex_);
  return catalog_->Verdicts();
} catch (const std::exception& error) {
  return StatusOf(error);
}

Status LocalBackend::Compact() try {
  SIFTSEARCH_RETURN_IF_ERROR(Write([](Writer& writer) { return writer.Compact(); }, /*all=*/true));
  SIFTSEARCH_ASSIGN_OR_RETURN(const WriteLock lock, LockForWriting());
  return write_catalog_->Vacuum();
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::shared_ptr<const Snapshot>> LocalBackend::CurrentSnapshot() {
  const std::lock_guard lock(snapshot_mutex_);
  Status missing;
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto snapshot, TryOpenSnapshot(&missing));
    if (snapshot != nullptr) return snapshot_ = std::move(snapshot);
  }
  return WithAdvice(MissingIsDamage(missing));
}

Result<std::shared_ptr<const Snapshot>> LocalBackend::TryOpenSnapshot(Status* missing) {
  catalog::Listing listing;
  std::vector<std::uint64_t> digests;
  {
    const std::lock_guard lock(read_mutex_);
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t generation, catalog_->Generation());
    if (snapshot_ != nullptr && snapshot_->generation() == generation) return snapshot_;
    SIFTSEARCH_ASSIGN_OR_RETURN(listing, catalog_->ReadListing());
    digests = catalog_->settings_digests();
  }
  auto opened = Snapshot::Open(env_, segments_folder(), digests, listing, snapshot_.get());
  if (opened.ok()) return opened;
  if (opened.status().code() != StatusCode::kNotFound) return WithAdvice(opened.status());
  *missing = opened.status();
  return std::shared_ptr<const Snapshot>();
}

Status LocalBackend::SetApproximation(const Approximation& approximation) {
  std::string key;
  {
    const std::lock_guard lock(read_mutex_);
    SIFTSEARCH_ASSIGN_OR_RETURN(key, catalog_->IndexKey());
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto keeper, KeeperOf(key));
  SIFTSEARCH_RETURN_IF_ERROR(CheckApproximation(keeper->key(), approximation));
  approximation_ = approximation;
  return {};
}

Result<std::vector<std::vector<VotedContent>>> LocalBackend::Search(
    std::span<const SearchQuery> queries, const SearchOptions& options) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, CurrentSnapshot());
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->Verify(threads()));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto keeper, KeeperOf(snapshot->index_key()));
  SearchOptions effort = options;
  if (effort.approximation) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckApproximation(keeper->key(), *effort.approximation));
  } else {
    // Was right when it was set: an index that came since takes of it what it has.
    effort.approximation = approximation_;
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(auto view, keeper->View(snapshot, threads()));
  auto found = SearchSnapshot(*snapshot, view.get(), queries, effort, variant_);
  if (view == nullptr || found.status().code() != StatusCode::kCorrupt) return found;
  // The segments are sound, so it is their index that is not.
  keeper->Distrust();
  SIFTSEARCH_ASSIGN_OR_RETURN(view, keeper->View(snapshot, threads()));
  return SearchSnapshot(*snapshot, view.get(), queries, effort, variant_);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<FeatureSet> LocalBackend::Features(std::int64_t content) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, CurrentSnapshot());
  if (const auto place = snapshot->Find(content)) {
    SIFTSEARCH_RETURN_IF_ERROR(WithAdvice(place->reader->Verify(threads())));
    SIFTSEARCH_ASSIGN_OR_RETURN(FeatureSet features, place->reader->Features(content));
    const std::lock_guard lock(read_mutex_);
    SIFTSEARCH_ASSIGN_OR_RETURN(features.preview, catalog_->FindPreview(content));
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto record, catalog_->FindContent(content));
    if (record) features.pages = record->pages;
    return features;
  }
  const std::lock_guard lock(read_mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto known, catalog_->FindContent(content));
  if (!known || known->descriptors > 0) {
    return Status(StatusCode::kNotFound,
                  fmt::format("the database {} has no content {}", folder_, content));
  }
  FeatureSet blank;
  blank.width = known->width;
  blank.height = known->height;
  blank.pages = known->pages;
  return blank;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<BackendStats> LocalBackend::Stats() try {
  BackendStats stats;
  const std::lock_guard lock(read_mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const catalog::Listing listing, catalog_->ReadListing());
  SIFTSEARCH_ASSIGN_OR_RETURN(const catalog::Counts counts, catalog_->Count());
  stats.images = counts.images;
  stats.contents = counts.contents;
  stats.descriptors = counts.descriptors;
  stats.removed_descriptors = counts.removed_descriptors;
  stats.segments = static_cast<std::int64_t>(listing.segments.size());
  for (const catalog::SegmentRecord& segment : listing.segments) {
    stats.segment_bytes += segment.bytes;
  }
  stats.catalog_bytes = counts.bytes;
  stats.generation = listing.generation;
  stats.index = listing.index_key;
  if (const auto keeper = KeeperOf(listing.index_key); keeper.ok()) {
    stats.index_in_use = (*keeper)->KeyInUse(counts.descriptors);
    stats.index_bytes = (*keeper)->bytes();
  }
  stats.kernel = kernel::VariantName(variant_);
  return stats;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::vector<CheckProblem>> LocalBackend::Check() try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto lock, env_.Lock(folder_, options_.lock_wait));
  const std::lock_guard reading(read_mutex_);
  return CheckDatabase(env_, folder_, *catalog_, threads());
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch::local
