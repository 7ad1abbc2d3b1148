#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <string_view>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "env/errno_status.h"
#include "env/file_env.h"

namespace siftsearch {
namespace {

/// An open file descriptor, closed on destruction; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Calls again for as long as a signal interrupts it.
template <typename Call>
auto Retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

Descriptor Open(const std::string& path, int flags, mode_t mode = 0666) {
  return Descriptor(Retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

Status NotRegular(const std::string& path) {
  return {StatusCode::kIoError, path + ": not a regular file"};
}

/// Fills `bytes` from the file, or as much of it as the file has.
Status ReadInto(const std::string& path, int file, std::vector<std::uint8_t>& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = Retry([&] { return ::read(file, &bytes[done], bytes.size() - done); });
    if (got < 0) return ErrnoStatus(path, "can't be read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return {};
}

/// A name, or a value, of extended attributes: asked for its size first.
template <typename Call>
bool ReadAttribute(std::string& text, Call call) {
  const ssize_t size = call(nullptr, 0);
  if (size < 0) return false;
  text.resize(static_cast<std::size_t>(size));
  const ssize_t got = call(text.data(), text.size());
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return got >= 0;
}

/// False where some could not be copied. A file system without them has none to lose.
bool CopyAttributes(int from, int to) {
  std::string names, value;
  if (!ReadAttribute(names, [&](char* out, std::size_t n) { return ::flistxattr(from, out, n); })) {
    return errno == ENOTSUP || errno == ENOSYS;
  }
  bool all = true;
  for (std::size_t at = 0; at < names.size(); at += std::strlen(&names[at]) + 1) {
    const char* name = &names[at];
    all &= ReadAttribute(
               value, [&](char* out, std::size_t n) { return ::fgetxattr(from, name, out, n); }) &&
           ::fsetxattr(to, name, value.data(), value.size(), 0) == 0;
  }
  return all;
}

/// renameat2's "never over anything" by a second name, where the file system lacks it.
int RenameByLink(const char* from, const char* to) {
  if (::link(from, to) != 0) {
    const bool lacks_links = errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK;
    if (lacks_links) errno = EXDEV;
    return -1;
  }
  if (::unlink(from) == 0) return 0;
  const int error = errno;
  ::unlink(to);  // Ours: the link did not replace anything.
  errno = error;
  return -1;
}

class DiskWritableFile : public WritableFile {
 public:
  DiskWritableFile(std::string path, Descriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  Status Append(std::span<const std::uint8_t> bytes) override {
    SIFTSEARCH_RETURN_IF_ERROR(CheckOpen());
    while (!bytes.empty()) {
      const ssize_t written =
          Retry([&] { return ::write(file_.get(), bytes.data(), bytes.size()); });
      if (written < 0) return ErrnoStatus(path_, "can't be written", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Status Sync() override {
    SIFTSEARCH_RETURN_IF_ERROR(CheckOpen());
    if (Retry([&] { return ::fsync(file_.get()); }) != 0) {
      return ErrnoStatus(path_, "can't be made durable", errno);
    }
    return {};
  }

  Status Close() override {
    SIFTSEARCH_RETURN_IF_ERROR(CheckOpen());
    // Linux has given the number back even when close reports an error or an interruption, so it
    // must not be closed twice.
    if (::close(file_.Release()) != 0 && errno != EINTR) {
      return ErrnoStatus(path_, "closing failed, so what was written may be lost", errno);
    }
    return {};
  }

 private:
  Status CheckOpen() const {
    if (file_.valid()) return {};
    return {StatusCode::kInternal, path_ + ": used after it was closed"};
  }

  const std::string path_;
  Descriptor file_;
};

class DiskMappedFile : public MappedFile {
 public:
  DiskMappedFile(std::string path, Descriptor file, void* address, std::size_t size)
      : path_(std::move(path)), file_(std::move(file)), address_(address), size_(size) {
    // Of `Read` only: reading through the mapping goes by its own advice.
    (void)::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_RANDOM);
  }
  DiskMappedFile(const DiskMappedFile&) = delete;
  DiskMappedFile& operator=(const DiskMappedFile&) = delete;
  ~DiskMappedFile() override {
    if (size_ > 0) ::munmap(address_, size_);
  }

  std::span<const std::uint8_t> bytes() const override {
    return {static_cast<const std::uint8_t*>(address_), size_};
  }

  Status Read(std::size_t offset, std::span<std::uint8_t> to) const override {
    while (!to.empty()) {
      const ssize_t got = Retry(
          [&] { return ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset)); });
      if (got < 0) return ErrnoStatus(path_, "can't be read", errno);
      if (got == 0) return {StatusCode::kCorrupt, path_ + " is shorter than when it was opened"};
      to = to.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::size_t>(got);
    }
    return {};
  }

  Result<bool> ReadAtOnce(std::size_t offset, std::span<std::uint8_t> to) const override {
    const iovec part{to.data(), to.size()};
    const auto from = static_cast<off_t>(offset);
    const ssize_t got = ::preadv2(file_.get(), &part, 1, from, RWF_NOWAIT);
    if (got == static_cast<ssize_t>(to.size())) return true;
    (void)::posix_fadvise(file_.get(), from, static_cast<off_t>(to.size()), POSIX_FADV_WILLNEED);
    return false;  // Whatever is wrong, `Read` will say.
  }

  // Advice: a system that does not take it loses nothing but memory.
  void Release() const override { (void)::madvise(address_, size_, MADV_DONTNEED); }

 private:
  const std::string path_;
  const Descriptor file_;
  void* const address_;
  const std::size_t size_;
};

/// flock belongs to the open file, so closing the descriptor releases it.
class DiskFileLock : public FileLock {
 public:
  explicit DiskFileLock(Descriptor locked) : locked_(std::move(locked)) {}

 private:
  Descriptor locked_;
};

class DiskFileEnv : public FileEnv {
 public:
  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    Descriptor file = Open(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.valid()) return ErrnoStatus(path, "can't be created", errno);
    return std::unique_ptr<WritableFile>(new DiskWritableFile(path, std::move(file)));
  }

  Result<std::unique_ptr<WritableFile>> CreateNew(const std::string& path, Access access) override {
    Descriptor file =
        Open(path, O_WRONLY | O_CREAT | O_EXCL, access == Access::kPrivate ? 0600 : 0666);
    if (!file.valid()) return ErrnoStatus(path, "can't be created", errno);
    return std::unique_ptr<WritableFile>(new DiskWritableFile(path, std::move(file)));
  }

  Result<std::vector<std::uint8_t>> Read(const std::string& path) override {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    const Descriptor file = Open(path, O_RDONLY | O_NONBLOCK);
    if (!file.valid()) return ErrnoStatus(path, "can't be opened", errno);
    struct stat info;
    if (::fstat(file.get(), &info) != 0) return ErrnoStatus(path, "can't be examined", errno);
    if (!S_ISREG(info.st_mode)) return NotRegular(path);
    std::vector<std::uint8_t> bytes;
    try {
      bytes.resize(static_cast<std::size_t>(info.st_size));
    } catch (const std::bad_alloc&) {
      return ErrnoStatus(path, "can't be read", ENOMEM);
    }
    SIFTSEARCH_RETURN_IF_ERROR(ReadInto(path, file.get(), bytes));
    return bytes;
  }

  Result<std::shared_ptr<const MappedFile>> Map(const std::string& path) override {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    Descriptor file = Open(path, O_RDONLY | O_NONBLOCK);
    if (!file.valid()) return ErrnoStatus(path, "can't be opened", errno);
    struct stat info;
    if (::fstat(file.get(), &info) != 0) return ErrnoStatus(path, "can't be examined", errno);
    if (!S_ISREG(info.st_mode)) return NotRegular(path);
    const auto size = static_cast<std::size_t>(info.st_size);
    void* address = nullptr;
    if (size > 0) {
      address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
      if (address == MAP_FAILED) return ErrnoStatus(path, "can't be mapped into memory", errno);
    }
    return std::shared_ptr<const MappedFile>(
        new DiskMappedFile(path, std::move(file), address, size));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus(from, "can't be renamed to " + to, errno);
    }
    return {};
  }

  Status RenameNew(const std::string& from, const std::string& to) override {
    int failed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
      failed = RenameByLink(from.c_str(), to.c_str());
    }
    return failed == 0 ? Status() : ErrnoStatus(from, "can't be renamed to " + to, errno);
  }

  Status Link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    return ErrnoStatus(from, "can't be linked to " + to, errno);
  }

  Result<std::string> CopyMetadata(const std::string& from, const std::string& to) override {
    const Descriptor source = Open(from, O_RDONLY | O_NONBLOCK);
    if (!source.valid()) return ErrnoStatus(from, "can't be opened", errno);
    const Descriptor target = Open(to, O_RDONLY | O_NONBLOCK);
    if (!target.valid()) return ErrnoStatus(to, "can't be opened", errno);
    struct stat info;
    if (::fstat(source.get(), &info) != 0) return ErrnoStatus(from, "can't be examined", errno);
    std::string lost;
    const auto note = [&](bool kept, const char* what) {
      if (!kept) lost += (lost.empty() ? "" : ", ") + std::string(what);
    };
    // The owner first: changing it takes away set-user-ID bits. The times last: all others change.
    const bool owned = ::fchown(target.get(), info.st_uid, info.st_gid) == 0;
    note(owned, "its owner");
    note(CopyAttributes(source.get(), target.get()), "some of its extended attributes");
    // A set-user-ID file of another owner would be another thing.
    note(::fchmod(target.get(), info.st_mode & (owned ? 07777 : 0777)) == 0, "its permissions");
    const struct timespec times[] = {info.st_atim, info.st_mtim};
    note(::futimens(target.get(), times) == 0, "its times");
    return lost;
  }

  Status SyncDirectory(const std::string& directory) override {
    const Descriptor opened = Open(directory, O_RDONLY | O_DIRECTORY);
    if (!opened.valid()) return ErrnoStatus(directory, "can't be opened", errno);
    // EINVAL: a file system (some network ones) without a sync of directories; there is nothing to
    // wait for.
    if (Retry([&] { return ::fsync(opened.get()); }) != 0 && errno != EINVAL) {
      return ErrnoStatus(directory, "can't be made durable", errno);
    }
    return {};
  }

  Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrnoStatus(path, "can't be removed", errno);
    return {};
  }

