#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <string>

#include "siftsearch/status.h"

namespace siftsearch::bench {

/// The main of a benchmark: reads `options` from the command line, calls `run`, and says on stderr
/// what is wrong. Exit status 0; 1 for an error of `run`; 2 for wrong options or what is thrown.
int RunProgram(const std::string& name, int argc, char** argv,
               boost::program_options::options_description options,
               const std::function<Status()>& run);

}  // namespace siftsearch::bench
