#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch {

/// A new file that is written from its beginning to its end. Used from one thread. Destroying it
/// closes it, but only `Close` says whether that worked.
class WritableFile {
 public:
  virtual ~WritableFile() = default;

  /// Adds bytes at the end: all of them, or an error after which the file's end is undefined.
  virtual Status Append(std::span<const std::uint8_t> bytes) = 0;
  /// Returns once everything appended would survive a power cut. The file's name survives only
  /// with `FileEnv::SyncDirectory`.
  virtual Status Sync() = 0;
  /// Ends writing; every later call on this object is an error.
  virtual Status Close() = 0;
};

/// The bytes of a file, read-only in memory for as long as the object lives; safe to share between
/// threads. Removing or replacing the file's name does not change them. Cutting the file short
/// under a mapping is fatal, so our files are never modified once they have their final name.
class MappedFile {
 public:
  virtual ~MappedFile() = default;

  /// Begins at a page boundary; empty for an empty file.
  virtual std::span<const std::uint8_t> bytes() const = 0;
  /// Gives back the memory of the pages that were read; they are read again when needed.
  virtual void Release() const {}
};

/// A held lock; destroying it releases the lock, and so does the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// All file work of a database goes through this interface, so that tests can fail any of it.
/// Safe from several threads. Paths may hold any bytes but NUL. Every error names the path and the
/// cause: kNotFound, kPermissionDenied, kOutOfSpace, kOutOfMemory, else kIoError.
class FileEnv {
 public:
  virtual ~FileEnv() = default;

  /// Makes a file, or empties the one that is there.
  virtual Result<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  /// Maps the whole of a regular file.
  virtual Result<std::shared_ptr<const MappedFile>> Map(const std::string& path) = 0;

  /// Gives a file another name in one step, replacing a file of that name.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  /// Returns once the names made, changed and removed in a directory would survive a power cut.
  virtual Status SyncDirectory(const std::string& directory) = 0;
  /// Removes a file (not a directory).
  virtual Status Remove(const std::string& path) = 0;
  /// Makes one directory; ok when it is already there. Its parent must exist.
  virtual Status CreateDirectory(const std::string& path) = 0;

  /// Names of the files and directories directly in a directory, sorted by their bytes.
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  /// False only when there is certainly no such file or directory.
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Result<std::int64_t> FileSize(const std::string& path) = 0;

  /// Takes the exclusive lock of a directory, which no other holder in this or another process
  /// has at the same time; kBusy when it can't be had within `wait`. Leaves no file behind.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& directory,
                                                 std::chrono::milliseconds wait) = 0;
};

/// The operating system's files.
FileEnv& DiskEnv();

}  // namespace siftsearch
