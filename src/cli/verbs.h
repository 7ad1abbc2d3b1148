#pragma once

#include <boost/program_options.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace siftsearch::cli {

/// One word of the command line: a file of its own that declares its options and does the work.
struct Verb {
  std::string_view name;
  std::string_view alias;      ///< Another name; may be empty.
  std::string_view arguments;  ///< As in the usage line: "PATH…".
  std::string_view help;       ///< One line.
  int (*run)(Command& command);
};

int RunAdd(Command& command);
int RunQuery(Command& command);
int RunCompare(Command& command);
int RunHash(Command& command);
int RunReport(Command& command);
int RunApply(Command& command);
int RunVerdict(Command& command);
int RunWatch(Command& command);
int RunList(Command& command);
int RunShow(Command& command);
int RunRemove(Command& command);
int RunStats(Command& command);
int RunCheck(Command& command);
int RunCompact(Command& command);
int RunCompletion(Command& command);
int RunMan(Command& command);
int RunExport(Command& command);
int RunIndex(Command& command);
int RunServe(Command& command);
int RunToken(Command& command);

/// The program: finds the verb and runs it. Returns the exit code (exit_code.h).
int Main(int argc, char** argv);

}  // namespace siftsearch::cli
