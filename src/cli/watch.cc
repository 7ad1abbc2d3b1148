#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <tuple>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/remote.h"
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
  command.AcceptServer(
      {"interval", "once", "all", "min-score", "max-file-bytes", "max-false-alarms"});
  command.Parse();
  if (flags.folders.empty()) throw UsageError("watch which folder?");
  if (!(flags.interval_s >= 0.05 && flags.interval_s <= 86'400)) {
    throw UsageError("--interval is from 0.05 to 86400 seconds");
  }
  CheckScore("min-score", flags.query.min_score);
  flags.engine.effort().ApplyTo(flags.query);
  return flags;
}

/// Where images are added to, and looked for.
struct Target {
  Adder add;
  QueryEach query;
  /// Whether a path is stored with the file that is there now.
  std::function<bool(const std::string& path, const engine::FileStamp& stamp)> is_stored;
  std::function<std::string(const std::string& path)> key_of;  ///< Under which a path is stored.
};

Result<Target> DatabaseTarget(const Command& command, const WatchFlags& flags) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto opened, OpenForAdding(command.database(), flags.engine));
  const std::shared_ptr<Engine> engine = std::move(opened);
  Target target;
  target.add = [engine](const auto& next, const auto& options, const auto& report) {
    return engine->Add(next, options, report);
  };
  target.query = [engine, options = flags.query](const auto& inputs, const auto& sink) {
    return engine->Query(inputs, options, sink);
  };
  target.is_stored = [engine](const std::string& path, const engine::FileStamp& stamp) {
    const auto snapshot = engine->backend().Pin();
    if (!snapshot.ok()) return false;
    const auto stored = snapshot.value()->FindPath(path);
    return stored.ok() && stored.value() && engine::HasStamp(**stored, stamp);
  };
  target.key_of = [](const std::string& path) { return path; };
  return target;
}

/// A server keeps no times of files: what was sent since the start is known, and what was sent
/// before is sent once more, to which the server says "unchanged".
Result<Target> ServerTarget(const Command& command, const WatchFlags& flags) {
  auto opened = Remote::Open(command.server(), flags.engine.Options().limits);
  if (!opened.ok()) throw UsageError(opened.status().message());
  const std::shared_ptr<Remote> remote = std::move(*opened);
  const auto sent = std::make_shared<std::map<std::string, engine::FileStamp>>();
  Target target;
  target.add = [remote, sent](const auto& next, const auto& options, const auto& report) {
    return remote->Add(next, options, [&](const AddOutcome& outcome) {
      const auto stamp = engine::StampOf(outcome.path);
      if (outcome.id > 0 && stamp.ok()) sent->insert_or_assign(outcome.path, *stamp);
      report(outcome);
    });
  };
  target.query = [remote, options = flags.query](const auto& inputs, const auto& sink) {
    return remote->Query(inputs, options, "", sink);
  };
  target.is_stored = [sent](const std::string& path, const engine::FileStamp& stamp) {
    const auto found = sent->find(path);
    return found != sent->end() && found->second.bytes == stamp.bytes &&
           found->second.modified_ns == stamp.modified_ns;
  };
  target.key_of = KeyOfPath;
  return target;
}

/// Looks at folders again and again. A poll, since file systems of a network tell of no changes.
class Watcher {
 public:
  Watcher(const WatchFlags& flags, const Command& command, Target& target, Output& output)
      : flags_(flags), command_(command), target_(target), output_(output) {}

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
    const auto added = target_.add(next, options, [&](const AddOutcome& outcome) {
      if (outcome.action == AddAction::kAdded || outcome.action == AddAction::kReplaced) {
        stored.push_back(outcome.path);
      }
      if (outcome.action == AddAction::kMoved) TellMove(outcome);
      Complain(outcome);
    });
    SIFTSEARCH_RETURN_IF_ERROR(added.status());
    return stored;
  }

  /// The next input that is not stored and whose size and time are those of the look before: a file
  /// that is being written waits. With --once nothing waits.
  std::optional<AddInput> NextRested(InputWalker& walker) {
    while (auto input = walker.Next()) {
      const auto stamp = engine::StampOf(input->path);
      if (!input->problem.ok() || !stamp.ok()) return input;
      if (target_.is_stored(input->path, *stamp)) continue;
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
    const auto inputs = [&]() -> std::optional<QueryInput> {
      if (next == paths.size()) return std::nullopt;
      QueryInput input;
      input.name = paths[next++];
      return input;
    };
    return target_.query(inputs, [&](const QueryResult& found) {
      QueryResult result = found;
      // The image itself, which was stored before.
      const std::string key = target_.key_of(found.query);
      std::erase_if(result.matches, [&](const Match& m) { return m.image.path == key; });
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
  Target& target_;
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
  auto target =
      command.server().empty() ? DatabaseTarget(command, flags) : ServerTarget(command, flags);
  if (!target.ok()) return Fail(console, target.status());
  Output output;
  Watcher watcher(flags, command, *target, output);
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
