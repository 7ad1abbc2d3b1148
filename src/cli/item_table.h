#pragma once

#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/fetch.h"
#include "report/read_csv.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// Inputs from a table: a file with a header (.csv) or an object a line (.jsonl). The column `path`
/// or `url` names the picture (a path is relative to the table's folder), the others are its
/// attributes. A wrong row is an input with a problem. Used from one thread.
class ItemTable {
 public:
  static Result<std::unique_ptr<ItemTable>> Open(const std::string& file,
                                                 const FetchLimits& limits);

  /// The next input; none at the end.
  std::optional<AddInput> Next();

 private:
  using Row = std::map<std::string, std::string>;

  ItemTable(std::string file, const FetchLimits& limits)
      : file_(std::move(file)), limits_(limits) {}
  /// None at the end; a Status for a row that can't be read.
  Result<std::optional<Row>> NextRow();
  AddInput InputOf(Row row);
  AddInput Problem(const Status& status) const;

  const std::string file_;
  const FetchLimits limits_;
  std::ifstream stream_;
  std::optional<report::CsvReader> csv_;  ///< None: an object a line.
  std::int64_t line_ = 0;
  bool ended_ = false;
};

}  // namespace siftsearch::cli