  Status CreateDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0777) == 0) return {};
    const int error = errno;
    struct stat info;
    if (error == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return ErrnoStatus(path, "this directory can't be made", error);
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
    if (stream == nullptr) return ErrnoStatus(directory, "can't be listed", errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    if (error != 0) return ErrnoStatus(directory, "can't be listed", error);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT) return false;
    return ErrnoStatus(path, "can't be examined", errno);
  }

  Result<std::int64_t> FileSize(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(path, "can't be examined", errno);
    if (!S_ISREG(info.st_mode)) return NotRegular(path);
    return static_cast<std::int64_t>(info.st_size);
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& directory,
                                         std::chrono::milliseconds wait) override {
    Descriptor opened = Open(directory, O_RDONLY | O_DIRECTORY);
    if (!opened.valid()) return ErrnoStatus(directory, "can't be opened", errno);
    const auto deadline = std::chrono::steady_clock::now() + wait;
    // flock has no time limit of its own.
    while (Retry([&] { return ::flock(opened.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return ErrnoStatus(directory, "can't be locked", errno);
      if (std::chrono::steady_clock::now() >= deadline) {
        return Status(StatusCode::kBusy, directory + " is being written by another process");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return std::unique_ptr<FileLock>(new DiskFileLock(std::move(opened)));
  }

  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override {
    while (true) {
      Descriptor file = Open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
      if (!file.valid()) return ErrnoStatus(path, "can't be opened", errno);
      struct stat locked, named;
      if (::fstat(file.get(), &locked) != 0) return ErrnoStatus(path, "can't be examined", errno);
      if (!S_ISREG(locked.st_mode)) return NotRegular(path);
      if (Retry([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
        if (errno != EWOULDBLOCK) return ErrnoStatus(path, "can't be locked", errno);
        return Status(StatusCode::kBusy, path + " is being written by another process");
      }
      // Its holder may have renamed or removed it since it was opened.
      const bool same = ::lstat(path.c_str(), &named) == 0 && named.st_dev == locked.st_dev &&
                        named.st_ino == locked.st_ino;
      if (same) return std::unique_ptr<FileLock>(new DiskFileLock(std::move(file)));
    }
  }
};

}  // namespace

Status MappedFile::Read(std::size_t offset, std::span<std::uint8_t> to) const {
  if (offset > bytes().size() || to.size() > bytes().size() - offset) {
    return {StatusCode::kCorrupt, "a file ends before what is to be read of it"};
  }
  const auto from = bytes().subspan(offset, to.size());
  std::copy(from.begin(), from.end(), to.begin());
  return {};
}

Result<bool> MappedFile::ReadAtOnce(std::size_t offset, std::span<std::uint8_t> to) const {
  SIFTSEARCH_RETURN_IF_ERROR(Read(offset, to));
  return true;
}

std::string DirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

FileEnv& DiskEnv() {
  static DiskFileEnv env;
  return env;
}

}  // namespace siftsearch
