#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
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

}  // namespace

Result<Output> Output::Open(const std::string& file) {
  Output output;
  if (file.empty() || file == "-") return output;
  output.file_ = file;
  output.part_ = IsDeviceOrPipe(file) ? file : file + ".part";
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return Status(StatusCode::kInvalidArgument, fmt::format("{} is a folder", file));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(output.writable_, DiskEnv().Create(output.part_));
  return output;
}

void Output::Write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) Flush();
}

void Output::Flush() {
  if (status_.ok() && !buffer_.empty()) {
    status_ = writable_ ? writable_->Append({reinterpret_cast<const std::uint8_t*>(buffer_.data()),
                                             buffer_.size()})
                        : WriteStandardOutput(buffer_);
  }
  buffer_.clear();
}

Status Output::Close() {
  Flush();
  if (!writable_) return status_;
  const Status closed = writable_->Close();
  if (status_.ok()) status_ = closed;
  if (part_ == file_) return status_;
  if (status_.ok()) return DiskEnv().Rename(part_, file_);
  // What could be written of it is of no use; the first error is the one to tell.
  (void)DiskEnv().Remove(part_);
  return status_;
}

void Output::Discard() {
  if (!writable_) return;
  (void)writable_->Close();
  if (part_ != file_) (void)DiskEnv().Remove(part_);
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
