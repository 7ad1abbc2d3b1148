#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/file_env.h"
#include "siftsearch/engine.h"

namespace siftsearch::server {

/// A database by its name. Where its removal was asked for, the last to let it go removes its
/// files.
class Collection {
 public:
  Collection(std::string name, std::unique_ptr<Engine> engine)
      : name_(std::move(name)), engine_(std::move(engine)) {}
  ~Collection();
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;

  const std::string& name() const { return name_; }
  Engine& engine() { return *engine_; }
  Result<std::shared_ptr<const BackendSnapshot>> Pin() { return engine_->backend().Pin(); }

 private:
  friend class Collections;
  const std::string name_;
  std::unique_ptr<Engine> engine_;
  std::string remove_folder_;  ///< Set once nobody new can get it: what to remove at the end …
  std::string remove_marker_;  ///< … and the file that says so.
};

/// The collections of a server: the folders of a root folder that have names of collections, each a
/// database, or a single database. Safe from several threads.
///
/// A collection that is removed goes at once from all answers, and its files once nobody uses it. A
/// marker ROOT/NAME.removed, made first, says so after a crash, too: the next start removes the
/// rest.
class Collections {
 public:
  /// Finishes removals that were cut short.
  static Result<std::unique_ptr<Collections>> OverRoot(FileEnv& env, const std::string& root,
                                                       const EngineOptions& options);
  /// One database, under the name "default"; it is made where there is none.
  static Result<std::unique_ptr<Collections>> OverDatabase(const std::string& database,
                                                           const EngineOptions& options);

  /// Opens it where that was not done yet. kNotFound, with the name, where there is none.
  Result<std::shared_ptr<Collection>> Get(const std::string& name);
  /// kAlreadyExists where the name is taken, kInvalidArgument where it is none, kUnsupported over a
  /// single database.
  Result<std::shared_ptr<Collection>> Make(const std::string& name,
                                           const std::optional<ExtractorSettings>& settings,
                                           const std::optional<std::string>& index);
  Status Remove(const std::string& name);
  /// By name.
  Result<std::vector<std::string>> Names();
  /// Whether collections can be made and removed.
  bool has_root() const { return !root_.empty(); }
  /// Those that were opened.
  std::vector<std::shared_ptr<Collection>> Open();

 private:
  Collections(FileEnv& env, std::string root, EngineOptions options)
      : env_(env), root_(std::move(root)), options_(std::move(options)) {}

  std::string FolderOf(const std::string& name) const { return root_ + "/" + name; }
  std::string MarkerOf(const std::string& name) const { return FolderOf(name) + ".removed"; }

  FileEnv& env_;
  const std::string root_;  ///< Empty over a single database.
  const EngineOptions options_;
  std::mutex mutex_;  ///< Guards what follows.
  std::map<std::string, std::shared_ptr<Collection>> open_;
};

/// True for 1 to 64 of a–z, 0–9, "_" and "-", the first a letter or a digit.
bool IsCollectionName(std::string_view name);

}  // namespace siftsearch::server
