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

Result<Output> Output::Open(const std::string& file, FileEnv& env) {
  Output output;
  if (file.empty() || file == "-") return output;
  output.standard_ = false;
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return Status(StatusCode::kInvalidArgument, fmt::format("{} is a folder", file));
  }
  if (IsDeviceOrPipe(file)) {
    SIFTSEARCH_ASSIGN_OR_RETURN(output.in_place_, env.Create(file));
  } else {
    SIFTSEARCH_ASSIGN_OR_RETURN(output.aside_, AsideFile::Open(env, file));
  }
  return output;
}

void Output::Write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) Flush();
}

Status Output::Pass(std::string_view text) {
  if (standard_) return WriteStandardOutput(text);
  WritableFile* const file = aside_ ? &aside_->out() : in_place_.get();
  if (file == nullptr) return {StatusCode::kInternal, "results were written after their end"};
  return file->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void Output::Flush() {
  if (status_.ok() && !buffer_.empty()) status_ = Pass(buffer_);
  buffer_.clear();
}

Status Output::Close() {
  Flush();
  if (status_.ok() && aside_) status_ = aside_->Publish();
  if (status_.ok() && in_place_) status_ = in_place_->Close();
  Discard();
  return status_;
}

void Output::Discard() {
  buffer_.clear();
  aside_.reset();
  in_place_.reset();
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
