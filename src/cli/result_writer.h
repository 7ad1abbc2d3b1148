#pragma once

#include <string>
#include <utility>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/spreadsheet.h"
#include "report/because.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// UsageError where a format has no place for explanations.
inline void CheckExplain(bool explain, const std::string& format) {
  if (explain && format == "csv") throw UsageError("--explain goes with table, json or jsonl");
}

/// Writes results in the format asked for; with `explain` also what pushed each score.
class ResultWriter {
 public:
  ResultWriter(std::string format, bool explain, const Spreadsheet& spreadsheet, Output& output)
      : format_(std::move(format)), spreadsheet_(spreadsheet), output_(output) {
    if (explain) pushes_of_ = Explain;
    if (format_ == "csv") output_.Write(report::QueryCsvHeader());
    if (format_ == "json") output_.Write("[");
  }

  void Write(const QueryResult& result) {
    if (format_ == "csv") output_.Write(spreadsheet_(report::QueryCsv(result)));
    if (format_ == "jsonl") output_.Write(report::QueryJson(result, pushes_of_) + "\n");
    if (format_ == "json")
      output_.Write((first_ ? "\n" : ",\n") + report::QueryJson(result, pushes_of_));
    // An error is told on standard error.
    if (format_ == "table" && result.error.ok()) {
      output_.Write(report::QueryTable(result));
      if (pushes_of_) output_.Write(report::ExplanationTable(result, pushes_of_));
    }
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
  report::PushesOf pushes_of_;  ///< Set to explain.
  bool first_ = true;
};

}  // namespace siftsearch::cli
