#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// Absolute, without ".", ".." and double slashes; links are left as they are. The key under which
/// an image is stored.
std::string AbsolutePath(std::string_view path);

/// Turns what a user names into inputs, one at a time, in the order given: files as they are,
/// folders with everything below them sorted by name, "-" the paths that a stream lists. What
/// can't be an input (a missing file, a folder without permission, a pipe, a link that leads in a
/// circle) is an input with a problem. Below a folder, hidden entries, links to folders and the
/// database itself are passed over, each with its reason. Memory holds the open folders' names
/// only. Used from one thread.
class InputWalker {
 public:
  struct Options {
    std::string database;          ///< Its folder, which is no input.
    std::istream* list = nullptr;  ///< What "-" reads.
    char list_separator = '\n';    ///< Or '\0'.
  };

  InputWalker(std::vector<std::string> arguments, Options options);

  /// The next input; none at the end.
  std::optional<AddInput> Next();

 private:
  struct OpenFolder {
    std::string path;
    std::vector<std::string> names;  ///< Descending, so that the next one is the last.
  };

  std::optional<std::string> NextArgument();
  /// An input, or none where a folder was entered.
  std::optional<AddInput> Visit(const std::string& path, bool from_folder);
  std::optional<AddInput> Enter(const std::string& path, bool from_folder);
  bool IsDatabase(const std::string& folder) const;

  const Options options_;
  std::vector<std::string> arguments_;
  std::size_t next_argument_ = 0;
  bool reading_list_ = false;
  std::vector<OpenFolder> open_;
};

/// How many inputs there will be; 0 where that can't be known beforehand (a list on a stream).
std::int64_t CountInputs(const std::vector<std::string>& arguments, const std::string& database);

}  // namespace siftsearch::cli
