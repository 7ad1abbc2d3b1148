#include "cli/input_walker.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "cli/fetch.h"

namespace siftsearch::cli {
namespace fs = std::filesystem;
namespace {

AddInput Problem(const std::string& path, StatusCode code, std::string reason, bool from_folder) {
  AddInput input;
  input.path = path;
  input.problem = Status(code, std::move(reason));
  input.from_folder = from_folder;
  return input;
}

AddInput PassedOver(const std::string& path, std::string reason) {
  AddInput input = Problem(path, StatusCode::kUnsupported, std::move(reason), true);
  input.ignored = true;
  return input;
}

AddInput File(const std::string& path, bool from_folder) {
  AddInput input;
  input.path = path;
  input.from_folder = from_folder;
  return input;
}

bool IsLink(const std::string& path) {
  std::error_code error;
  return fs::is_symlink(fs::symlink_status(path, error));
}

}  // namespace

std::string AbsolutePath(std::string_view path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(fs::path(path), error);
  if (error) return std::string(path);  // The current folder is gone; opening will say so.
  std::string normal = absolute.lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

InputWalker::InputWalker(std::vector<std::string> arguments, Options options)
    : options_(std::move(options)), arguments_(std::move(arguments)) {}

std::optional<AddInput> InputWalker::Next() {
  for (;;) {
    if (!open_.empty()) {
      OpenFolder& folder = open_.back();
      if (folder.names.empty()) {
        open_.pop_back();
        continue;
      }
      const std::string name = std::move(folder.names.back());
      folder.names.pop_back();
      const std::string path = (folder.path == "/" ? "" : folder.path) + "/" + name;
      if (name.front() == '.') return PassedOver(path, "is hidden");
      if (auto input = Visit(path, true)) return input;
      continue;
    }
    const auto argument = NextArgument();
    if (!argument) return std::nullopt;
    if (argument->empty()) {
      return Problem("", StatusCode::kInvalidArgument, "is an empty path", false);
    }
    if (IsUrl(*argument)) {
      return Problem(*argument, StatusCode::kUnsupported,
                     "is a web address: `add --from` takes a table with a column url", false);
    }
    if (auto input = Visit(AbsolutePath(*argument), false)) return input;
  }
}

std::optional<std::string> InputWalker::NextArgument() {
  for (;;) {
    if (reading_list_) {
      std::string line;
      if (std::getline(*options_.list, line, options_.list_separator)) {
        if (!line.empty()) return line;
        continue;
      }
      reading_list_ = false;
    }
    if (next_argument_ == arguments_.size()) return std::nullopt;
    const std::string& argument = arguments_[next_argument_++];
    if (argument != "-" || options_.list == nullptr) return argument;
    reading_list_ = true;
  }
}

std::optional<AddInput> InputWalker::Visit(const std::string& path, bool from_folder) {
  // What stat can't tell, reading the file will.
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT && IsLink(path)) {
      return Problem(path, StatusCode::kNotFound, "is a link to a file that does not exist",
                     from_folder);
    }
    return File(path, from_folder);
  }
  if (!S_ISDIR(info.st_mode)) return File(path, from_folder);
  if (from_folder && IsLink(path)) {
    return PassedOver(path, "is a link to a folder (name it to have it followed)");
  }
  return Enter(path, from_folder);
}

std::optional<AddInput> InputWalker::Enter(const std::string& path, bool from_folder) {
  if (IsDatabase(path)) {
    return from_folder
               ? PassedOver(path, "is the database")
               : Problem(path, StatusCode::kInvalidArgument, "is the database itself", false);
  }
  OpenFolder folder{path, {}};
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    folder.names.push_back(entry->path().filename().string());
  }
  if (error) {
    return error == std::errc::permission_denied
               ? Problem(path, StatusCode::kPermissionDenied, "no permission to read this folder",
                         from_folder)
               : Problem(path, StatusCode::kIoError,
                         "this folder can't be read: " + error.message(), from_folder);
  }
  std::sort(folder.names.begin(), folder.names.end(), std::greater<>());
  open_.push_back(std::move(folder));
  return std::nullopt;
}

bool InputWalker::IsDatabase(const std::string& folder) const {
  std::error_code error;
  return fs::equivalent(folder, options_.database, error);
}

std::int64_t CountInputs(const std::vector<std::string>& arguments, const std::string& database) {
  if (std::find(arguments.begin(), arguments.end(), "-") != arguments.end()) return 0;
  InputWalker walker(arguments, {.database = database});
  std::int64_t count = 0;
  while (walker.Next()) ++count;
  return count;
}

}  // namespace siftsearch::cli
