#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
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

Descriptor Open(const std::string& path, int flags) {
  return Descriptor(Retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); }));
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
  DiskMappedFile(void* address, std::size_t size) : address_(address), size_(size) {}
  DiskMappedFile(const DiskMappedFile&) = delete;
  DiskMappedFile& operator=(const DiskMappedFile&) = delete;
  ~DiskMappedFile() override {
    if (size_ > 0) ::munmap(address_, size_);
  }

  std::span<const std::uint8_t> bytes() const override {
    return {static_cast<const std::uint8_t*>(address_), size_};
  }

  // Advice: a system that does not take it loses nothing but memory.
  void Release() const override { (void)::madvise(address_, size_, MADV_DONTNEED); }

 private:
  void* const address_;
  const std::size_t size_;
};

/// flock belongs to the open file, so closing the descriptor releases it.
class DiskFileLock : public FileLock {
 public:
  explicit DiskFileLock(Descriptor directory) : directory_(std::move(directory)) {}

 private:
  Descriptor directory_;
};

class DiskFileEnv : public FileEnv {
 public:
  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    Descriptor file = Open(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.valid()) return ErrnoStatus(path, "can't be created", errno);
    return std::unique_ptr<WritableFile>(new DiskWritableFile(path, std::move(file)));
  }

  Result<std::shared_ptr<const MappedFile>> Map(const std::string& path) override {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    const Descriptor file = Open(path, O_RDONLY | O_NONBLOCK);
    if (!file.valid()) return ErrnoStatus(path, "can't be opened", errno);
    struct stat info;
    if (::fstat(file.get(), &info) != 0) return ErrnoStatus(path, "can't be examined", errno);
    if (!S_ISREG(info.st_mode)) return NotAFile(path);
    const auto size = static_cast<std::size_t>(info.st_size);
    void* address = nullptr;
    if (size > 0) {
      address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
      if (address == MAP_FAILED) return ErrnoStatus(path, "can't be mapped into memory", errno);
    }
    return std::shared_ptr<const MappedFile>(new DiskMappedFile(address, size));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus(from, "can't be renamed to " + to, errno);
    }
    return {};
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
    DIR* const stream = ::opendir(directory.c_str());
    if (stream == nullptr) return ErrnoStatus(directory, "can't be listed", errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
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
    if (!S_ISREG(info.st_mode)) return NotAFile(path);
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

 private:
  static Status NotAFile(const std::string& path) {
    return {StatusCode::kIoError, path + ": not a regular file"};
  }
};

}  // namespace

FileEnv& DiskEnv() {
  static DiskFileEnv env;
  return env;
}

}  // namespace siftsearch
