#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/status_macros.h"
#include "program.h"
#include "siftsearch/engine.h"

namespace siftsearch::bench {
namespace {

/// Queries with each picture whose path comes on standard input, as a server would: from its
/// bytes. Prints the milliseconds of each.
Status Run(const std::string& database) {
  EngineOptions options;
  options.read_only = true;
  options.look_at_files = false;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto engine, Engine::Open(database, options));
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream file(path, std::ios::binary);
    QueryInput input;
    input.name = "image";
    input.bytes.emplace(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    const auto start = std::chrono::steady_clock::now();
    SIFTSEARCH_ASSIGN_OR_RETURN(const QueryResult result, engine->Query(std::move(input), {}));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    SIFTSEARCH_RETURN_IF_ERROR(result.error);
    std::cout << took.count() << std::endl;
  }
  return {};
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  namespace po = boost::program_options;
  std::string database;
  po::options_description options("query_loop");
  options.add_options()("db", po::value(&database)->required(), "database");
  return siftsearch::bench::RunProgram("query_loop", argc, argv, options,
                                       [&] { return siftsearch::bench::Run(database); });
}
