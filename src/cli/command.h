#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"

namespace siftsearch::cli {

/// Wrong use: ends the program with kExitUsage and the sentence.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thrown where `--help` was asked for, after it has been printed.
struct HelpShown {};

/// Thrown by Parse where only the verb's options are asked for.
struct Described {};

/// The command line behind the verb. A verb adds its options, calls `Parse`, and reads the values
/// that the options were bound to.
class Command {
 public:
  Command(std::string verb, std::string arguments, std::string help,
          std::vector<std::string> words);

  boost::program_options::options_description_easy_init Options() { return options_.add_options(); }
  /// Words that are no options go to `words`; without `wanted`, none are allowed.
  void Positional(std::vector<std::string>* words) { positional_ = words; }

  /// The verb also works against a server (--server), with these of its options.
  void AcceptServer(std::vector<std::string> options);

  /// Throws UsageError or HelpShown.
  void Parse();

  const std::string& verb() const { return verb_; }
  const std::string& database() const { return database_; }
  /// Address of the server's collection to work with instead of a database; empty: none.
  const std::string& server() const { return server_; }
  const Console& console() const { return console_; }

  /// From now on Parse throws Described instead of reading the words.
  void DescribeOnly() { describe_only_ = true; }
  const boost::program_options::options_description& options() const { return options_; }

  /// Options before the verb.
  void SetGlobals(const std::string& database, const std::string& server, bool quiet, bool verbose);

 private:
  void ShowHelp() const;
  /// UsageError for an option that does not go with --server.
  void CheckServer(const boost::program_options::parsed_options& parsed) const;

  std::string verb_;
  std::string arguments_;
  std::string help_;
  std::vector<std::string> words_;
  std::vector<std::string>* positional_ = nullptr;
  std::string database_;
  std::string server_;
  std::vector<std::string> server_options_;  ///< Empty: the verb needs a database.
  bool quiet_ = false;
  bool verbose_ = false;
  bool describe_only_ = false;
  boost::program_options::options_description options_;
  Console console_;
};

/// UsageError where the value of an option that takes a path is empty.
void CheckPaths(const boost::program_options::parsed_options& parsed,
                const boost::program_options::options_description& known);

/// One of `allowed`, or a UsageError that lists them.
void CheckOneOf(std::string_view option, const std::string& value,
                const std::vector<std::string>& allowed);

/// UsageError unless low <= value <= high.
void CheckRange(std::string_view option, std::int64_t value, std::int64_t low, std::int64_t high);
/// The same of a score, from 0 to 1.
void CheckScore(std::string_view option, double value);

}  // namespace siftsearch::cli
