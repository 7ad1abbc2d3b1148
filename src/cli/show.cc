#include "cli/exit_code.h"
#include "cli/lookup.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

int RunShow(Command& command) {
  std::string format = "table";
  std::vector<std::string> names;
  command.Options()("format", po::value(&format)->value_name("FORMAT"), "table or jsonl [table]");
  command.Positional(&names);
  command.Parse();
  CheckOneOf("format", format, {"table", "jsonl"});
  if (names.empty()) throw UsageError("show which image? (a path or an id)");
  const Console& console = command.console();
  const auto engine = OpenReader(command);
  if (!engine.ok()) return Fail(console, engine.status());
  const auto snapshot = (*engine)->backend().Pin();
  if (!snapshot.ok()) return Fail(console, snapshot.status());
  Output output;
  bool failed = false;
  for (const std::string& name : names) {
    const auto image = FindImage(**snapshot, name);
    if (!image.ok()) return Fail(console, image.status());
    if (!*image) {
      console.Error(name, "is not in the database");
      failed = true;
      continue;
    }
    output.Write(format == "jsonl" ? report::ImageJson(**image) + "\n"
                                   : report::ImageDetails(**image));
  }
  return Finish(console, output, failed ? kExitSomeFailed : kExitDone);
}

}  // namespace siftsearch::cli
