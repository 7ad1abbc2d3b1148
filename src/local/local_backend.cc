#include "local/local_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exception_status.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "kernel/topk.h"
#include "local/check.h"

namespace siftsearch::local {
namespace {

/// How often a reader starts over because a writer merged away a file that it was about to open.
constexpr int kPinAttempts = 20;

}  // namespace

LocalBackend::LocalBackend(FileEnv& env, std::string folder, const OpenOptions& options,
                           std::unique_ptr<catalog::Catalog> catalog, kernel::Variant variant)
    : env_(env),
      folder_(std::move(folder)),
      options_(options),
      settings_(catalog->settings()),
      variant_(variant),
      catalogs_(std::make_shared<CatalogPool>(folder_ + "/catalog.sqlite", std::move(catalog))) {}

int LocalBackend::threads() const {
  return options_.threads > 0 ? options_.threads : AvailableThreads();
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

Status LocalBackend::CommitChange(const std::function<Status(Writer&)>& change) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer,
                              Writer::Begin(env_, segments_folder(), *write_catalog_, threads()));
  SIFTSEARCH_RETURN_IF_ERROR(change(*writer));
  return writer->Commit();
}

Status LocalBackend::Write(const std::function<Status(Writer&)>& change, bool all) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const WriteLock lock, LockForWriting());
  SIFTSEARCH_RETURN_IF_ERROR(CommitChange(change));
  // The commit stands without an index: the next search makes it up, or says why it can't.
  (void)UpdateIndex(all);
  return {};
}

Status LocalBackend::UpdateIndex(bool all) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto pinned, PinNewest());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto rows, pinned->rows());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto keeper, pinned->keeper());
  SIFTSEARCH_RETURN_IF_ERROR(keeper->Update(*rows, all, threads()));
  return all ? keeper->RemoveUnused(*rows) : Status();
}

std::shared_ptr<IndexKeeper> LocalBackend::NewKeeper(index::FactoryKey key) const {
  return std::make_shared<IndexKeeper>(env_, folder_, std::move(key), variant_,
                                       options_.terms_from);
}

Result<std::shared_ptr<IndexKeeper>> LocalBackend::KeeperOf(const std::string& key) const {
  const bool before = commit_ != nullptr && commit_->keeper.ok();
  if (before && (*commit_->keeper)->key().text() == key) return commit_->keeper;
  auto parsed = index::FactoryKey::Parse(key);
  if (parsed.ok()) return NewKeeper(std::move(parsed).value());
  return Status(
      StatusCode::kIncompatible,
      fmt::format("the database {} can't be searched: {}; `siftsearch index auto` sets an "
                  "index that can",
                  folder_, parsed.status().message()));
}

Status LocalBackend::SetIndex(const std::string& key, const RowsProgress& progress) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(index::FactoryKey parsed, index::FactoryKey::Parse(key));
  SIFTSEARCH_RETURN_IF_ERROR(CheckWritable());
  const std::shared_ptr<IndexKeeper> keeper = NewKeeper(std::move(parsed));
  // What takes long is made before the change, while others read and write.
  SIFTSEARCH_ASSIGN_OR_RETURN(auto snapshot, CurrentRows());
  SIFTSEARCH_RETURN_IF_ERROR(keeper->Prepare(std::move(snapshot), threads(), progress));

  SIFTSEARCH_ASSIGN_OR_RETURN(const WriteLock lock, LockForWriting());
  SIFTSEARCH_RETURN_IF_ERROR(CommitChange([&](Writer& writer) { return writer.SetIndex(key); }));
  SIFTSEARCH_ASSIGN_OR_RETURN(snapshot, CurrentRows());
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

Status LocalBackend::Compact(const RowsProgress& progress) try {
  SIFTSEARCH_RETURN_IF_ERROR(
      Write([&](Writer& writer) { return writer.Compact(progress); }, /*all=*/true));
  SIFTSEARCH_ASSIGN_OR_RETURN(const WriteLock lock, LockForWriting());
  return write_catalog_->Vacuum();
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::shared_ptr<const BackendSnapshot>> LocalBackend::Pin() try {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto pinned, PinNewest());
  return std::shared_ptr<const BackendSnapshot>(std::move(pinned));
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::shared_ptr<const PinnedCommit>> LocalBackend::PinNewest() {
  const std::lock_guard lock(pin_mutex_);
  for (int attempt = 1;; ++attempt) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto catalog, catalogs_->Borrow());
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t generation, catalog->BeginRead());
    auto pinned = pinned_.lock();
    if (pinned != nullptr && pinned->generation() == generation) return pinned;
    auto known = CommitOf(*catalog, generation);
    const bool again = attempt < kPinAttempts;
    if (known.status().code() == StatusCode::kUnavailable && again) continue;
    SIFTSEARCH_ASSIGN_OR_RETURN(auto commit, std::move(known));
    if (commit->rows.status().code() == StatusCode::kNotFound && again) continue;
    if (!commit->rows.ok()) commit->rows = WithAdvice(MissingIsDamage(commit->rows.status()));
    const ReadSetup setup{.folder = folder_, .variant = variant_, .threads = threads()};
    pinned = std::make_shared<const PinnedCommit>(commit, setup, std::move(catalog));
    commit_ = std::move(commit);
    pinned_ = pinned;
    return pinned;
  }
}

Result<std::shared_ptr<Commit>> LocalBackend::CommitOf(catalog::Catalog& catalog,
                                                       std::int64_t generation) {
  const bool known = commit_ != nullptr && commit_->listing.generation == generation;
  if (known && commit_->rows.ok()) return commit_;
  auto commit = std::make_shared<Commit>();
  SIFTSEARCH_ASSIGN_OR_RETURN(commit->listing, catalog.ReadListing());
  SIFTSEARCH_RETURN_IF_ERROR(catalog.CheckRead());
  const bool before = commit_ != nullptr && commit_->rows.ok();
  commit->keeper = KeeperOf(commit->listing.index_key);
  commit->rows = Snapshot::Open(env_, segments_folder(), catalog.settings_digests(),
                                commit->listing, before ? commit_->rows->get() : nullptr);
  return commit;
}

Result<std::shared_ptr<const Snapshot>> LocalBackend::CurrentRows() {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto pinned, PinNewest());
  return pinned->rows();
}

Result<std::vector<CheckProblem>> LocalBackend::Check(const RowsProgress& progress) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto lock, env_.Lock(folder_, options_.lock_wait));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto catalog, catalogs_->Borrow());
  return CheckDatabase(env_, folder_, *catalog, threads(), progress);
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch::local
