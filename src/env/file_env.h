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

/// The bytes of a file, read-only in memory for as long as the object lives, which keeps the file
/// open; safe to share between threads. Removing or replacing the file's name does not change them.
/// Cutting the file short under a mapping is fatal, so our files are never modified once they have
/// their final name.
class MappedFile {
 public:
  virtual ~MappedFile() = default;

  /// Begins at a page boundary; empty for an empty file.
  virtual std::span<const std::uint8_t> bytes() const = 0;
  /// Copies bytes that lie at `offset` in the file, all of them or an error. Unlike touching
  /// `bytes()` it maps no pages and reads none ahead: cheaper where little of a large file is
  /// wanted.
  virtual Status Read(std::size_t offset, std::span<std::uint8_t> to) const;
  /// The same, but false where that would wait for a disk: then the disk is asked, so that many
  /// reads can be under way before `Read` waits for each.
  virtual Result<bool> ReadAtOnce(std::size_t offset, std::span<std::uint8_t> to) const;
  /// Gives back the memory of the pages that were read; they are read again when needed.
  virtual void Release() const {}
};

/// A held lock; destroying it releases the lock, and so does the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Who may use a new file.
enum class Access {
  kShared,   ///< As the process's umask says.
  kPrivate,  ///< Its owner only.
};

/// All file work of a database, and that on people's files, goes through this interface, so that
/// tests can fail any of it. Safe from several threads. Paths may hold any bytes but NUL. Every
/// error names the path and the cause: kNotFound, kPermissionDenied, kAlreadyExists, kOutOfSpace,
/// kOutOfMemory, else kIoError.
class FileEnv {
 public:
  virtual ~FileEnv() = default;

  /// Makes a file, or empties the one that is there.
  virtual Result<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  /// Makes a file whose name nothing has, a link to nowhere included; else kAlreadyExists.
  virtual Result<std::unique_ptr<WritableFile>> CreateNew(const std::string& path,
                                                          Access access) = 0;
  /// The bytes of a whole regular file, of any size that memory takes.
  virtual Result<std::vector<std::uint8_t>> Read(const std::string& path) = 0;
  /// Maps the whole of a regular file.
  virtual Result<std::shared_ptr<const MappedFile>> Map(const std::string& path) = 0;

  /// Gives a file another name in one step, replacing a file of that name. Where both are names of
  /// one file both stay.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  /// The same, but never over anything: kAlreadyExists where `to` is taken. kUnsupported where the
  /// names are on two file systems, or on one that can't do it.
  virtual Status RenameNew(const std::string& from, const std::string& to) = 0;
  /// Gives a file a second name (a symbolic link: the link, not its file). kAlreadyExists where
  /// `to` is taken, kUnsupported where the names are on two file systems.
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  /// Gives `to` the owner, mode, extended attributes and times of `from`, as far as its file system
  /// and the permissions allow; says what is lost, in words, "" where nothing is. Appending later
  /// changes times again.
  virtual Result<std::string> CopyMetadata(const std::string& from, const std::string& to) = 0;
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
  /// Takes the exclusive lock of a regular file, which is made, empty, where there is none; kBusy
  /// at once when another holder has it. `path` still leads to the file that is locked when this
  /// returns. The lock goes with the file when that is renamed.
  virtual Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) = 0;
};

/// The directory that a path's last name is in.
std::string DirectoryOf(const std::string& path);

/// The operating system's files.
FileEnv& DiskEnv();

}  // namespace siftsearch
