#include <fmt/format.h>

#include <filesystem>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/lookup.h"
#include "cli/open.h"
#include "cli/verbs.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

/// Ids of the images stored under a folder, which need not exist any more.
Result<std::vector<ImageId>> ImagesBelow(SearchBackend& backend, const std::string& folder) {
  const std::string prefix = AbsolutePath(folder) + "/";
  std::vector<ImageId> ids;
  SIFTSEARCH_RETURN_IF_ERROR(backend.List([&](const ImageRecord& image) {
    if (image.path.starts_with(prefix)) ids.push_back(image.id);
    return true;
  }));
  return ids;
}

/// Ids of the images stored from below a folder whose files are gone. Of a folder that is not there
/// (a drive that is not mounted) nothing is taken for gone.
Result<std::vector<ImageId>> MissingBelow(SearchBackend& backend, const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return Status(StatusCode::kNotFound, "is no folder that is there");
  }
  const std::string path = AbsolutePath(folder);
  const std::string prefix = path == "/" ? path : path + "/";
  std::vector<ImageId> ids;
  SIFTSEARCH_RETURN_IF_ERROR(backend.List([&](const ImageRecord& image) {
    if (!image.path.starts_with(prefix)) return true;
    const auto status = std::filesystem::symlink_status(image.path, error);
    if (status.type() == std::filesystem::file_type::not_found) ids.push_back(image.id);
    return true;
  }));
  return ids;
}

/// Ids that a name stands for; empty where it stands for none. Among folders 2024 is a folder, too.
Result<std::vector<ImageId>> IdsOf(SearchBackend& backend, const std::string& name,
                                   bool recursive) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto image, recursive ? backend.FindPath(AbsolutePath(name))
                                                          : FindImage(backend, name));
  if (image) return std::vector<ImageId>{image->id};
  if (recursive) return ImagesBelow(backend, name);
  return std::vector<ImageId>();
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
  command.Parse();
  if (names.empty()) throw UsageError("remove which image? (a path or an id)");
  const Console& console = command.console();
  const auto engine = Engine::Open(command.database(), flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  SearchBackend& backend = (*engine)->backend();
  std::vector<ImageId> ids;
  bool failed = false;
  for (const std::string& name : names) {
    const auto found = missing ? MissingBelow(backend, name) : IdsOf(backend, name, recursive);
    const bool no_folder = missing && found.status().code() == StatusCode::kNotFound;
    const bool unknown = found.ok() && found->empty() && !missing;
    failed |= no_folder || unknown;
    if (unknown) console.Error(name, "is not in the database");
    if (no_folder) console.Error(name, found.status().message());
    if (no_folder) continue;
    if (!found.ok()) return Fail(console, found.status());
    ids.insert(ids.end(), found->begin(), found->end());
  }
  const auto removed = backend.Remove(ids);
  if (!removed.ok()) return Fail(console, removed.status());
  console.Note(fmt::format("{} removed", *removed));
  return failed ? kExitSomeFailed : kExitDone;
}

}  // namespace siftsearch::cli
