#include "base/status_macros.h"
#include "cli/draw_match.h"
#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/result_writer.h"
#include "cli/verbs.h"
#include "engine/picture_file.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

struct CompareFlags {
  std::vector<std::string> images;
  std::string format = "table";
  std::string draw;
  bool fail_on_copy = false;
  bool explain = false;
  Spreadsheet spreadsheet;
  EngineFlags engine;
};

CompareFlags ParseCompareFlags(Command& command) {
  CompareFlags flags;
  command.Options()("format", po::value(&flags.format)->value_name("FORMAT"),
                    "table, json, jsonl or csv [table]")(
      "draw", po::value(&flags.draw)->value_name("FILE"),
      "draw the best match: both pictures, the shared region, the agreeing points (.png, .jpg, "
      ".svg)")("explain", po::bool_switch(&flags.explain),
               "say below the table what decided, and what pushed each score which way")(
      "fail-on-copy", po::bool_switch(&flags.fail_on_copy), "exit with 11 when it is a copy");
  flags.spreadsheet.AddTo(command);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  command.Positional(&flags.images);
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "json", "jsonl", "csv"});
  flags.spreadsheet.Check(flags.format);
  CheckExplain(flags.explain, flags.format);
  if (flags.images.size() != 2) throw UsageError("compare which two images?");
  if (!flags.draw.empty()) (void)DrawFormat(flags.draw);
  return flags;
}

Status DrawResult(const CompareFlags& flags, const QueryResult& result, const Console& console) {
  const InputLimits limits = flags.engine.Options().limits;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto file, engine::ReadPictureFile(flags.images[0], limits));
  return DrawBest(flags.draw, limits, result, file.bytes, console);
}

}  // namespace

int RunCompare(Command& command) {
  const CompareFlags flags = ParseCompareFlags(command);
  const Console& console = command.console();
  const EngineOptions asked = flags.engine.Options();
  CompareOptions options;
  options.limits = asked.limits;
  options.threads = asked.threads;
  options.kernel = asked.kernel;
  const auto result = Compare({.name = flags.images[0]}, {.name = flags.images[1]}, options);
  if (!result.ok()) {
    console.Error(result.status().message());
    return ExitCodeOfFailed(result.status().code() == StatusCode::kOutOfMemory);
  }
  Output output;
  ResultWriter writer(flags.format, flags.explain, flags.spreadsheet, output);
  writer.Write(*result);
  writer.End();
  bool failed = false;
  if (!flags.draw.empty()) {
    const Status drawn = DrawResult(flags, *result, console);
    failed = !drawn.ok();
    if (failed) console.Error("--draw: " + drawn.message());
  }
  const bool copy = !result->matches.empty() && result->matches.front().copy;
  return Finish(console, output,
                failed                       ? kExitSomeFailed
                : copy && flags.fail_on_copy ? kExitCopyFound
                                             : kExitDone);
}

}  // namespace siftsearch::cli
