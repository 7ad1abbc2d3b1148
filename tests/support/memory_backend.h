#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "siftsearch/search_backend.h"

namespace siftsearch {

/// A backend in memory, the plainest that keeps the contract: a commit is a new copy of all tables,
/// a snapshot one such copy, a search compares with every row. Safe from several threads.
class MemoryBackend : public SearchBackend {
 public:
  struct Tables;
  /// What a database holds. Backends that are given the same one are the same database.
  struct Store {
    std::mutex mutex;  ///< Guards `newest`.
    std::shared_ptr<const Tables> newest;
  };

  explicit MemoryBackend(std::shared_ptr<Store> store = std::make_shared<Store>());

  const ExtractorSettings& settings() const override { return settings_; }
  Result<std::shared_ptr<const BackendSnapshot>> Pin() override;
  Result<std::vector<PutOutcome>> Put(std::span<const PutItem> items) override;
  Result<std::int64_t> Remove(std::span<const ImageId> ids) override;
  Status PutVerdicts(std::span<const VerdictRecord> verdicts) override;
  Result<std::int64_t> ForgetVerdicts(std::span<const VerdictRecord> verdicts) override;
  Result<std::vector<CheckProblem>> Check(const RowsProgress&) override {
    return std::vector<CheckProblem>();
  }
  Status Compact(const RowsProgress& progress) override;
  Status SetIndex(const std::string& key, const RowsProgress& progress) override;
  Status ExportFaiss(const std::string& file) override;

 private:
  const ExtractorSettings settings_{.max_features = 300};  // It compares all rows, one by one.
  const std::shared_ptr<Store> store_;
};

}  // namespace siftsearch
