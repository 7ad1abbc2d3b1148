#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "env/file_env.h"

namespace siftsearch {

/// Files in memory, for tests, with the worst behaviour that a disk may show at a power cut:
/// whatever was not synced is gone. The directories "/" and "." always exist. Files have no
/// metadata.
class MemoryEnv : public FileEnv {
 public:
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

  /// What is in this directory, and below it, is on a file system of its own.
  void Mount(const std::string& directory);

  /// A power cut: bytes that were not synced and names whose directory was not synced are lost,
  /// removed names whose directory was not synced come back. Files open for writing stay usable
  /// but no longer reach the file; locks are free.
  void Crash();

 private:
  struct Node;
  class Writer;
  class Mapping;
  class HeldLock;
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  bool IsDirectory(const std::string& path) const;
  Status CheckParent(const std::string& path) const;
  Result<std::shared_ptr<Node>> FindFile(const std::string& path) const;
  std::string MountOf(const std::string& path) const;
  Status CheckNew(const std::string& from, const std::string& to) const;
  bool TryLock(std::weak_ptr<bool>& holder, const std::shared_ptr<bool>& token);

  mutable std::mutex mutex_;
  Names names_;                                       ///< As programs see them, by normal path.
  Names durable_names_;                               ///< As a power cut would leave them.
  std::map<std::string, std::weak_ptr<bool>> locks_;  ///< Of directories.
  std::set<std::string> mounts_;
};

}  // namespace siftsearch
