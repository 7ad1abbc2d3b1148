#pragma once

#include <string>

#include "cli/command.h"
#include "report/csv.h"

namespace siftsearch::cli {

/// --spreadsheet, of verbs with --format csv.
class Spreadsheet {
 public:
  void AddTo(Command& command) {
    command.Options()("spreadsheet", boost::program_options::bool_switch(&asked_),
                      "with csv: put ' before what a spreadsheet would take for a formula");
  }
  /// UsageError where it was asked for with another format.
  void Check(const std::string& format) const {
    if (asked_ && format != "csv") throw UsageError("--spreadsheet goes with --format csv");
  }

  /// The rows, safe for a spreadsheet where that was asked for.
  std::string operator()(std::string rows) const {
    return asked_ ? report::ForSpreadsheet(rows) : rows;
  }

 private:
  bool asked_ = false;
};

}  // namespace siftsearch::cli
