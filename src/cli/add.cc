#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/item_table.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/remote.h"
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
  std::string table;
  long fetch_seconds = FetchLimits().seconds;
  bool allow_private = false;
  bool null_separated = false;
  EngineFlags engine;

  FetchLimits Fetching() const {
    return {.max_bytes = engine.Options().limits.max_file_bytes,
            .seconds = fetch_seconds,
            .allow_private = allow_private};
  }
};

AddFlags ParseAddFlags(Command& command) {
  AddFlags flags;
  command.Options()("attr", po::value(&flags.attributes)->value_name("KEY=VALUE"),
                    "attribute of every image given; may be repeated")(
      "from", po::value(&flags.table)->value_name("TABLE"),
      "images and their attributes from a .csv or .jsonl table with a column path or url")(
      "fetch-seconds", po::value(&flags.fetch_seconds)->value_name("N"),
      "time for the download of a url [30]")(
      "allow-private", po::bool_switch(&flags.allow_private),
      "also fetch urls of this machine and of private networks")(
      "null,0", po::bool_switch(&flags.null_separated),
      "with -: the paths on stdin end with NUL, not with a line break")(
      "format", po::value(&flags.format)->value_name("FORMAT"),
      "table, or jsonl: a line on stdout for each input [table]");
  flags.engine.AddSettings(command);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddLockWait(command);
  command.Positional(&flags.paths);
  command.AcceptServer(
      {"attr", "from", "fetch-seconds", "allow-private", "null", "format", "max-file-bytes"});
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "jsonl"});
  CheckRange("fetch-seconds", flags.fetch_seconds, 1, 86'400);
  if (!flags.table.empty() && !flags.paths.empty()) {
    throw UsageError("add either what --from names or what is given, not both");
  }
  if (flags.table.empty() && flags.paths.empty())
    throw UsageError("add what? (files, folders, or - for a list on stdin)");
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
  /// Images stored of which only a part was looked at, or whose file is odd.
  std::int64_t remarked() const { return remarked_; }

 private:
  void Say(const AddOutcome& outcome) {
    if (outcome.action == AddAction::kFailed) {
      progress_.Clear();
      console_.Error(outcome.path, outcome.reason);
    } else if (console_.verbose()) {
      progress_.Clear();
      const std::string reason = outcome.reason.empty() ? "" : ": " + outcome.reason;
      const std::string from = outcome.moved_from.empty() ? "" : " from " + outcome.moved_from;
      console_.Detail(outcome.path,
                      fmt::format("{}{}{}", AddActionName(outcome.action), from, reason));
    }
    const bool stored =
        outcome.action == AddAction::kAdded || outcome.action == AddAction::kReplaced;
    if (!stored) return;
    if (outcome.descriptors == 0) {
      ++featureless_;
    } else if (!outcome.reason.empty()) {
      ++remarked_;
    }
  }

  const bool jsonl_;
  const Console& console_;
  Output& output_;
  Progress progress_;
  std::int64_t done_ = 0;
  std::int64_t featureless_ = 0;
  std::int64_t remarked_ = 0;
};

std::string SummaryLine(const AddSummary& summary, double seconds) {
  std::string line = fmt::format(
      "{} given: {} added, {} replaced, {} moved, {} unchanged, {} ignored, {} failed ({:.1f} s, "
      "{:.1f}/s)",
      summary.given, summary.added, summary.replaced, summary.moved, summary.unchanged,
      summary.ignored, summary.failed, seconds,
      seconds > 0 ? static_cast<double>(summary.given) / seconds : 0);
  if (summary.stopped) {
    line += "; stopped on request, all of these are stored; the same command does the rest";
  }
  return line;
}

/// To store inputs in the database, or in the server's collection.
Result<Adder> OpenAdder(const Command& command, const AddFlags& flags) {
  const auto adder_of = [](auto target) -> Adder {
    return [target = std::shared_ptr(std::move(target))](const auto& next, const auto& options,
                                                         const auto& report) {
      return target->Add(next, options, report);
    };
  };
  if (command.server().empty()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto engine, OpenForAdding(command.database(), flags.engine));
    return adder_of(std::move(engine));
  }
  auto remote = Remote::Open(command.server(), flags.engine.Options().limits);
  if (!remote.ok()) throw UsageError(remote.status().message());
  return adder_of(std::move(*remote));
}

}  // namespace

int RunAdd(Command& command) {
  const AddFlags flags = ParseAddFlags(command);
  const Console& console = command.console();
  AddOptions options;
  options.attributes = ParseAttributes(flags.attributes);
  options.stop = StopAsked;
  CatchStopSignals();
  const auto add = OpenAdder(command, flags);
  if (!add.ok()) return Fail(console, add.status());
  Output output;
  std::unique_ptr<ItemTable> table;
  if (!flags.table.empty()) {
    auto opened = ItemTable::Open(flags.table, flags.Fetching());
    if (!opened.ok()) throw UsageError(opened.status().message());
    table = std::move(opened).value();
  }

  const bool bar = !console.quiet() && Progress::Possible();
  const std::int64_t total = bar ? CountInputs(flags.paths, command.database()) : 0;
  AddReporter reporter(flags, console, total, output);
  InputWalker walker(flags.paths, {.database = command.database(),
                                   .list = &std::cin,
                                   .list_separator = flags.null_separated ? '\0' : '\n'});
  const auto start = Clock::now();
  const auto next = [&] { return table ? table->Next() : walker.Next(); };
  const auto summary = (*add)(next, options, [&](const AddOutcome& outcome) { reporter(outcome); });
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
  if (reporter.remarked() > 0) {
    console.Note(fmt::format("{} of them were read with a remark (several pages, no end){}",
                             reporter.remarked(),
                             console.verbose() ? "" : "; --verbose names them"));
  }
  return Finish(console, output,
                summary->stopped      ? kExitInterrupted
                : summary->failed > 0 ? ExitCodeOfFailed(summary->out_of_memory > 0)
                                      : kExitDone);
}

}  // namespace siftsearch::cli
