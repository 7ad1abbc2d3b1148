#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <set>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/html_report.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/spreadsheet.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "engine/report_journal.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/read_json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

using Clock = std::chrono::steady_clock;

struct ReportFlags {
  std::vector<std::string> paths;
  std::string format;
  std::string file;
  std::string from;
  std::string where;
  bool null_separated = false;
  bool fail_on_copy = false;
  ReportOptions report;
  Spreadsheet spreadsheet;
  EngineFlags engine;
};

std::string FormatOf(const std::string& file) {
  if (file.ends_with(".jsonl")) return "jsonl";
  if (file.ends_with(".txt")) return "table";
  if (file.ends_with(".html") || file.ends_with(".htm")) return "html";
  return "csv";
}

void CheckFlags(const ReportFlags& flags) {
  CheckOneOf("format", flags.format, {"csv", "jsonl", "html", "table"});
  flags.spreadsheet.Check(flags.format);
  const bool to_file = !flags.file.empty() && flags.file != "-";
  if (flags.format == "html" && !to_file) throw UsageError("a report as html needs -o FILE");
  if (flags.report.resume && !to_file) throw UsageError("--resume needs the -o FILE of before");
  if (!flags.from.empty() && (!flags.paths.empty() || flags.report.resume)) {
    throw UsageError("--from takes neither images nor --resume: nothing is searched");
  }
  if (!flags.from.empty() && (!flags.where.empty() || flags.report.skip_same_folder)) {
    throw UsageError("--where and --skip-same-folder go with a search, not with --from");
  }
  // At score 0 every candidate would be a pair.
  if (!(flags.report.min_score > 0 && flags.report.min_score <= 1)) {
    throw UsageError("--min-score of a report is above 0, up to 1");
  }
}

ReportFlags ParseReportFlags(Command& command) {
  ReportFlags flags;
  command.Options()("format", po::value(&flags.format)->value_name("FORMAT"),
                    "csv, jsonl, html or table [by the ending of -o, else csv]")(
      "output,o", po::value(&flags.file)->value_name("FILE"), "write to FILE [stdout]")(
      "min-score", po::value(&flags.report.min_score)->value_name("S"),
      "list pairs of at least this score, 0 to 1 [0.5]")(
      "resume", po::bool_switch(&flags.report.resume),
      "go on with the report that was stopped while it wrote the same FILE")(
      "from", po::value(&flags.from)->value_name("FILE"),
      "search nothing: write the pairs of a report in jsonl once more")(
      "where", po::value(&flags.where)->value_name("CONDITION"),
      "list only pairs whose stored images fulfil it, such as \"seller != acme\"")(
      "skip-same-folder", po::bool_switch(&flags.report.skip_same_folder),
      "leave out pairs of pictures in one folder; of files of equal bytes the first in another "
      "folder is listed")(
      "with-rejected", po::bool_switch(&flags.report.list_rejected),
      "also list pairs that were decided to be no copies; verdict, in jsonl, says so")(
      "fail-on-copy", po::bool_switch(&flags.fail_on_copy), "exit with 11 when there is a copy")(
      "null,0", po::bool_switch(&flags.null_separated),
      "with -: the paths on stdin end with NUL, not with a line break");
  flags.spreadsheet.AddTo(command);
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
  CheckFlags(flags);
  flags.report.accept = ParseWhere(flags.where);
  if (flags.format == "html") flags.report.order = ReportOrder::kGroup;
  // CSV has no relations; the page looks at the files itself.
  flags.report.tell_colours = flags.format == "jsonl" || flags.format == "table";
  if (!flags.file.empty() && flags.file != "-") flags.report.journal = flags.file + ".journal";
  return flags;
}

