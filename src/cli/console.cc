#include "cli/console.h"

#include <cstdio>
#include <string>

#include "report/text.h"

namespace siftsearch::cli {
namespace {

/// One write a line, so that lines of several processes do not mix.
void Say(std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string About(std::string_view path, std::string_view message) {
  return report::Printable(path) + ": " + report::Printable(message);
}

}  // namespace

void Console::Error(std::string_view message) const {
  Say("siftsearch: " + report::Printable(message));
}

void Console::Error(std::string_view path, std::string_view message) const {
  Say("siftsearch: " + About(path, message));
}

void Console::Note(std::string_view message) const {
  if (!quiet_) Say(std::string(message));
}

void Console::Detail(std::string_view message) const {
  if (verbose_) Say(std::string(message));
}

void Console::Detail(std::string_view path, std::string_view message) const {
  if (verbose_) Say(About(path, message));
}

}  // namespace siftsearch::cli
