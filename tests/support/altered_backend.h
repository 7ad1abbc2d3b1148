#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "siftsearch/search_backend.h"

namespace siftsearch {

/// What an AlteredBackend does to the backend that it wraps: as a store elsewhere it may be slow,
/// fail, or give wrong answers. Set between calls; counts are kept by the backend.
struct Alterations {
  std::chrono::microseconds delay{0};  ///< Before each call; ends early at the call's deadline.
  Status failure = {};                 ///< Not ok: what calls fail with …
  std::atomic<int> good_calls = 0;     ///< … once so many more have gone through.
  std::function<void(std::vector<SearchResult>&)> search = {};
  std::function<void(std::vector<std::vector<AlikeContent>>&)> alike = {};
  std::function<void(std::vector<FeatureSet>&)> features = {};
  std::function<void(std::vector<std::vector<ImageRecord>>&)> describe = {};
  std::function<void(std::vector<PutOutcome>&)> put = {};

  /// What becomes of the next call before it reaches the wrapped backend.
  Status Call(const CallOptions& call = {});
};

class AlteredBackend : public SearchBackend {
 public:
  AlteredBackend(std::unique_ptr<SearchBackend> backend, std::shared_ptr<Alterations> alterations)
      : backend_(std::move(backend)), alterations_(std::move(alterations)) {}

  const ExtractorSettings& settings() const override { return backend_->settings(); }
  Result<std::shared_ptr<const BackendSnapshot>> Pin() override;
  Result<std::vector<PutOutcome>> Put(std::span<const PutItem> items) override;
  Result<std::int64_t> Remove(std::span<const ImageId> ids) override;
  Status PutVerdicts(std::span<const VerdictRecord> verdicts) override;
  Result<std::int64_t> ForgetVerdicts(std::span<const VerdictRecord> verdicts) override;
  Result<std::vector<CheckProblem>> Check(const RowsProgress& progress) override;
  Status Compact(const RowsProgress& progress) override;
  Status SetIndex(const std::string& key, const RowsProgress& progress) override;
  Status ExportFaiss(const std::string& file) override;

 private:
  const std::unique_ptr<SearchBackend> backend_;
  const std::shared_ptr<Alterations> alterations_;
};

}  // namespace siftsearch
