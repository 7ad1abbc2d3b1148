#include <chrono>
#include <set>
#include <thread>
#include <tuple>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "engine/picture_file.h"
#include "report/json.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

using Clock = std::chrono::steady_clock;

/// Images that are stored before their matches are told: so many may go untold when the program is
/// killed, since from then on they are known.
constexpr int kRound = 32;

/// Files of equal bytes that are told of one image, at most: the 1,000th placeholder is one line
/// like the first.
constexpr int kEqualFiles = 10;

struct WatchFlags {
  std::vector<std::string> folders;
  double interval_s = 2;
  bool once = false;
  bool all = false;
  QueryOptions query;
  EngineFlags engine;
};

WatchFlags ParseWatchFlags(Command& command) {
  WatchFlags flags;
  flags.query.min_score = kCopyThreshold;
  flags.query.max_equal_files = kEqualFiles;
  command.Options()("interval", po::value(&flags.interval_s)->value_name("SECONDS"),
                    "time between two looks [2]")("once", po::bool_switch(&flags.once),
                                                  "look once, tell, and end")(
      "all", po::bool_switch(&flags.all), "a line also for images without a match")(
      "min-score", po::value(&flags.query.min_score)->value_name("S"),
      "tell of matches of at least this score, 0 to 1 [0.5]");
  flags.engine.AddSettings(command);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddLockWait(command);
  flags.engine.AddSearch(command);
  flags.engine.AddEffort(command);
  command.Positional(&flags.folders);
  command.Parse();
  if (flags.folders.empty()) throw UsageError("watch which folder?");
  if (!(flags.interval_s >= 0.05 && flags.interval_s <= 86'400)) {
    throw UsageError("--interval is from 0.05 to 86400 seconds");
  }
  CheckScore("min-score", flags.query.min_score);
  flags.engine.effort().ApplyTo(flags.query);
  return flags;
}

/// Looks at folders again and again. A poll, since file systems of a network tell of no changes.
class Watcher {
 public:
  Watcher(const WatchFlags& flags, const Command& command, Engine& engine, Output& output)
      : flags_(flags), command_(command), engine_(engine), output_(output) {}

  /// One look: what is new or has changed, and has rested since the look before, is added, and its
  /// matches are told.
  Status Look() {
    InputWalker walker(flags_.folders, {.database = command_.database()});
    bool more = true;
    while (more && !StopAsked() && output_.status().ok()) {
      SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<std::string> stored, AddRound(walker, &more));
      SIFTSEARCH_RETURN_IF_ERROR(Tell(stored));
    }
    std::swap(before_, now_);
    now_.clear();
    return {};
  }

  bool complained() const { return !complaints_.empty(); }

 private:
  /// The paths of up to kRound images, now stored; `more` is false when the walk has ended.
  Result<std::vector<std::string>> AddRound(InputWalker& walker, bool* more) {
    std::vector<std::string> stored;
    int taken = 0;
    const auto next = [&]() -> std::optional<AddInput> {
      if (taken++ == kRound) return std::nullopt;
      auto input = NextRested(walker);
      *more = input.has_value();
      return input;
    };
    AddOptions options;
    options.stop = StopAsked;
    const auto added = engine_.Add(next, options, [&](const AddOutcome& outcome) {
      if (outcome.action == AddAction::kAdded || outcome.action == AddAction::kReplaced) {
        stored.push_back(outcome.path);
      }
      if (outcome.action == AddAction::kMoved) TellMove(outcome);
      Complain(outcome);
    });
    SIFTSEARCH_RETURN_IF_ERROR(added.status());
    return stored;
  }

  bool IsStored(const std::string& path, const engine::FileStamp& stamp) const {
    const auto snapshot = engine_.backend().Pin();
    if (!snapshot.ok()) return false;
    const auto stored = snapshot.value()->FindPath(path);
    return stored.ok() && stored.value() && engine::HasStamp(**stored, stamp);
  }

  /// The next input that is not stored and whose size and time are those of the look before: a file
  /// that is being written waits. With --once nothing waits.
  std::optional<AddInput> NextRested(InputWalker& walker) {
    while (auto input = walker.Next()) {
      const auto stamp = engine::StampOf(input->path);
      if (!input->problem.ok() || !stamp.ok()) return input;
      if (IsStored(input->path, *stamp)) continue;
      if (flags_.once) return input;
      const auto entry = std::tuple(input->path, stamp->bytes, stamp->modified_ns);
      now_.insert(entry);
      if (before_.contains(entry)) return input;
    }
    return std::nullopt;
  }

  /// Known before under another path: a move, and no copy of what is there no more.
  void TellMove(const AddOutcome& outcome) {
    output_.Write(report::AddJson(outcome) + "\n");
    output_.Flush();
  }

  void Complain(const AddOutcome& outcome) {
    if (outcome.action != AddAction::kFailed) return;
    if (complaints_.insert(outcome.path + '\0' + outcome.reason).second) {
      command_.console().Error(outcome.path, outcome.reason);
    }
  }

  Status Tell(const std::vector<std::string>& paths) {
    if (paths.empty()) return {};
    std::size_t next = 0;
    QueryOptions options = flags_.query;
    const auto inputs = [&]() -> std::optional<QueryInput> {
      if (next == paths.size()) return std::nullopt;
      QueryInput input;
      input.name = paths[next++];
      return input;
    };
    return engine_.Query(inputs, options, [&](const QueryResult& found) {
      QueryResult result = found;
      // The image itself, which was stored before.
      std::erase_if(result.matches, [&](const Match& m) { return m.image.path == found.query; });
      for (std::size_t i = 0; i < result.matches.size(); ++i) {
        result.matches[i].rank = static_cast<int>(i) + 1;
      }
      if (result.matches.empty() && result.error.ok() && !flags_.all) return;
      output_.Write(report::QueryJson(result) + "\n");
      output_.Flush();
    });
  }

  const WatchFlags& flags_;
  const Command& command_;
  Engine& engine_;
  Output& output_;
  std::set<std::tuple<std::string, std::int64_t, std::int64_t>> before_, now_;
  std::set<std::string> complaints_;
};

void Wait(double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!StopAsked() && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

int RunWatch(Command& command) {
  const WatchFlags flags = ParseWatchFlags(command);
  const Console& console = command.console();
  CatchStopSignals();
  const auto engine = OpenForAdding(command.database(), flags.engine);
  if (!engine.ok()) return Fail(console, engine.status());
  Output output;
  Watcher watcher(flags, command, **engine, output);
  console.Note("watching; Ctrl-C ends it");
  do {
    const Status looked = watcher.Look();
    if (!looked.ok()) {
      (void)output.Close();  // The first error is the one to tell.
      return Fail(console, looked);
    }
    if (!flags.once) Wait(flags.interval_s);
  } while (!flags.once && !StopAsked() && output.status().ok());
  return Finish(console, output,
                StopAsked()            ? kExitInterrupted
                : watcher.complained() ? kExitSomeFailed
                                       : kExitDone);
}

}  // namespace siftsearch::cli
