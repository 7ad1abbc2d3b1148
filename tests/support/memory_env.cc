#include "support/memory_env.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/status_macros.h"

namespace siftsearch {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal.empty() ? "." : normal;
}

/// Of a normal path.
std::string Parent(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

bool IsRoot(const std::string& path) { return path == "/" || path == "."; }

Status NotFound(const std::string& path) {
  return {StatusCode::kNotFound, path + ": no such file or directory"};
}

Status NotAFile(const std::string& path) {
  return {StatusCode::kIoError, path + ": not a regular file"};
}

Status OnTwo(const std::string& from, const std::string& to) {
  return {StatusCode::kUnsupported, from + " and " + to + " are on two file systems"};
}

Status Taken(const std::string& path) {
  return {StatusCode::kAlreadyExists, path + ": the name is taken"};
}

}  // namespace

/// A file or directory, whatever its name; guarded by the environment's mutex.
struct MemoryEnv::Node {
  bool is_directory = false;
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> durable_bytes;
  std::weak_ptr<bool> holder;  ///< Of a file's lock.
};

class MemoryEnv::Writer : public WritableFile {
 public:
  Writer(MemoryEnv& env, std::string path, std::shared_ptr<Node> node)
      : env_(env), path_(std::move(path)), node_(std::move(node)) {}

  Status Append(std::span<const std::uint8_t> bytes) override {
    std::lock_guard lock(env_.mutex_);
    SIFTSEARCH_RETURN_IF_ERROR(CheckOpen());
    node_->bytes.insert(node_->bytes.end(), bytes.begin(), bytes.end());
    return {};
  }
  Status Sync() override {
    std::lock_guard lock(env_.mutex_);
    SIFTSEARCH_RETURN_IF_ERROR(CheckOpen());
    node_->durable_bytes = node_->bytes;
    return {};
  }
  Status Close() override {
    std::lock_guard lock(env_.mutex_);
    SIFTSEARCH_RETURN_IF_ERROR(CheckOpen());
    node_.reset();
    return {};
  }

 private:
  Status CheckOpen() const {
    if (node_) return {};
    return {StatusCode::kInternal, path_ + ": used after it was closed"};
  }

  MemoryEnv& env_;
  const std::string path_;
  std::shared_ptr<Node> node_;  ///< Null once closed.
};

/// A page-aligned copy of a file's bytes.
class MemoryEnv::Mapping : public MappedFile {
 public:
  explicit Mapping(std::span<const std::uint8_t> bytes) : size_(bytes.size()) {
    const std::size_t pages = std::max<std::size_t>((size_ + kPageBytes - 1) / kPageBytes, 1);
    copy_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kPageBytes, pages * kPageBytes)));
    if (copy_) std::copy(bytes.begin(), bytes.end(), copy_.get());
  }

  bool valid() const { return copy_ != nullptr; }
  std::span<const std::uint8_t> bytes() const override { return {copy_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::uint8_t, Free> copy_;
  std::size_t size_;
};

/// The lock is held while the token that the environment watches is alive.
class MemoryEnv::HeldLock : public FileLock {
 public:
  explicit HeldLock(std::shared_ptr<bool> token) : token_(std::move(token)) {}

 private:
  std::shared_ptr<bool> token_;
};

bool MemoryEnv::IsDirectory(const std::string& path) const {
  if (IsRoot(path)) return true;
  const auto found = names_.find(path);
  return found != names_.end() && found->second->is_directory;
}

Status MemoryEnv::CheckParent(const std::string& path) const {
  const std::string parent = Parent(path);
  return IsDirectory(parent) ? Status() : NotFound(parent);
}

Result<std::shared_ptr<MemoryEnv::Node>> MemoryEnv::FindFile(const std::string& path) const {
  if (IsDirectory(path)) return NotAFile(path);
  const auto found = names_.find(path);
  if (found == names_.end()) return NotFound(path);
  return found->second;
}

Result<std::unique_ptr<WritableFile>> MemoryEnv::Create(const std::string& path) {
  std::lock_guard lock(mutex_);
  const std::string name = Normal(path);
  SIFTSEARCH_RETURN_IF_ERROR(CheckParent(name));
  if (IsDirectory(name)) return NotAFile(path);
  std::shared_ptr<Node>& node = names_[name];
  if (!node) node = std::make_shared<Node>();
  node->bytes.clear();
  return std::unique_ptr<WritableFile>(new Writer(*this, path, node));
}

Result<std::unique_ptr<WritableFile>> MemoryEnv::CreateNew(const std::string& path, Access) {
  std::lock_guard lock(mutex_);
  const std::string name = Normal(path);
  SIFTSEARCH_RETURN_IF_ERROR(CheckParent(name));
  if (IsDirectory(name) || names_.contains(name)) return Taken(path);
  std::shared_ptr<Node>& node = names_[name];
  node = std::make_shared<Node>();
  return std::unique_ptr<WritableFile>(new Writer(*this, path, node));
}

Result<std::vector<std::uint8_t>> MemoryEnv::Read(const std::string& path) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto node, FindFile(Normal(path)));
  return node->bytes;
}

Result<std::shared_ptr<const MappedFile>> MemoryEnv::Map(const std::string& path) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto node, FindFile(Normal(path)));
  auto mapping = std::make_shared<Mapping>(node->bytes);
  if (!mapping->valid()) {
    return Status(StatusCode::kOutOfMemory, path + ": can't be mapped into memory");
  }
  return std::shared_ptr<const MappedFile>(std::move(mapping));
}