/// Writes pairs in one of the formats. Every call gives the first error there was, which `status`
/// keeps.
class PairWriter {
 public:
  PairWriter(const ReportFlags& flags, SearchBackend* backend, Output& output)
      : format_(flags.format), spreadsheet_(flags.spreadsheet), output_(output) {
    if (format_ == "csv") output_.Write(report::PairCsvHeader());
    if (format_ == "table") output_.Write(report::PairTableHeader());
    if (format_ != "html") return;
    const EngineOptions options = flags.engine.Options();
    html_ = std::make_unique<HtmlReport>(flags.file, "Copies", options.limits,
                                         options.threads > 0 ? options.threads : AvailableThreads(),
                                         backend, output_);
  }

  Status Write(const ReportPair& pair) {
    if (format_ == "csv") output_.Write(spreadsheet_(report::PairCsv(pair)));
    if (format_ == "jsonl") output_.Write(report::PairJson(pair) + "\n");
    if (format_ == "table") output_.Write(report::PairTable(pair));
    return Note(html_ ? html_->Add(pair) : Status());
  }

  /// Writes the end and gives the output its name.
  Status Finish(const std::string& about, bool partial) {
    if (partial && format_ == "csv") output_.Write(report::PartialCsv(about));
    if (partial && format_ == "jsonl") output_.Write(report::PartialJson(about) + "\n");
    if (partial && format_ == "table") output_.Write("stopped before the end: " + about + "\n");
    if (html_) SIFTSEARCH_RETURN_IF_ERROR(Note(html_->End(about, partial)));
    SIFTSEARCH_RETURN_IF_ERROR(Note(output_.Close()));
    if (html_) html_->Keep();
    return {};
  }

  const Status& status() const { return status_; }

 private:
  Status Note(const Status& status) {
    if (status_.ok()) status_ = status.ok() ? output_.status() : status;
    return status_;
  }

  const std::string format_;
  const Spreadsheet spreadsheet_;
  Output& output_;
  std::unique_ptr<HtmlReport> html_;
  Status status_;
};

/// A sentence on what was compared and found.
std::string AboutReport(const ReportFlags& flags, const Report& report) {
  const std::string found =
      fmt::format("{} pairs in {} groups of copies", report.pairs, report.groups);
  return flags.from.empty()
             ? fmt::format("{} images compared, {}, {} failed", report.images, found, report.failed)
             : found;
}

Result<Report> MakeReport(Engine& engine, const ReportFlags& flags, const Command& command,
                          PairWriter& writer) {
  const Console& console = command.console();
  const bool bar = !console.quiet() && Progress::Possible();
  Progress progress(bar,
                    bar && !flags.paths.empty() ? CountInputs(flags.paths, command.database()) : 0);
  ReportOptions options = flags.report;
  options.stop = StopAsked;
  options.conditions = "where " + flags.where;
  options.finish = [&](const Report& report) {
    return writer.Finish(AboutReport(flags, report), report.stopped);
  };
  const auto sink = [&](const ReportPair& pair) {
    progress.Clear();
    return writer.Write(pair);
  };
  options.progress = [&](std::int64_t done, std::int64_t total, std::int64_t pairs) {
    if (total > 0) progress.SetTotal(total);
    progress.Show(done, fmt::format("{} pairs", pairs));
  };
  if (flags.paths.empty()) return engine.ReportAll(options, sink);
  InputWalker walker(flags.paths, {.database = command.database(),
                                   .list = &std::cin,
                                   .list_separator = flags.null_separated ? '\0' : '\n'});
  return engine.ReportFiles([&] { return walker.Next(); }, options,
                            [&](const AddOutcome& outcome) {
                              progress.Clear();
                              if (outcome.action == AddAction::kFailed) {
                                console.Error(outcome.path, outcome.reason);
                              } else {
                                console.Detail(outcome.path, outcome.reason);
                              }
                            },
                            sink);
}

