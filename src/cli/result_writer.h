#pragma once

#include <string>
#include <utility>

#include "cli/output.h"
#include "cli/spreadsheet.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {

/// Writes results in the format asked for.
class ResultWriter {
 public:
  ResultWriter(std::string format, const Spreadsheet& spreadsheet, Output& output)
      : format_(std::move(format)), spreadsheet_(spreadsheet), output_(output) {
    if (format_ == "csv") output_.Write(report::QueryCsvHeader());
    if (format_ == "json") output_.Write("[");
  }

  void Write(const QueryResult& result) {
    if (format_ == "csv") output_.Write(spreadsheet_(report::QueryCsv(result)));
    if (format_ == "jsonl") output_.Write(report::QueryJson(result) + "\n");
    if (format_ == "json") output_.Write((first_ ? "\n" : ",\n") + report::QueryJson(result));
    // An error is told on standard error.
    if (format_ == "table" && result.error.ok()) output_.Write(report::QueryTable(result));
    first_ = false;
    output_.Flush();
  }

  void End() {
    if (format_ == "json") output_.Write(first_ ? "]\n" : "\n]\n");
  }

 private:
  const std::string format_;
  const Spreadsheet spreadsheet_;
  Output& output_;
  bool first_ = true;
};

}  // namespace siftsearch::cli
