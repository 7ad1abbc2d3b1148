#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/spreadsheet.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

int RunList(Command& command) {
  std::string format = "table";
  std::string where;
  Spreadsheet spreadsheet;
  command.Options()("format", po::value(&format)->value_name("FORMAT"),
                    "table, jsonl, csv, or null: paths that end with NUL, for add -0 [table]")(
      "where", po::value(&where)->value_name("CONDITION"),
      "list only these, such as \"seller != acme and width >= 640\"");
  spreadsheet.AddTo(command);
  command.Parse();
  CheckOneOf("format", format, {"table", "jsonl", "csv", "null"});
  spreadsheet.Check(format);
  const auto wanted = ParseWhere(where);
  const Console& console = command.console();
  const auto engine = OpenReader(command);
  if (!engine.ok()) return Fail(console, engine.status());
  const Status warned = WarnOfUnknownAttributes(where, (*engine)->backend(), console);
  if (!warned.ok()) return Fail(console, warned);
  const auto snapshot = (*engine)->backend().Pin();
  if (!snapshot.ok()) return Fail(console, snapshot.status());
  Output output;
  CatchStopSignals();
  if (format == "csv") output.Write(report::ImageCsvHeader());
  if (format == "table") output.Write(report::ImageTableHeader());
  const Status listed = snapshot.value()->List([&](const ImageRecord& image) {
    if (!wanted(image)) return !StopAsked();
    if (format == "csv") output.Write(spreadsheet(report::ImageCsv(image)));
    if (format == "jsonl") output.Write(report::ImageJson(image) + "\n");
    if (format == "null") output.Write(image.path + '\0');
    if (format == "table") output.Write(report::ImageTable(image));
    return !StopAsked();
  });
  const int code = Finish(console, output, StopAsked() ? kExitInterrupted : kExitDone);
  return listed.ok() ? code : Fail(console, listed);
}

}  // namespace siftsearch::cli
