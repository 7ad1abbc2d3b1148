#include <fmt/format.h>

#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "report/table.h"

namespace siftsearch::cli {

int RunCompact(Command& command) {
  EngineFlags flags;
  flags.AddLockWait(command);
  command.Parse();
  const Console& console = command.console();
  const auto engine = Engine::Open(command.database(), flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  SearchBackend& backend = (*engine)->backend();
  const auto before = StatsOf(backend);
  if (!before.ok()) return Fail(console, before.status());
  const Status compacted = backend.Compact(RowsBar(!console.quiet()));
  if (!compacted.ok()) return Fail(console, compacted);
  const auto after = StatsOf(backend);
  if (!after.ok()) return Fail(console, after.status());
  console.Note(fmt::format("{} in {} segments, before {} in {}",
                           report::ByteSize(after->segment_bytes), after->segments,
                           report::ByteSize(before->segment_bytes), before->segments));
  return kExitDone;
}

}  // namespace siftsearch::cli
