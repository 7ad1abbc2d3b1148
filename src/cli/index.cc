#include <fmt/format.h>

#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "index/factory_key.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace {

int ShowIndex(const Command& command, const EngineFlags& flags) {
  const Console& console = command.console();
  const auto engine = OpenReader(command, flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  const auto stats = StatsOf((*engine)->backend());
  if (!stats.ok()) return Fail(console, stats.status());
  Output output;
  output.Write(report::IndexTable(*stats));
  return Finish(console, output, kExitDone);
}

int ChangeIndex(const Command& command, const EngineFlags& flags, const std::string& key) {
  const Console& console = command.console();
  const Status known = index::FactoryKey::Parse(key).status();
  if (!known.ok()) throw UsageError(known.message());
  const auto engine = Engine::Open(command.database(), flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  SearchBackend& backend = (*engine)->backend();
  const auto before = StatsOf(backend);
  if (!before.ok()) return Fail(console, before.status());
  const Status changed = backend.SetIndex(key, RowsBar(!console.quiet()));
  if (!changed.ok()) return Fail(console, changed);
  const auto after = StatsOf(backend);
  if (!after.ok()) return Fail(console, after.status());
  console.Note(
      fmt::format("index {}, before {}", report::IndexName(*after), report::IndexName(*before)));
  return kExitDone;
}

}  // namespace

int RunIndex(Command& command) {
  std::vector<std::string> keys;
  EngineFlags flags;
  flags.AddThreads(command);
  flags.AddLockWait(command);
  command.Positional(&keys);
  command.Parse();
  if (keys.size() > 1) throw UsageError("index takes one key");
  return keys.empty() ? ShowIndex(command, flags) : ChangeIndex(command, flags, keys.front());
}

}  // namespace siftsearch::cli