Status MemoryEnv::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  const std::string target = Normal(to);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto node, FindFile(Normal(from)));
  SIFTSEARCH_RETURN_IF_ERROR(CheckParent(target));
  if (IsDirectory(target)) return NotAFile(to);
  if (MountOf(Normal(from)) != MountOf(target)) return OnTwo(from, to);
  const auto there = names_.find(target);
  // As POSIX has it: two names of one file both stay.
  if (there != names_.end() && there->second == node) return {};
  names_.erase(Normal(from));
  names_[target] = node;
  return {};
}

std::string MemoryEnv::MountOf(const std::string& path) const {
  std::string mount;
  for (const std::string& directory : mounts_) {
    if (path.starts_with(directory + "/") && directory.size() > mount.size()) mount = directory;
  }
  return mount;
}

Status MemoryEnv::CheckNew(const std::string& from, const std::string& to) const {
  SIFTSEARCH_RETURN_IF_ERROR(FindFile(Normal(from)).status());
  SIFTSEARCH_RETURN_IF_ERROR(CheckParent(Normal(to)));
  if (IsDirectory(Normal(to)) || names_.contains(Normal(to))) return Taken(to);
  return MountOf(Normal(from)) == MountOf(Normal(to)) ? Status() : OnTwo(from, to);
}

Status MemoryEnv::RenameNew(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_RETURN_IF_ERROR(CheckNew(from, to));
  names_[Normal(to)] = names_[Normal(from)];
  names_.erase(Normal(from));
  return {};
}

Status MemoryEnv::Link(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_RETURN_IF_ERROR(CheckNew(from, to));
  names_[Normal(to)] = names_[Normal(from)];
  return {};
}

Result<std::string> MemoryEnv::CopyMetadata(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_RETURN_IF_ERROR(FindFile(Normal(from)).status());
  SIFTSEARCH_RETURN_IF_ERROR(FindFile(Normal(to)).status());
  return std::string();
}

Status MemoryEnv::SyncDirectory(const std::string& directory) {
  std::lock_guard lock(mutex_);
  const std::string parent = Normal(directory);
  if (!IsDirectory(parent)) return NotFound(directory);
  std::erase_if(durable_names_, [&](const auto& entry) { return Parent(entry.first) == parent; });
  for (const auto& [name, node] : names_) {
    if (Parent(name) == parent) durable_names_[name] = node;
  }
  return {};
}

Status MemoryEnv::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto node, FindFile(Normal(path)));
  names_.erase(Normal(path));
  return {};
}

Status MemoryEnv::CreateDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  const std::string name = Normal(path);
  if (IsDirectory(name)) return {};
  SIFTSEARCH_RETURN_IF_ERROR(CheckParent(name));
  const auto [entry, made] = names_.try_emplace(name, std::make_shared<Node>());
  if (!made) return Taken(path);
  entry->second->is_directory = true;
  return {};
}

Result<std::vector<std::string>> MemoryEnv::List(const std::string& directory) {
  std::lock_guard lock(mutex_);
  const std::string parent = Normal(directory);
  if (!IsDirectory(parent)) return NotFound(directory);
  std::vector<std::string> names;
  for (const auto& [name, node] : names_) {
    if (Parent(name) == parent) names.push_back(std::filesystem::path(name).filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<bool> MemoryEnv::Exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return IsRoot(Normal(path)) || names_.contains(Normal(path));
}

Result<std::int64_t> MemoryEnv::FileSize(const std::string& path) {
  std::lock_guard lock(mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto node, FindFile(Normal(path)));
  return static_cast<std::int64_t>(node->bytes.size());
}

bool MemoryEnv::TryLock(std::weak_ptr<bool>& holder, const std::shared_ptr<bool>& token) {
  std::lock_guard lock(mutex_);
  if (!holder.expired()) return false;
  holder = token;
  return true;
}

Result<std::unique_ptr<FileLock>> MemoryEnv::Lock(const std::string& directory,
                                                  std::chrono::milliseconds wait) {
  std::weak_ptr<bool>* holder = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!IsDirectory(Normal(directory))) return NotFound(directory);
    holder = &locks_[Normal(directory)];
  }
  auto token = std::make_shared<bool>(true);
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (!TryLock(*holder, token)) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Status(StatusCode::kBusy, directory + " is being written by another process");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return std::unique_ptr<FileLock>(new HeldLock(std::move(token)));
}

Result<std::unique_ptr<FileLock>> MemoryEnv::LockFile(const std::string& path) {
  std::shared_ptr<Node> node;
  {
    std::lock_guard lock(mutex_);
    const std::string name = Normal(path);
    SIFTSEARCH_RETURN_IF_ERROR(CheckParent(name));
    if (IsDirectory(name)) return NotAFile(path);
    if (!names_[name]) names_[name] = std::make_shared<Node>();
    node = names_[name];
  }
  auto token = std::make_shared<bool>(true);
  if (!TryLock(node->holder, token)) {
    return Status(StatusCode::kBusy, path + " is being written by another process");
  }
  return std::unique_ptr<FileLock>(new HeldLock(std::move(token)));
}

void MemoryEnv::Mount(const std::string& directory) {
  std::lock_guard lock(mutex_);
  mounts_.insert(Normal(directory));
}

void MemoryEnv::Crash() {
  std::lock_guard lock(mutex_);
  // New nodes, so that files still open for writing no longer reach them.
  std::map<const Node*, std::shared_ptr<Node>> recovered;
  names_.clear();
  // In path order, a directory comes before what is in it.
  for (const auto& [name, node] : durable_names_) {
    if (!CheckParent(name).ok()) continue;
    std::shared_ptr<Node>& copy = recovered[node.get()];
    if (!copy) {
      copy = std::make_shared<Node>(
          Node{node->is_directory, node->durable_bytes, node->durable_bytes, {}});
    }
    names_[name] = copy;
  }
  durable_names_ = names_;
  for (auto& [directory, holder] : locks_) holder.reset();
}

}  // namespace siftsearch
