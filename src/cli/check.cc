#include <fmt/format.h>

#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "report/json.h"
#include "report/text.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

int RunCheck(Command& command) {
  std::string format = "table";
  EngineFlags flags;
  command.Options()("format", po::value(&format)->value_name("FORMAT"), "table or json [table]");
  flags.AddLockWait(command);
  command.Parse();
  CheckOneOf("format", format, {"table", "json"});
  const Console& console = command.console();
  const auto engine = Engine::Open(command.database(), flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  const auto problems = (*engine)->backend().Check(RowsBar(!console.quiet()));
  if (!problems.ok()) return Fail(console, problems.status());
  Output output;
  if (format == "json") {
    output.Write(report::CheckJson(*problems) + "\n");
  } else {
    for (const CheckProblem& problem : *problems) {
      output.Write(fmt::format("{}: {}\n", report::Printable(problem.file),
                               report::Printable(problem.problem)));
    }
  }
  console.Note(problems->empty() ? "sound" : fmt::format("{} problems", problems->size()));
  return Finish(console, output, problems->empty() ? kExitDone : kExitDatabase);
}

}  // namespace siftsearch::cli
