#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/status_macros.h"
#include "local/local_backend.h"

namespace siftsearch::local {
namespace {

constexpr char kCatalogName[] = "catalog.sqlite";

enum class FolderState {
  kMissing,
  kEmpty,  ///< Or what a crash left of making a database.
  kDatabase,
};

Status NoDatabase(const std::string& folder) {
  return {StatusCode::kNotFound,
          fmt::format("there is no database at {} (make one with: siftsearch add)", folder)};
}

/// kInvalidArgument where `folder` is something else than a database or room for one.
Result<FolderState> Inspect(FileEnv& env, const std::string& folder) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool exists, env.Exists(folder));
  if (!exists) return FolderState::kMissing;
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error) && !error) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{} is not a siftsearch database: it is not a folder", folder));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<std::string> names, env.List(folder));
  if (std::find(names.begin(), names.end(), kCatalogName) != names.end()) {
    return FolderState::kDatabase;
  }
  const bool room = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "segments" || name.starts_with(std::string(kCatalogName) + "-");
  });
  if (room) return FolderState::kEmpty;
  return Status(StatusCode::kInvalidArgument,
                fmt::format("{} is not a siftsearch database", folder));
}

/// kCorrupt where there are segments: without their catalogue they would be taken for what a crash
/// left, and go.
Status CheckNoSegments(FileEnv& env, const std::string& folder) {
  const std::string segments = folder + "/segments";
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool exists, env.Exists(segments));
  if (!exists) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<std::string> names, env.List(segments));
  const bool any = std::any_of(names.begin(), names.end(),
                               [](const std::string& name) { return name.ends_with(".seg"); });
  if (!any) return {};
  return {StatusCode::kCorrupt,
          fmt::format("the database {} has lost its catalogue: {} is missing or empty and segments "
                      "are there. Bring it back from a backup, or take the folder away and add the "
                      "pictures anew",
                      folder, kCatalogName)};
}

Status MakeFolder(FileEnv& env, const std::string& folder) {
  SIFTSEARCH_RETURN_IF_ERROR(env.CreateDirectory(folder));
  const std::filesystem::path parent = std::filesystem::path(folder + "/").parent_path();
  const std::string above = parent.has_parent_path() ? parent.parent_path().string() : ".";
  return env.SyncDirectory(above.empty() ? "." : above);
}

template <typename T>
void Compare(std::string_view name, const T& stored, const T& asked, std::string* differences) {
  if (stored == asked) return;
  *differences += fmt::format("{}{} is {} there and {} here", differences->empty() ? "" : ", ",
                              name, stored, asked);
}

Status CheckSettings(const std::string& folder, const ExtractorSettings& stored,
                     const ExtractorSettings& asked) {
  std::string differences;
  Compare("extractor", stored.extractor, asked.extractor, &differences);
  Compare("max_features", stored.max_features, asked.max_features, &differences);
  Compare("max_side", stored.max_side, asked.max_side, &differences);
  Compare("contrast_threshold", stored.contrast_threshold, asked.contrast_threshold, &differences);
  if (differences.empty()) return {};
  return {StatusCode::kIncompatible,
          fmt::format("the database {} was made with other settings: {}", folder, differences)};
}

/// Opens the catalogue; makes or migrates it, under the folder's lock, where that is needed and
/// allowed.
Result<std::unique_ptr<catalog::Catalog>> OpenCatalog(FileEnv& env, const std::string& folder,
                                                      FolderState state,
                                                      const OpenOptions& options) {
  const std::string file = folder + "/" + kCatalogName;
  auto access = catalog::Access::kCreate;
  if (state == FolderState::kDatabase) {
    auto opened = catalog::Catalog::Open(file, catalog::Access::kRead);
    if (opened.ok()) return opened;
    const StatusCode code = opened.status().code();
    const bool to_create = code == StatusCode::kNotFound && options.create;
    const bool to_migrate = code == StatusCode::kIncompatible && !options.read_only;
    if (code == StatusCode::kNotFound) {
      SIFTSEARCH_RETURN_IF_ERROR(CheckNoSegments(env, folder));
      if (!to_create) return NoDatabase(folder);
    }
    if (!to_create && !to_migrate) return opened;
    if (to_migrate) access = catalog::Access::kWrite;
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(auto lock, env.Lock(folder, options.lock_wait));
  const std::string_view index = options.index ? *options.index : catalog::kDefaultIndexKey;
  return catalog::Catalog::Open(file, access, options.settings.value_or(ExtractorSettings{}),
                                index);
}

Status CheckIndex(const std::string& folder, const std::string& stored, const std::string& asked) {
  if (stored == asked) return {};
  return {
      StatusCode::kIncompatible,
      fmt::format("the index of the database {} is {}, not {}; `siftsearch index {}` changes it",
                  folder, stored, asked, asked)};
}

}  // namespace

Result<std::unique_ptr<LocalBackend>> LocalBackend::Open(FileEnv& env, const std::string& folder,
                                                         const OpenOptions& options) {
  if (options.index) {
    SIFTSEARCH_RETURN_IF_ERROR(index::FactoryKey::Parse(*options.index).status());
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const FolderState state, Inspect(env, folder));
  if (state == FolderState::kEmpty) SIFTSEARCH_RETURN_IF_ERROR(CheckNoSegments(env, folder));
  if (state != FolderState::kDatabase && !options.create) return NoDatabase(folder);
  if (state == FolderState::kMissing) SIFTSEARCH_RETURN_IF_ERROR(MakeFolder(env, folder));
  SIFTSEARCH_ASSIGN_OR_RETURN(std::unique_ptr<catalog::Catalog> catalog,
                              OpenCatalog(env, folder, state, options));
  if (options.settings) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckSettings(folder, catalog->settings(), *options.settings));
  }
  if (options.index) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::string stored, catalog->IndexKey());
    SIFTSEARCH_RETURN_IF_ERROR(CheckIndex(folder, stored, *options.index));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const kernel::Variant variant, kernel::VariantOrBest(options.kernel));
  return std::unique_ptr<LocalBackend>(
      new LocalBackend(env, folder, options, std::move(catalog), variant));
}

}  // namespace siftsearch::local
