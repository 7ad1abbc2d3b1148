#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

int RunStats(Command& command) {
  std::string format = "table";
  command.Options()("format", po::value(&format)->value_name("FORMAT"), "table or json [table]");
  command.Parse();
  CheckOneOf("format", format, {"table", "json"});
  const Console& console = command.console();
  const auto engine = OpenReader(command);
  if (!engine.ok()) return Fail(console, engine.status());
  SearchBackend& backend = (*engine)->backend();
  const auto stats = StatsOf(backend);
  if (!stats.ok()) return Fail(console, stats.status());
  Output output;
  output.Write(format == "json" ? report::StatsJson(*stats, backend.settings()) + "\n"
                                : report::StatsTable(*stats, backend.settings()));
  return Finish(console, output, kExitDone);
}

}  // namespace siftsearch::cli
