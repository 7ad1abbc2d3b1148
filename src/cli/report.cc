#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

using Clock = std::chrono::steady_clock;

struct ReportFlags {
  std::vector<std::string> paths;
  std::string format;
  std::string file;
  bool null_separated = false;
  bool fail_on_copy = false;
  ReportOptions report;
  EngineFlags engine;
};

std::string FormatOf(const std::string& file) {
  if (file.ends_with(".jsonl")) return "jsonl";
  if (file.ends_with(".txt")) return "table";
  return "csv";
}

ReportFlags ParseFlags(Command& command) {
  ReportFlags flags;
  command.Options()("format", po::value(&flags.format)->value_name("FORMAT"),
                    "csv, jsonl or table [by the ending of -o, else csv]")(
      "output,o", po::value(&flags.file)->value_name("FILE"), "write to FILE [stdout]")(
      "min-score", po::value(&flags.report.min_score)->value_name("S"),
      "list pairs of at least this score, 0 to 1 [0.5]")(
      "fail-on-copy", po::bool_switch(&flags.fail_on_copy), "exit with 11 when there is a copy")(
      "null,0", po::bool_switch(&flags.null_separated),
      "with -: the paths on stdin end with NUL, not with a line break");
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddMemory(command);
  flags.engine.AddSearch(command);
  flags.engine.AddEffort(command);
  command.Positional(&flags.paths);
  command.Parse();
  flags.engine.effort().ApplyTo(flags.report);
  flags.report.batch_bytes = flags.engine.batch_bytes();
  if (flags.format.empty()) flags.format = FormatOf(flags.file);
  CheckOneOf("format", flags.format, {"csv", "jsonl", "table"});
  // At score 0 every candidate would be a pair.
  if (!(flags.report.min_score > 0 && flags.report.min_score <= 1)) {
    throw UsageError("--min-score of a report is above 0, up to 1");
  }
  return flags;
}

void WritePairs(const Report& report, const std::string& format, Output& output) {
  if (format == "csv") output.Write(report::PairCsvHeader());
  if (format == "table") output.Write(report::PairTableHeader());
  for (const ReportPair& pair : report.pairs) {
    if (format == "csv") output.Write(report::PairCsv(pair));
    if (format == "jsonl") output.Write(report::PairJson(pair) + "\n");
    if (format == "table") output.Write(report::PairTable(pair));
  }
}

Result<Report> MakeReport(Engine& engine, const ReportFlags& flags, const Command& command) {
  const Console& console = command.console();
  ReportOptions options = flags.report;
  options.stop = StopAsked;
  const bool bar = !console.quiet() && Progress::Possible();
  const std::int64_t files =
      bar && !flags.paths.empty() ? CountInputs(flags.paths, command.database()) : 0;
  std::unique_ptr<Progress> progress;
  options.progress = [&](std::int64_t done, std::int64_t total, std::int64_t pairs) {
    if (!progress) progress = std::make_unique<Progress>(bar, total > 0 ? total : files);
    progress->Show(done, fmt::format("{} pairs", pairs));
  };
  if (flags.paths.empty()) return engine.ReportAll(options);
  InputWalker walker(flags.paths, {.database = command.database(),
                                   .list = &std::cin,
                                   .list_separator = flags.null_separated ? '\0' : '\n'});
  return engine.ReportFiles([&] { return walker.Next(); }, options,
                            [&](const AddOutcome& outcome) {
                              if (progress) progress->Clear();
                              if (outcome.action == AddAction::kFailed) {
                                console.Error(outcome.path, outcome.reason);
                              } else {
                                console.Detail(outcome.path, outcome.reason);
                              }
                            });
}

}  // namespace

int RunReport(Command& command) {
  const ReportFlags flags = ParseFlags(command);
  const Console& console = command.console();
  CatchStopSignals();
  const auto engine = OpenSearcher(command, flags.engine);
  if (!engine.ok()) return Fail(console, engine.status());
  // Before the work, so that a wrong -o costs no time.
  auto output = Output::Open(flags.file);
  if (!output.ok()) return Fail(console, output.status());
  const auto start = Clock::now();
  const auto report = MakeReport(**engine, flags, command);
  if (!report.ok()) return Fail(console, report.status());
  WritePairs(*report, flags.format, *output);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  console.Note(
      fmt::format("{} images compared, {} pairs in {} groups of copies, {} failed ({:.1f} s){}",
                  report->images, report->pairs.size(), report->groups, report->failed, seconds,
                  report->stopped ? "; stopped on request, incomplete" : ""));
  return Finish(console, *output,
                report->stopped                            ? kExitInterrupted
                : report->failed > 0                       ? kExitSomeFailed
                : flags.fail_on_copy && report->groups > 0 ? kExitCopyFound
                                                           : kExitDone);
}

}  // namespace siftsearch::cli
