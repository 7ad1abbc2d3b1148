#pragma once

#include <memory>
#include <string>

#include "env/file_env.h"
#include "siftsearch/status.h"

namespace siftsearch {

/// A file that takes its name, over an earlier one, only when it is complete and lasting. Until
/// then it is FILE.part (FILE.2.part, … where something else has that name), which is locked, and
/// which is removed with this object. Used from one thread.
class AsideFile {
 public:
  /// kBusy where another process is writing the same file. What somebody else, or a killed run,
  /// left under a name like FILE.part is not touched unless it is empty. `env` must outlive this.
  static Result<std::unique_ptr<AsideFile>> Open(FileEnv& env, const std::string& file);
  ~AsideFile();

  /// To append to.
  WritableFile& out() { return *out_; }
  /// Ends writing and gives the file its name; ok once that would survive a power cut.
  Status Publish();

 private:
  AsideFile(FileEnv& env, std::string file) : env_(env), file_(std::move(file)) {}
  Status LockPart();

  FileEnv& env_;
  const std::string file_;
  std::string part_;  ///< Empty where there is none to remove.
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<WritableFile> out_;
};

}  // namespace siftsearch
