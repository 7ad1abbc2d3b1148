#pragma once

#include <string>
#include <vector>

namespace siftsearch::cli {

struct OptionDescription {
  std::string name;   ///< Long, without dashes.
  char letter = 0;    ///< Short form; 0: none.
  std::string value;  ///< What it takes, "FILE"; empty: nothing.
  std::string help;
};

/// What --help says of a verb, from the same source.
struct VerbDescription {
  std::string name;
  std::string alias;
  std::string arguments;
  std::string help;
  std::vector<OptionDescription> options;
};

/// Scripts that complete verbs, options and file names. `shell` is bash, zsh or fish.
std::string CompletionScript(const std::string& shell, const std::vector<VerbDescription>& verbs);

/// siftsearch(1) in man(7) macros.
std::string ManPage(const std::string& version, const std::vector<VerbDescription>& verbs);

}  // namespace siftsearch::cli
