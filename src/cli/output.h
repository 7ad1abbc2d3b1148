#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/console.h"
#include "env/aside_file.h"
#include "env/file_env.h"
#include "siftsearch/status.h"

namespace siftsearch::cli {

/// Where results go: standard output, or a file that takes its name only when it is complete and
/// lasting (AsideFile), so that a run that fails leaves an earlier file as it was. Used from one
/// thread.
class Output {
 public:
  /// Standard output.
  Output() = default;
  /// `file` empty or "-": standard output. A device or pipe is written in place. kBusy where
  /// another process is writing the same file.
  static Result<Output> Open(const std::string& file, FileEnv& env = DiskEnv());

  /// Buffers; an error is kept and given by `Close`.
  void Write(std::string_view text);
  /// Passes on what is buffered. Called after each line where somebody may be waiting for it.
  void Flush();
  /// The first error of writing, if any.
  const Status& status() const { return status_; }
  /// Takes the unfinished file away.
  void Discard();
  /// Writes the rest and gives the file its name, durably. Errors name the file. Ends writing.
  Status Close();

 private:
  Status Pass(std::string_view text);

  bool standard_ = true;
  std::unique_ptr<AsideFile> aside_;        ///< Of a file, until it is closed.
  std::unique_ptr<WritableFile> in_place_;  ///< Of a device or pipe, until it is closed.
  std::string buffer_;
  Status status_;
};

/// Tells why results can't be written; gives kExitResources.
int FailToWrite(const Console& console, const Status& status);

/// Closes `output`; `code`, or kExitResources, with the reason told, where the results could not be
/// written.
int Finish(const Console& console, Output& output, int code);

}  // namespace siftsearch::cli
