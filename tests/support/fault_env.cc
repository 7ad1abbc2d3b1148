#include "support/fault_env.h"

#include <utility>

#include "base/status_macros.h"

namespace siftsearch {

class FaultEnv::Writer : public WritableFile {
 public:
  Writer(FaultEnv& env, std::unique_ptr<WritableFile> base) : env_(env), base_(std::move(base)) {}

  Status Append(std::span<const std::uint8_t> bytes) override {
    const Status fault = env_.Count();
    if (fault.ok()) return base_->Append(bytes);
    if (env_.tears()) SIFTSEARCH_RETURN_IF_ERROR(base_->Append(bytes.first(bytes.size() / 2)));
    return fault;
  }
  Status Sync() override {
    SIFTSEARCH_RETURN_IF_ERROR(env_.Count());
    return base_->Sync();
  }
  Status Close() override {
    SIFTSEARCH_RETURN_IF_ERROR(env_.Count());
    return base_->Close();
  }

 private:
  FaultEnv& env_;
  std::unique_ptr<WritableFile> base_;
};

void FaultEnv::Arm(const Fault& fault) {
  std::lock_guard lock(mutex_);
  fault_ = fault;
  operations_ = 0;
}

void FaultEnv::Disarm() { Arm({.first = 0, .count = 0}); }

std::int64_t FaultEnv::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

Status FaultEnv::Count() {
  std::lock_guard lock(mutex_);
  const std::int64_t since_first = operations_++ - fault_.first;
  return since_first >= 0 && since_first < fault_.count ? fault_.status : Status();
}

bool FaultEnv::tears() const {
  std::lock_guard lock(mutex_);
  return fault_.tear;
}

Result<std::unique_ptr<WritableFile>> FaultEnv::Create(const std::string& path) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto file, base_.Create(path));
  return std::unique_ptr<WritableFile>(new Writer(*this, std::move(file)));
}

Result<std::unique_ptr<WritableFile>> FaultEnv::CreateNew(const std::string& path, Access access) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto file, base_.CreateNew(path, access));
  return std::unique_ptr<WritableFile>(new Writer(*this, std::move(file)));
}

Result<std::vector<std::uint8_t>> FaultEnv::Read(const std::string& path) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.Read(path);
}

Result<std::shared_ptr<const MappedFile>> FaultEnv::Map(const std::string& path) {
  return base_.Map(path);
}

Status FaultEnv::Rename(const std::string& from, const std::string& to) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.Rename(from, to);
}

Status FaultEnv::RenameNew(const std::string& from, const std::string& to) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.RenameNew(from, to);
}

Status FaultEnv::Link(const std::string& from, const std::string& to) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.Link(from, to);
}

Result<std::string> FaultEnv::CopyMetadata(const std::string& from, const std::string& to) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.CopyMetadata(from, to);
}

Status FaultEnv::SyncDirectory(const std::string& directory) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.SyncDirectory(directory);
}

Status FaultEnv::Remove(const std::string& path) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.Remove(path);
}

Status FaultEnv::CreateDirectory(const std::string& path) {
  SIFTSEARCH_RETURN_IF_ERROR(Count());
  return base_.CreateDirectory(path);
}

Result<std::vector<std::string>> FaultEnv::List(const std::string& directory) {
  return base_.List(directory);
}

Result<bool> FaultEnv::Exists(const std::string& path) { return base_.Exists(path); }

Result<std::int64_t> FaultEnv::FileSize(const std::string& path) { return base_.FileSize(path); }

Result<std::unique_ptr<FileLock>> FaultEnv::Lock(const std::string& directory,
                                                 std::chrono::milliseconds wait) {
  return base_.Lock(directory, wait);
}

Result<std::unique_ptr<FileLock>> FaultEnv::LockFile(const std::string& path) {
  return base_.LockFile(path);
}

}  // namespace siftsearch
