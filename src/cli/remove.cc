#include <fmt/format.h>

#include <filesystem>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/lookup.h"
#include "cli/open.h"
#include "cli/remote.h"
#include "cli/verbs.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

/// What to remove of what is stored from below a folder.
enum class Below { kNothing, kAll, kMissing };

bool IsGone(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  return status.type() == std::filesystem::file_type::not_found;
}

/// Ids of the images stored from below a folder, which need not exist any more; all of them, or
/// those whose files are gone.
Result<std::vector<ImageId>> ImagesBelow(const BackendSnapshot& snapshot, const std::string& folder,
                                         Below below) {
  const std::string path = AbsolutePath(folder);
  const std::string prefix = path == "/" ? path : path + "/";
  std::vector<ImageId> ids;
  SIFTSEARCH_RETURN_IF_ERROR(snapshot.List([&](const ImageRecord& image) {
    const bool inside = image.path.starts_with(prefix);
    if (inside && (below == Below::kAll || IsGone(image.path))) ids.push_back(image.id);
    return true;
  }));
  return ids;
}

/// Ids that a name stands for; kNotFound where it stands for none. Among folders 2024 is a folder,
/// too. Below a folder that is not there (a drive that is not mounted) nothing is missing.
Result<std::vector<ImageId>> IdsOf(const BackendSnapshot& snapshot, const std::string& name,
                                   Below below) {
  std::error_code error;
  if (below == Below::kMissing) {
    if (std::filesystem::is_directory(name, error)) return ImagesBelow(snapshot, name, below);
    return Status(StatusCode::kNotFound, "is no folder that is there");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto image, below == Below::kAll
                                                    ? snapshot.FindPath(AbsolutePath(name))
                                                    : FindImage(snapshot, name));
  std::vector<ImageId> ids;
  if (image) {
    ids.push_back(image->id);
  } else if (below == Below::kAll) {
    SIFTSEARCH_ASSIGN_OR_RETURN(ids, ImagesBelow(snapshot, name, below));
  }
  if (ids.empty()) return Status(StatusCode::kNotFound, "is not in the database");
  return ids;
}

int RemoveFromServer(const Command& command, const std::vector<std::string>& names) {
  const Console& console = command.console();
  const auto remote = Remote::Open(command.server(), {});
  if (!remote.ok()) throw UsageError(remote.status().message());
  std::size_t removed = 0;
  for (const std::string& name : names) {
    const Status status = (*remote)->Remove(name);
    removed += status.ok();
    if (status.code() == StatusCode::kNotFound) {
      console.Error(name, status.message());
    } else if (!status.ok()) {
      return Fail(console, status);
    }
  }
  console.Note(fmt::format("{} removed", removed));
  return removed < names.size() ? kExitSomeFailed : kExitDone;
}

}  // namespace

int RunRemove(Command& command) {
  std::vector<std::string> names;
  bool recursive = false;
  bool missing = false;
  EngineFlags flags;
  command.Options()("recursive", po::bool_switch(&recursive),
                    "a folder stands for all images stored from below it; a number is no id then")(
      "missing", po::bool_switch(&missing),
      "of the images stored from below the folders given, those whose files are gone");
  flags.AddLockWait(command);
  command.Positional(&names);
  command.AcceptServer({"quiet"});
  command.Parse();
  if (names.empty()) throw UsageError("remove which image? (a path or an id)");
  const Below below = missing ? Below::kMissing : recursive ? Below::kAll : Below::kNothing;
  const Console& console = command.console();
  if (!command.server().empty()) return RemoveFromServer(command, names);
  const auto engine = Engine::Open(command.database(), flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  SearchBackend& backend = (*engine)->backend();
  const auto snapshot = backend.Pin();
  if (!snapshot.ok()) return Fail(console, snapshot.status());
  std::vector<ImageId> ids;
  bool failed = false;
  for (const std::string& name : names) {
    const auto found = IdsOf(**snapshot, name, below);
    if (found.status().code() == StatusCode::kNotFound) {
      console.Error(name, found.status().message());
      failed = true;
      continue;
    }
    if (!found.ok()) return Fail(console, found.status());
    ids.insert(ids.end(), found->begin(), found->end());
  }
  const auto removed = backend.Remove(ids);
  if (!removed.ok()) return Fail(console, removed.status());
  console.Note(fmt::format("{} removed", *removed));
  return failed ? kExitSomeFailed : kExitDone;
}

}  // namespace siftsearch::cli
