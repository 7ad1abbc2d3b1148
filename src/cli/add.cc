#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "report/json.h"
#include "report/text.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

using Clock = std::chrono::steady_clock;

struct AddFlags {
  std::vector<std::string> paths;
  std::vector<std::string> attributes;
  std::string format = "table";
  bool null_separated = false;
  EngineFlags engine;
};

AddFlags ParseFlags(Command& command) {
  AddFlags flags;
  command.Options()("attr", po::value(&flags.attributes)->value_name("KEY=VALUE"),
                    "attribute of every image given; may be repeated")(
      "null,0", po::bool_switch(&flags.null_separated),
      "with -: the paths on stdin end with NUL, not with a line break")(
      "format", po::value(&flags.format)->value_name("FORMAT"),
      "table, or jsonl: a line on stdout for each input [table]");
  flags.engine.AddSettings(command);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddLockWait(command);
  command.Positional(&flags.paths);
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "jsonl"});
  if (flags.paths.empty()) throw UsageError("add what? (files, folders, or - for a list on stdin)");
  return flags;
}

std::map<std::string, std::string> ParseAttributes(const std::vector<std::string>& words) {
  std::map<std::string, std::string> attributes;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError(fmt::format("--attr takes KEY=VALUE, not \"{}\"", word));
    }
    if (!report::IsUtf8(word)) throw UsageError("--attr takes UTF-8 text");
    attributes[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return attributes;
}

/// Opens the database or makes it; settings that were not asked for are those it has.
Result<std::unique_ptr<Engine>> OpenForAdding(const std::string& database,
                                              const EngineFlags& flags) {
  EngineOptions options = flags.Options();
  auto engine = Engine::Open(database, options);
  const bool missing = !engine.ok() && engine.status().code() == StatusCode::kNotFound;
  if (!engine.ok() && !missing) return engine;
  options.settings =
      flags.Settings(missing ? ExtractorSettings() : engine.value()->backend().settings());
  options.create = true;
  if (!missing && !options.settings) return engine;
  return Engine::Open(database, options);
}

/// Tells of each outcome as it becomes durable.
class AddReporter {
 public:
  AddReporter(const AddFlags& flags, const Console& console, std::int64_t total, Output& output)
      : jsonl_(flags.format == "jsonl"),
        console_(console),
        output_(output),
        progress_(!console.quiet(), total) {}

  void operator()(const AddOutcome& outcome) {
    if (jsonl_) {
      output_.Write(report::AddJson(outcome) + "\n");
      output_.Flush();
    }
    Say(outcome);
    progress_.Show(++done_);
  }

  void Clear() { progress_.Clear(); }

  /// Images stored without any descriptor.
  std::int64_t featureless() const { return featureless_; }

 private:
  void Say(const AddOutcome& outcome) {
    if (outcome.action == AddAction::kFailed) {
      progress_.Clear();
      console_.Error(outcome.path, outcome.reason);
    } else if (console_.verbose()) {
      progress_.Clear();
      const std::string reason = outcome.reason.empty() ? "" : ": " + outcome.reason;
      console_.Detail(outcome.path, fmt::format("{}{}", AddActionName(outcome.action), reason));
    }
    const bool stored =
        outcome.action == AddAction::kAdded || outcome.action == AddAction::kReplaced;
    if (stored && outcome.descriptors == 0) ++featureless_;
  }

  const bool jsonl_;
  const Console& console_;
  Output& output_;
  Progress progress_;
  std::int64_t done_ = 0;
  std::int64_t featureless_ = 0;
};

std::string SummaryLine(const AddSummary& summary, double seconds) {
  std::string line = fmt::format(
      "{} given: {} added, {} replaced, {} unchanged, {} ignored, {} failed ({:.1f} s, {:.1f}/s)",
      summary.given, summary.added, summary.replaced, summary.unchanged, summary.ignored,
      summary.failed, seconds, seconds > 0 ? static_cast<double>(summary.given) / seconds : 0);
  if (summary.stopped) {
    line += "; stopped on request, all of these are stored; the same command does the rest";
  }
  return line;
}

}  // namespace

int RunAdd(Command& command) {
  const AddFlags flags = ParseFlags(command);
  const Console& console = command.console();
  AddOptions options;
  options.attributes = ParseAttributes(flags.attributes);
  options.stop = StopAsked;
  CatchStopSignals();
  const auto engine = OpenForAdding(command.database(), flags.engine);
  if (!engine.ok()) return Fail(console, engine.status());
  Output output;

  const bool bar = !console.quiet() && Progress::Possible();
  const std::int64_t total = bar ? CountInputs(flags.paths, command.database()) : 0;
  AddReporter reporter(flags, console, total, output);
  InputWalker walker(flags.paths, {.database = command.database(),
                                   .list = &std::cin,
                                   .list_separator = flags.null_separated ? '\0' : '\n'});
  const auto start = Clock::now();
  const auto summary = engine.value()->Add([&] { return walker.Next(); }, options,
                                           [&](const AddOutcome& outcome) { reporter(outcome); });
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  reporter.Clear();
  if (!summary.ok()) {
    (void)output.Close();  // The first error is the one to tell.
    return Fail(console, summary.status());
  }
  console.Note(SummaryLine(*summary, seconds));
  if (reporter.featureless() > 0) {
    console.Note(fmt::format(
        "{} of them have no descriptors (blank or without detail) and can't be found by content{}",
        reporter.featureless(), console.verbose() ? "" : "; --verbose names them"));
  }
  return Finish(console, output,
                summary->stopped      ? kExitInterrupted
                : summary->failed > 0 ? kExitSomeFailed
                                      : kExitDone);
}

}  // namespace siftsearch::cli
