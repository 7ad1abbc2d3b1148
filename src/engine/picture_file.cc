#include "engine/picture_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

#include "base/status_macros.h"

namespace siftsearch::engine {
namespace {

Status FromErrno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return {StatusCode::kNotFound, "there is no such file"};
    case EACCES:
    case EPERM:
      return {StatusCode::kPermissionDenied, "permission denied"};
    case ELOOP:
      return {StatusCode::kInvalidArgument, "its links lead in a circle"};
    case ENOMEM:
      return {StatusCode::kOutOfMemory, "not enough memory to read it"};
    default:
      return {StatusCode::kIoError, "can't be read: " + std::generic_category().message(error)};
  }
}

Result<FileStamp> StampFrom(const struct stat& info) {
  const auto refuse = [](const char* what) {
    return Status(StatusCode::kInvalidArgument, fmt::format("is {}, not a file", what));
  };
  if (S_ISDIR(info.st_mode)) return refuse("a folder");
  if (S_ISFIFO(info.st_mode)) return refuse("a named pipe");
  if (S_ISSOCK(info.st_mode)) return refuse("a socket");
  if (!S_ISREG(info.st_mode)) return refuse("a device");
  return FileStamp{info.st_size,
                   info.st_mtim.tv_sec * std::int64_t{1'000'000'000} + info.st_mtim.tv_nsec};
}

/// Closes the descriptor of a file that was only read, where a close error means nothing.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status ReadAll(int fd, std::vector<std::uint8_t>& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = read(fd, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return {};
}

}  // namespace

Result<FileStamp> StampOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return FromErrno(errno);
  return StampFrom(info);
}

bool IsGone(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

std::string SameFile(const std::string& path, const std::string& other) {
  struct stat ours, theirs;
  if (stat(path.c_str(), &ours) != 0 || stat(other.c_str(), &theirs) != 0) return "";
  if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino) return "";
  if (ours.st_nlink < 2) return "same file";
  std::error_code error, other_error;
  const auto name = std::filesystem::canonical(path, error);
  const auto other_name = std::filesystem::canonical(other, other_error);
  const bool two_names = !error && !other_error && name != other_name;
  return two_names ? "same file (hard link)" : "same file";
}

Result<PictureFile> ReadPictureFile(const std::string& path, const InputLimits& limits) {
  // The kind is asked before opening: opening some devices has effects.
  SIFTSEARCH_ASSIGN_OR_RETURN([[maybe_unused]] const FileStamp before, StampOf(path));
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return FromErrno(errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return FromErrno(errno);
  PictureFile picture;
  SIFTSEARCH_ASSIGN_OR_RETURN(picture.stamp, StampFrom(info));
  if (picture.stamp.bytes > limits.max_file_bytes) {
    return Status(StatusCode::kLimitExceeded,
                  fmt::format("has {} bytes; the limit is {} (--max-file-bytes)",
                              picture.stamp.bytes, limits.max_file_bytes));
  }
  try {
    picture.bytes.resize(static_cast<std::size_t>(picture.stamp.bytes));
  } catch (const std::bad_alloc&) {
    return FromErrno(ENOMEM);
  }
  SIFTSEARCH_RETURN_IF_ERROR(ReadAll(file.get(), picture.bytes));
  return picture;
}

}  // namespace siftsearch::engine
