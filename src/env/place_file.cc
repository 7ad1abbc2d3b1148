#include "env/place_file.h"

#include <filesystem>
#include <random>

#include "base/hash.h"
#include "base/status_macros.h"

namespace siftsearch {
namespace {

constexpr int kNameTries = 100;

/// A name that nobody chose, in the folder of `path`. Hidden, and as short for every `path`.
std::string NameBeside(const std::string& path) {
  std::random_device random;
  std::uint8_t bytes[8];
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return (std::filesystem::path(path).parent_path() / (".siftsearch-" + ToHex(bytes))).string();
}

/// Calls `make` with names beside `path` until one is free; gives that one.
template <typename Make>
Result<std::string> MakeBeside(const std::string& path, Make make) {
  Status status;
  for (int i = 0; i < kNameTries; ++i) {
    const std::string name = NameBeside(path);
    status = make(name);
    if (status.ok()) return name;
    if (status.code() != StatusCode::kAlreadyExists) break;
  }
  return status;
}

/// Holds a file that this process made; removes it unless it is kept.
class OwnFile {
 public:
  OwnFile(FileEnv& env, std::string path) : env_(env), path_(std::move(path)) {}
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;
  // The first error is the one to tell.
  ~OwnFile() {
    if (!path_.empty()) (void)env_.Remove(path_);
  }
  const std::string& path() const { return path_; }
  void IsNamed(const std::string& path) { path_ = path; }
  void Keep() { path_.clear(); }

 private:
  FileEnv& env_;
  std::string path_;
};

Status CheckContent(FileEnv& env, const std::string& path, const ContentHash& hash,
                    std::vector<std::uint8_t>* bytes = nullptr) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto read, env.Read(path));
  if (Sha256(read) != hash) return {StatusCode::kCorrupt, path + ": its content is another"};
  if (bytes != nullptr) *bytes = std::move(read);
  return {};
}

/// Fills `file`, the new file `to`, with the content and metadata of `from`, durably; gives what of
/// the metadata is lost.
Result<std::string> FillCopy(FileEnv& env, const std::string& from, WritableFile& file,
                             const std::string& to, const ContentHash& hash) {
  {
    std::vector<std::uint8_t> bytes;
    SIFTSEARCH_RETURN_IF_ERROR(CheckContent(env, from, hash, &bytes));
    SIFTSEARCH_RETURN_IF_ERROR(file.Append(bytes));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string lost, env.CopyMetadata(from, to));
  SIFTSEARCH_RETURN_IF_ERROR(file.Sync());
  SIFTSEARCH_RETURN_IF_ERROR(file.Close());
  SIFTSEARCH_RETURN_IF_ERROR(CheckContent(env, to, hash));
  return lost;
}

/// Copies `from` into the folder of `to`, and calls `put` to give the copy that name.
template <typename Put>
Result<std::string> PutCopy(FileEnv& env, const std::string& from, const std::string& to,
                            const ContentHash& hash, Put put) {
  std::unique_ptr<WritableFile> file;
  const auto create = [&](const std::string& name) -> Status {
    // Nobody else's until it has the metadata of the original.
    SIFTSEARCH_ASSIGN_OR_RETURN(file, env.CreateNew(name, Access::kPrivate));
    return {};
  };
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string name, MakeBeside(to, create));
  OwnFile copy(env, name);
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string lost, FillCopy(env, from, *file, name, hash));
  SIFTSEARCH_RETURN_IF_ERROR(put(copy));
  copy.Keep();
  return lost;
}

Result<std::string> MoveByCopy(FileEnv& env, const std::string& from, const std::string& to,
                               const ContentHash& hash) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string lost,
                              PutCopy(env, from, to, hash, [&](OwnFile& copy) -> Status {
                                SIFTSEARCH_RETURN_IF_ERROR(env.RenameNew(copy.path(), to));
                                copy.IsNamed(to);
                                SIFTSEARCH_RETURN_IF_ERROR(env.SyncDirectory(DirectoryOf(to)));
                                return env.Remove(from);
                              }));
  const Status synced = env.SyncDirectory(DirectoryOf(from));
  if (synced.ok()) return lost;
  return Status(synced.code(), "moved to " + to + ", but " + synced.message());
}

}  // namespace

Result<std::string> MoveFile(FileEnv& env, const std::string& from, const std::string& to,
                             const ContentHash& hash) {
  const Status renamed = env.RenameNew(from, to);
  if (renamed.code() == StatusCode::kUnsupported) return MoveByCopy(env, from, to, hash);
  SIFTSEARCH_RETURN_IF_ERROR(renamed);
  // The new name first: at a power cut there may be both, but not neither.
  Status synced = env.SyncDirectory(DirectoryOf(to));
  if (synced.ok()) synced = env.SyncDirectory(DirectoryOf(from));
  if (!synced.ok()) (void)env.RenameNew(to, from);
  if (!synced.ok()) return synced;
  return std::string();
}

Status ReplaceByLink(FileEnv& env, const std::string& path, const std::string& target) {
  const auto link = [&](const std::string& name) { return env.Link(target, name); };
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string name, MakeBeside(path, link));
  {
    const OwnFile made(env, name);  // Renaming one name of a file over another of it leaves both.
    SIFTSEARCH_RETURN_IF_ERROR(env.Rename(name, path));
  }
  return env.SyncDirectory(DirectoryOf(path));
}

Result<std::string> ReplaceByCopy(FileEnv& env, const std::string& path, const ContentHash& hash) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string lost, PutCopy(env, path, path, hash, [&](OwnFile& copy) {
                                return env.Rename(copy.path(), path);
                              }));
  SIFTSEARCH_RETURN_IF_ERROR(env.SyncDirectory(DirectoryOf(path)));
  return lost;
}

Status RemoveDurably(FileEnv& env, const std::string& path) {
  SIFTSEARCH_RETURN_IF_ERROR(env.Remove(path));
  return env.SyncDirectory(DirectoryOf(path));
}

Status MakeDirectories(FileEnv& env, const std::string& path) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool there, env.Exists(path));
  if (there) return env.CreateDirectory(path);  // Says so where it is a file.
  const std::string parent = DirectoryOf(path);
  if (parent != path) SIFTSEARCH_RETURN_IF_ERROR(MakeDirectories(env, parent));
  SIFTSEARCH_RETURN_IF_ERROR(env.CreateDirectory(path));
  return env.SyncDirectory(parent);
}

}  // namespace siftsearch
