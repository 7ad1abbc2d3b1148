#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "cli/exit_code.h"

namespace siftsearch::cli {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

Status WriteStandardOutput(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(STDOUT_FILENO, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
      return {full ? StatusCode::kOutOfSpace : StatusCode::kIoError,
              "standard output can't be written: " + std::generic_category().message(errno)};
    }
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

bool IsDeviceOrPipe(const std::string& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  return !error && std::filesystem::exists(status) &&
         status.type() != std::filesystem::file_type::regular &&
         status.type() != std::filesystem::file_type::directory;
}

constexpr int kPartNames = 100;

/// Locks a file that nobody else uses, to write `file` in. What a killed run, or somebody else,
/// left under such a name is not touched, unless it is empty.
Result<std::pair<std::string, std::unique_ptr<FileLock>>> LockPart(const std::string& file,
                                                                   FileEnv& env) {
  std::string name = file + ".part";
  for (int i = 2; i < kPartNames; ++i) {
    auto lock = env.LockFile(name);
    if (lock.status().code() == StatusCode::kBusy) {
      return Status(StatusCode::kBusy,
                    fmt::format("{} is being written by another process ({})", file, name));
    }
    if (!lock.ok()) return lock.status();
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t bytes, env.FileSize(name));
    if (bytes == 0) return std::pair(std::move(name), std::move(lock).value());
    name = fmt::format("{}.{}.part", file, i);
  }
  return Status(StatusCode::kAlreadyExists,
                fmt::format("{}.part and {} more like it are left of other runs: remove them", file,
                            kPartNames - 2));
}

}  // namespace

/// A file under way.
struct Output::Part {
  ~Part() {
    if (writable) (void)writable->Close();
    if (lock && !complete) (void)env.Remove(name);
  }

  Status Publish() {
    if (!lock) return writable->Close();
    SIFTSEARCH_RETURN_IF_ERROR(writable->Sync());
    SIFTSEARCH_RETURN_IF_ERROR(writable->Close());
    SIFTSEARCH_RETURN_IF_ERROR(env.Rename(name, file));
    complete = true;
    return env.SyncDirectory(DirectoryOf(file));
  }

  FileEnv& env;
  const std::string file;
  std::string name;
  std::unique_ptr<FileLock> lock;  ///< None where the file is written in place.
  std::unique_ptr<WritableFile> writable;
  bool complete = false;
};

Output::Output() = default;
Output::Output(Output&& other) noexcept = default;
Output& Output::operator=(Output&& other) noexcept = default;
Output::~Output() = default;

Result<Output> Output::Open(const std::string& file, FileEnv& env) {
  Output output;
  if (file.empty() || file == "-") return output;
  output.standard_ = false;
  output.part_.reset(new Part{env, file, file, nullptr, nullptr});
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return Status(StatusCode::kInvalidArgument, fmt::format("{} is a folder", file));
  }
  Part& part = *output.part_;
  if (!IsDeviceOrPipe(file)) {
    SIFTSEARCH_ASSIGN_OR_RETURN(std::tie(part.name, part.lock), LockPart(file, env));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(part.writable, env.Create(part.name));
  return output;
}

void Output::Write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) Flush();
}

void Output::Flush() {
  if (status_.ok() && !buffer_.empty()) {
    status_ = part_ ? part_->writable->Append(
                          {reinterpret_cast<const std::uint8_t*>(buffer_.data()), buffer_.size()})
              : standard_ ? WriteStandardOutput(buffer_)
                          : Status(StatusCode::kInternal, "results written after their end");
  }
  buffer_.clear();
}

Status Output::Close() {
  Flush();
  if (part_ && status_.ok()) status_ = part_->Publish();
  part_.reset();
  return status_;
}

void Output::Discard() {
  buffer_.clear();
  part_.reset();
}

int FailToWrite(const Console& console, const Status& status) {
  console.Error(status.message());
  return kExitResources;
}

int Finish(const Console& console, Output& output, int code) {
  const Status written = output.Close();
  return written.ok() ? code : FailToWrite(console, written);
}

}  // namespace siftsearch::cli
