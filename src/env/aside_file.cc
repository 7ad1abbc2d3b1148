#include "env/aside_file.h"

#include <utility>

#include "base/status_macros.h"

namespace siftsearch {
namespace {

constexpr int kPartNames = 100;

}  // namespace

Result<std::unique_ptr<AsideFile>> AsideFile::Open(FileEnv& env, const std::string& file) {
  std::unique_ptr<AsideFile> aside(new AsideFile(env, file));
  SIFTSEARCH_RETURN_IF_ERROR(aside->LockPart());
  SIFTSEARCH_ASSIGN_OR_RETURN(aside->out_, env.Create(aside->part_));
  return aside;
}

Status AsideFile::LockPart() {
  for (int i = 1; i <= kPartNames; ++i) {
    const std::string name = file_ + (i == 1 ? "" : "." + std::to_string(i)) + ".part";
    auto lock = env_.LockFile(name);
    if (lock.status().code() == StatusCode::kBusy) {
      return {StatusCode::kBusy, file_ + " is being written by another process (" + name + ")"};
    }
    if (!lock.ok()) return lock.status();
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t bytes, env_.FileSize(name));
    if (bytes > 0) continue;
    part_ = name;
    lock_ = std::move(lock).value();
    return {};
  }
  return {StatusCode::kAlreadyExists,
          file_ + ".part and all names like it are taken by what other runs left: remove them"};
}

AsideFile::~AsideFile() {
  out_.reset();
  if (!part_.empty()) (void)env_.Remove(part_);  // Of no use; an earlier error is the one to tell.
}

Status AsideFile::Publish() {
  SIFTSEARCH_RETURN_IF_ERROR(out_->Sync());
  SIFTSEARCH_RETURN_IF_ERROR(out_->Close());
  SIFTSEARCH_RETURN_IF_ERROR(env_.Rename(part_, file_));
  part_.clear();
  return env_.SyncDirectory(DirectoryOf(file_));
}

}  // namespace siftsearch
