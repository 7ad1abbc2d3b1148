#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/file_env.h"

namespace siftsearch {

/// Passes everything on to another environment, counts the operations that change something
/// (Create, CreateNew, Append, Sync, Close, Rename, RenameNew, Link, CopyMetadata, SyncDirectory,
/// Remove, CreateDirectory) and Read, and fails those a test asks for. A failed operation is not
/// passed on. Safe from several threads.
class FaultEnv : public FileEnv {
 public:
  struct Fault {
    std::int64_t first = 0;  ///< The operation that fails, counted from 0 at the last `Arm`.
    std::int64_t count = 1;  ///< How many fail from there on.
    Status status = Status(StatusCode::kIoError, "fault injected by a test");
    bool tear = false;  ///< A failing Append first writes half of its bytes.
  };
  static constexpr std::int64_t kAllLater = std::numeric_limits<std::int64_t>::max();

  /// `base` must outlive this and the files it opens.
  explicit FaultEnv(FileEnv& base) : base_(base) {}

  /// Sets the fault and counts from 0 again.
  void Arm(const Fault& fault);
  /// Ends failing and counts from 0 again.
  void Disarm();
  /// Changing operations since the last `Arm` or `Disarm`, failed ones included.
  std::int64_t operations() const;

  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> CreateNew(const std::string& path, Access access) override;
  Result<std::vector<std::uint8_t>> Read(const std::string& path) override;
  Result<std::shared_ptr<const MappedFile>> Map(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status RenameNew(const std::string& from, const std::string& to) override;
  Status Link(const std::string& from, const std::string& to) override;
  Result<std::string> CopyMetadata(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& directory) override;
  Status Remove(const std::string& path) override;
  Status CreateDirectory(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Result<bool> Exists(const std::string& path) override;
  Result<std::int64_t> FileSize(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& directory,
                                         std::chrono::milliseconds wait) override;
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override;

 private:
  class Writer;
  /// Counts an operation; not ok when it is to fail.
  Status Count();
  bool tears() const;

  FileEnv& base_;
  mutable std::mutex mutex_;
  Fault fault_{.first = 0, .count = 0};
  std::int64_t operations_ = 0;
};

}  // namespace siftsearch
