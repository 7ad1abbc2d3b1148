#include "support/altered_backend.h"

#include <algorithm>
#include <thread>

#include "base/status_macros.h"

namespace siftsearch {

Status Alterations::Call(const CallOptions& call) {
  const auto end = std::chrono::steady_clock::now() + delay;
  while (std::chrono::steady_clock::now() < end) {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    std::this_thread::sleep_for(std::min(delay, std::chrono::microseconds(1000)));
  }
  if (failure.ok() || good_calls-- > 0) return {};
  return failure;
}

namespace {

class AlteredSnapshot : public BackendSnapshot {
 public:
  AlteredSnapshot(std::shared_ptr<const BackendSnapshot> snapshot,
                  std::shared_ptr<Alterations> alterations)
      : snapshot_(std::move(snapshot)), alterations_(std::move(alterations)) {}

  std::int64_t generation() const override { return snapshot_->generation(); }

  Result<std::vector<SearchResult>> Search(std::span<const SearchQuery> queries,
                                           const SearchOptions& options) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call(options.call));
    auto found = snapshot_->Search(queries, options);
    if (found.ok() && alterations_->search) alterations_->search(*found);
    return found;
  }
  Result<std::vector<std::vector<AlikeContent>>> FindAlike(std::span<const AlikeQuery> queries,
                                                           int most,
                                                           const CallOptions& call) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call(call));
    auto alike = snapshot_->FindAlike(queries, most, call);
    if (alike.ok() && alterations_->alike) alterations_->alike(*alike);
    return alike;
  }
  Result<std::vector<FeatureSet>> Features(std::span<const std::int64_t> contents,
                                           const CallOptions& call) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call(call));
    auto features = snapshot_->Features(contents, call);
    if (features.ok() && alterations_->features) alterations_->features(*features);
    return features;
  }
  Result<std::vector<std::vector<ImageRecord>>> Describe(std::span<const std::int64_t> contents,
                                                         const CallOptions& call) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call(call));
    auto images = snapshot_->Describe(contents, call);
    if (images.ok() && alterations_->describe) alterations_->describe(*images);
    return images;
  }
  Result<std::optional<ImageRecord>> FindPath(const std::string& path) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
    return snapshot_->FindPath(path);
  }
  Result<std::optional<ImageRecord>> FindId(ImageId id) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
    return snapshot_->FindId(id);
  }
  Result<std::int64_t> FindContent(const ContentHash& hash) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
    return snapshot_->FindContent(hash);
  }
  Status List(const std::function<bool(const ImageRecord&)>& visit, const CallOptions& call,
              ImageId after) const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call(call));
    return snapshot_->List(visit, call, after);
  }
  Result<BackendStats> Stats() const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
    return snapshot_->Stats();
  }
  Result<std::vector<VerdictRecord>> Verdicts() const override {
    SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
    return snapshot_->Verdicts();
  }

 private:
  const std::shared_ptr<const BackendSnapshot> snapshot_;
  const std::shared_ptr<Alterations> alterations_;
};

}  // namespace

Result<std::shared_ptr<const BackendSnapshot>> AlteredBackend::Pin() {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto snapshot, backend_->Pin());
  return std::shared_ptr<const BackendSnapshot>(
      std::make_shared<const AlteredSnapshot>(std::move(snapshot), alterations_));
}

Result<std::vector<PutOutcome>> AlteredBackend::Put(std::span<const PutItem> items) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  auto outcomes = backend_->Put(items);
  if (outcomes.ok() && alterations_->put) alterations_->put(*outcomes);
  return outcomes;
}

Result<std::int64_t> AlteredBackend::Remove(std::span<const ImageId> ids) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->Remove(ids);
}

Status AlteredBackend::PutVerdicts(std::span<const VerdictRecord> verdicts) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->PutVerdicts(verdicts);
}

Result<std::int64_t> AlteredBackend::ForgetVerdicts(std::span<const VerdictRecord> verdicts) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->ForgetVerdicts(verdicts);
}

Result<std::vector<CheckProblem>> AlteredBackend::Check(const RowsProgress& progress) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->Check(progress);
}

Status AlteredBackend::Compact(const RowsProgress& progress) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->Compact(progress);
}

Status AlteredBackend::SetIndex(const std::string& key, const RowsProgress& progress) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->SetIndex(key, progress);
}

Status AlteredBackend::ExportFaiss(const std::string& file) {
  SIFTSEARCH_RETURN_IF_ERROR(alterations_->Call());
  return backend_->ExportFaiss(file);
}

}  // namespace siftsearch