/// Writes the pairs of an earlier report, put in order anew where the format asks for it.
Result<Report> Rewrite(const ReportFlags& flags, PairWriter& writer) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto journal, engine::ReportJournal::Open("", false, ""));
  const auto wrong = [&](std::int64_t line, const std::string& cause) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}, line {}: {}", flags.from, line, cause));
  };
  std::ifstream file(flags.from);
  if (!file) return Status(StatusCode::kInvalidArgument, flags.from + " can't be read");
  Report report;
  std::string text;
  for (std::int64_t line = 1; std::getline(file, text); ++line) {
    if (report::IsPartialJson(text)) {
      report.stopped = true;
      continue;
    }
    const auto pair = report::ReadPairJson(text);
    if (!pair.ok()) return wrong(line, pair.status().message());
    SIFTSEARCH_RETURN_IF_ERROR(journal->PutPair(line, *pair));
    SIFTSEARCH_RETURN_IF_ERROR(journal->Checkpoint());
  }
  std::set<std::int64_t> groups;
  SIFTSEARCH_RETURN_IF_ERROR(journal->KeepGroups());
  SIFTSEARCH_RETURN_IF_ERROR(journal->Visit(flags.report.order, [&](const ReportPair& pair) {
    if (pair.match.score < flags.report.min_score) return Status();
    ++report.pairs;
    report.copies += pair.match.copy;
    if (pair.group > 0) groups.insert(pair.group);
    return writer.Write(pair);
  }));
  report.groups = static_cast<std::int64_t>(groups.size());
  SIFTSEARCH_RETURN_IF_ERROR(writer.Finish(AboutReport(flags, report), report.stopped));
  return report;
}

/// What is said at the end.
std::string Summary(const ReportFlags& flags, const Report& report, double seconds) {
  std::string text = AboutReport(flags, report);
  text += flags.from.empty() ? fmt::format(" ({:.1f} s, {:.1f} s of it searches)", seconds,
                                           report.search_ms / 1000)
                             : fmt::format(" ({:.1f} s)", seconds);
  if (report.stopped) text += "; stopped on request, incomplete";
  const bool goes_on = flags.from.empty() && !flags.report.journal.empty();
  if (report.stopped && goes_on) text += "; the same command with --resume goes on";
  return text;
}

/// Says why there is no report, and how to go on with what was searched; gives the exit code.
int FailReport(const Console& console, const ReportFlags& flags, const Status& status,
               bool unwritten) {
  const int code = unwritten ? FailToWrite(console, status) : Fail(console, status);
  const bool refused =
      status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kBusy;
  if (!flags.from.empty()) {
    return status.code() == StatusCode::kInvalidArgument ? kExitSomeFailed : code;
  }
  const std::string& journal = flags.report.journal;
  const auto kept = DiskEnv().Exists(journal);
  if (!refused && kept.ok() && kept.value()) {
    console.Note(journal +
                 " keeps what was compared: the same command with --resume goes on, and "
                 "searches none of that again");
  }
  return code;
}

}  // namespace

int RunReport(Command& command) {
  const ReportFlags flags = ParseReportFlags(command);
  const Console& console = command.console();
  CatchStopSignals();
  std::unique_ptr<Engine> engine;
  if (flags.from.empty()) {
    auto opened = OpenSearcher(command, flags.engine);
    if (!opened.ok()) return Fail(console, opened.status());
    engine = std::move(opened).value();
    const Status warned = WarnOfUnknownAttributes(flags.where, engine->backend(), console);
    if (!warned.ok()) return Fail(console, warned);
  }
  // Before the work, so that a wrong -o costs no time.
  auto output = Output::Open(flags.file);
  if (!output.ok()) return FailToWrite(console, output.status());
  PairWriter writer(flags, engine ? &engine->backend() : nullptr, *output);
  const auto start = Clock::now();
  const auto report = engine ? MakeReport(*engine, flags, command, writer) : Rewrite(flags, writer);
  if (!report.ok()) {
    output->Discard();
    return FailReport(console, flags, report.status(), !writer.status().ok());
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  console.Note(Summary(flags, *report, seconds));
  return report->stopped                            ? kExitInterrupted
         : report->failed > 0                       ? ExitCodeOfFailed(report->out_of_memory > 0)
         : flags.fail_on_copy && report->copies > 0 ? kExitCopyFound
                                                    : kExitDone;
}

}  // namespace siftsearch::cli
