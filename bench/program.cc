#include "program.h"

#include <exception>
#include <iostream>

namespace siftsearch::bench {

namespace po = boost::program_options;

int RunProgram(const std::string& name, int argc, char** argv, po::options_description options,
               const std::function<Status()>& run) try {
  options.add_options()("help", "print this");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, options), values);
  if (values.contains("help")) {
    std::cout << "Usage: " << name << " OPTIONS\n" << options;
    return 0;
  }
  po::notify(values);
  const Status status = run();
  if (!status.ok()) std::cerr << name << ": " << status.message() << '\n';
  return status.ok() ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << name << ": " << error.what() << '\n';
  return 2;
}

}  // namespace siftsearch::bench
