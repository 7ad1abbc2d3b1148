#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/spreadsheet.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

using Visit = std::function<bool(const ImageRecord&)>;

/// Calls a Visit with images until it returns false.
using ListImages = std::function<Status(const Visit&)>;

/// Of the images of the database, or of the server's collection, that fulfil a condition.
Result<ListImages> OpenList(Command& command, const std::string& where) {
  if (!command.server().empty()) {
    auto remote = Remote::Open(command.server(), {});
    if (!remote.ok()) throw UsageError(remote.status().message());
    return ListImages([where, remote = std::shared_ptr<Remote>(std::move(*remote))](
                          const Visit& visit) { return remote->List(where, visit); });
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto engine, OpenReader(command));
  SIFTSEARCH_RETURN_IF_ERROR(WarnOfUnknownAttributes(where, engine->backend(), command.console()));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, engine->backend().Pin());
  return ListImages([snapshot, wanted = ParseWhere(where)](const Visit& visit) {
    return snapshot->List(
        [&](const ImageRecord& image) { return wanted(image) ? visit(image) : !StopAsked(); });
  });
}

}  // namespace

int RunList(Command& command) {
  std::string format = "table";
  std::string where;
  Spreadsheet spreadsheet;
  command.Options()("format", po::value(&format)->value_name("FORMAT"),
                    "table, jsonl, csv, or null: paths that end with NUL, for add -0 [table]")(
      "where", po::value(&where)->value_name("CONDITION"),
      "list only these, such as \"seller != acme and width >= 640\"");
  spreadsheet.AddTo(command);
  command.AcceptServer({"format", "where", "spreadsheet"});
  command.Parse();
  CheckOneOf("format", format, {"table", "jsonl", "csv", "null"});
  spreadsheet.Check(format);
  (void)ParseWhere(where);
  const Console& console = command.console();
  const auto list = OpenList(command, where);
  if (!list.ok()) return Fail(console, list.status());
  Output output;
  CatchStopSignals();
  if (format == "csv") output.Write(report::ImageCsvHeader());
  if (format == "table") output.Write(report::ImageTableHeader());
  const Status listed = (*list)([&](const ImageRecord& image) {
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
