#include "cli/command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace siftsearch::cli {
namespace po = boost::program_options;

namespace {

std::string DefaultDatabase() {
  const char* value = std::getenv("SIFTSEARCH_DB");
  return value != nullptr && *value != '\0' ? value : "siftsearch.db";
}

constexpr unsigned kLineLength = 100;

}  // namespace

Command::Command(std::string verb, std::string arguments, std::string help,
                 std::vector<std::string> words)
    : verb_(std::move(verb)),
      arguments_(std::move(arguments)),
      help_(std::move(help)),
      words_(std::move(words)),
      database_(DefaultDatabase()),
      options_("Options", kLineLength, kLineLength / 2) {}

void Command::SetGlobals(const std::string& database, const std::string& server, bool quiet,
                         bool verbose) {
  server_ = server;
  if (!database.empty()) database_ = database;
  quiet_ = quiet;
  verbose_ = verbose;
}

void Command::AcceptServer(std::vector<std::string> options) {
  server_options_ = std::move(options);
  Options()(
      "server", po::value(&server_)->value_name("URL"),
      "collection of a server instead of a database: http://HOST:PORT/NAME, with the token of "
      "$SIFTSEARCH_TOKEN");
}

void Command::CheckServer(const po::parsed_options& parsed) const {
  if (server_.empty()) return;
  if (server_options_.empty()) throw UsageError(verb_ + " does not work with --server");
  for (const po::option& option : parsed.options) {
    if (option.position_key >= 0) continue;
    const std::string name = options_.find(option.string_key, false).long_name();
    const bool goes =
        name == "server" || name == "quiet" || name == "verbose" || name == "help" ||
        std::find(server_options_.begin(), server_options_.end(), name) != server_options_.end();
    if (!goes) throw UsageError(fmt::format("--{} does not go with --server", name));
  }
}

void Command::Parse() {
  bool quiet = false;
  bool verbose = false;
  Options()("db", po::value(&database_)->value_name("DIR"),
            "database folder [$SIFTSEARCH_DB, else ./siftsearch.db]")(
      "quiet,q", po::bool_switch(&quiet), "say nothing but errors")(
      "verbose,v", po::bool_switch(&verbose), "say more")("help,h", "say this");
  if (describe_only_) throw Described();
  po::options_description all;
  all.add(options_);
  po::positional_options_description places;
  if (positional_ != nullptr) {
    all.add_options()("words", po::value(positional_));
    places.add("words", -1);
  }
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  po::variables_map values;
  try {
    const auto parsed =
        po::command_line_parser(words_).options(all).positional(places).style(style).run();
    CheckPaths(parsed, all);
    po::store(parsed, values);
    if (values.count("help") != 0) {
      ShowHelp();
      throw HelpShown();
    }
    po::notify(values);
    CheckServer(parsed);
  } catch (const po::too_many_positional_options_error&) {
    throw UsageError(fmt::format("{} takes no arguments", verb_));
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  console_ = Console(quiet_ || quiet, verbose_ || verbose);
}

void Command::ShowHelp() const {
  std::cout << "Usage: siftsearch [--db DIR] " << verb_ << " [OPTIONS] " << arguments_ << "\n\n"
            << help_ << "\n\n"
            << options_ << std::flush;
}

void CheckPaths(const po::parsed_options& parsed, const po::options_description& known) {
  for (const po::option& option : parsed.options) {
    if (option.position_key >= 0 || option.unregistered) continue;
    const std::string name = known.find(option.string_key, false).semantic()->name();
    if (name != "DIR" && name != "FILE" && name != "TABLE") continue;
    if (option.value.size() == 1 && !option.value.front().empty()) continue;
    throw UsageError(
        fmt::format("--{} names no {}", option.string_key, name == "DIR" ? "folder" : "file"));
  }
}

void CheckOneOf(std::string_view option, const std::string& value,
                const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  throw UsageError(
      fmt::format("--{} is one of {}, not \"{}\"", option, fmt::join(allowed, ", "), value));
}

void CheckRange(std::string_view option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  throw UsageError(fmt::format("--{} is from {} to {}, not {}", option, low, high, value));
}

void CheckScore(std::string_view option, double value) {
  // Written so that NaN fails.
  if (!(value >= 0 && value <= 1)) throw UsageError(fmt::format("--{} is from 0 to 1", option));
}

}  // namespace siftsearch::cli
