#include "server/collections.h"

#include <algorithm>
#include <filesystem>

#include "base/status_macros.h"

namespace siftsearch::server {
namespace {

constexpr std::string_view kRemoved = ".removed";
constexpr const char* kOnly = "default";

/// Removes the folder of a collection, then the marker that says that it is to go. What can't be
/// removed now is removed by the next start.
void Purge(const std::string& folder, const std::string& marker) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) std::filesystem::remove(marker, error);
}

Status NoCollection(const std::string& name) {
  return {StatusCode::kNotFound, "there is no collection " + name};
}

}  // namespace

bool IsCollectionName(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 64 && is_plain(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_plain(c) || c == '_' || c == '-'; });
}

Collection::~Collection() {
  engine_.reset();  // Lets the files go.
  if (!remove_folder_.empty()) Purge(remove_folder_, remove_marker_);
}

Result<std::unique_ptr<Collections>> Collections::OverRoot(FileEnv& env, const std::string& root,
                                                           const EngineOptions& options) {
  SIFTSEARCH_RETURN_IF_ERROR(env.CreateDirectory(root));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto names, env.List(root));
  for (const std::string& name : names) {
    if (!name.ends_with(kRemoved)) continue;
    const std::string of = name.substr(0, name.size() - kRemoved.size());
    if (IsCollectionName(of)) Purge(root + "/" + of, root + "/" + name);
  }
  return std::unique_ptr<Collections>(new Collections(env, root, options));
}

Result<std::unique_ptr<Collections>> Collections::OverDatabase(const std::string& database,
                                                               const EngineOptions& options) {
  std::unique_ptr<Collections> only(new Collections(DiskEnv(), "", options));
  EngineOptions open = options;
  open.create = true;
  open.settings = std::nullopt;
  auto engine = Engine::Open(database, open);
  if (!engine.ok() && engine.status().code() == StatusCode::kNotFound) return engine.status();
  SIFTSEARCH_RETURN_IF_ERROR(engine.status());
  only->open_[kOnly] = std::make_shared<Collection>(kOnly, std::move(engine).value());
  return only;
}

Result<std::shared_ptr<Collection>> Collections::Get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(name);
  if (found != open_.end()) return found->second;
  if (root_.empty() || !IsCollectionName(name)) return NoCollection(name);
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool there, env_.Exists(FolderOf(name)));
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool removed, env_.Exists(MarkerOf(name)));
  if (!there || removed) return NoCollection(name);
  EngineOptions options = options_;
  options.settings = std::nullopt;
  SIFTSEARCH_ASSIGN_OR_RETURN(auto engine, Engine::Open(FolderOf(name), options));
  return open_[name] = std::make_shared<Collection>(name, std::move(engine));
}

Result<std::shared_ptr<Collection>> Collections::Make(
    const std::string& name, const std::optional<ExtractorSettings>& settings,
    const std::optional<std::string>& index) {
  if (root_.empty()) {
    return Status(StatusCode::kUnsupported,
                  "this server has a single database; with --root it has collections");
  }
  if (!IsCollectionName(name)) {
    return Status(StatusCode::kInvalidArgument,
                  "the name of a collection is 1 to 64 of a-z, 0-9, _ and -, the first a letter or "
                  "a digit");
  }
  const std::lock_guard lock(mutex_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool removed, env_.Exists(MarkerOf(name)));
  if (removed) {
    return Status(StatusCode::kBusy, "the collection " + name + " is still being removed");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool there, env_.Exists(FolderOf(name)));
  if (there) return Status(StatusCode::kAlreadyExists, "there is a collection " + name);
  EngineOptions options = options_;
  options.create = true;
  options.settings = settings;
  options.index = index;
  SIFTSEARCH_ASSIGN_OR_RETURN(auto engine, Engine::Open(FolderOf(name), options));
  SIFTSEARCH_RETURN_IF_ERROR(env_.SyncDirectory(root_));
  return open_[name] = std::make_shared<Collection>(name, std::move(engine));
}

Status Collections::Remove(const std::string& name) {
  if (root_.empty()) {
    return {StatusCode::kUnsupported, "the single database of this server can't be removed"};
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(std::shared_ptr<Collection> collection, Get(name));
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(name);
  if (found == open_.end() || found->second != collection) return NoCollection(name);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto marker, env_.CreateNew(MarkerOf(name), Access::kShared));
  SIFTSEARCH_RETURN_IF_ERROR(marker->Close());
  SIFTSEARCH_RETURN_IF_ERROR(env_.SyncDirectory(root_));
  collection->remove_folder_ = FolderOf(name);
  collection->remove_marker_ = MarkerOf(name);
  open_.erase(found);
  return {};
}

Result<std::vector<std::string>> Collections::Names() {
  if (root_.empty()) return std::vector<std::string>{kOnly};
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto names, env_.List(root_));
  std::vector<std::string> collections;
  for (const std::string& name : names) {
    if (!IsCollectionName(name)) continue;
    const bool removed = std::binary_search(names.begin(), names.end(), name + ".removed");
    if (!removed) collections.push_back(name);
  }
  return collections;
}

std::vector<std::shared_ptr<Collection>> Collections::Open() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Collection>> open;
  for (const auto& [name, collection] : open_) open.push_back(collection);
  return open;
}

}  // namespace siftsearch::server
