#include <fmt/format.h>

#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/spreadsheet.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "image/decode.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/text.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

constexpr std::size_t kAtOnce = 64;  // Pictures.

struct HashFlags {
  std::vector<std::string> paths;
  std::string format = "table";
  bool null_separated = false;
  Spreadsheet spreadsheet;
  EngineFlags engine;
};

HashFlags ParseHashFlags(Command& command) {
  HashFlags flags;
  command.Options()("format", po::value(&flags.format)->value_name("FORMAT"),
                    "table, jsonl (with the hashes of the turned picture) or csv [table]")(
      "null,0", po::bool_switch(&flags.null_separated), "paths on stdin end with NUL");
  flags.spreadsheet.AddTo(command);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  command.Positional(&flags.paths);
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "jsonl", "csv"});
  flags.spreadsheet.Check(flags.format);
  if (flags.paths.empty()) throw UsageError("hash which images? (files, folders, or -)");
  return flags;
}

/// Up to kAtOnce inputs.
std::vector<AddInput> NextInputs(InputWalker& walker) {
  std::vector<AddInput> inputs;
  while (inputs.size() < kAtOnce) {
    auto input = walker.Next();
    if (!input) break;
    inputs.push_back(*std::move(input));
  }
  return inputs;
}

/// Files of a folder that are no pictures.
bool IsPassedOver(const AddInput& input, const Status& status) {
  return input.ignored || (input.from_folder && status.code() == StatusCode::kUnsupported &&
                           !image::HasImageExtension(input.path));
}

void Write(const HashFlags& flags, const std::string& path, const Result<PictureHash>& hash,
           Output& output) {
  if (flags.format == "jsonl") output.Write(report::HashJson(path, hash) + "\n");
  if (!hash.ok()) return;
  if (flags.format == "csv") output.Write(flags.spreadsheet(report::HashCsv(path, *hash)));
  if (flags.format == "table") {
    output.Write(
        fmt::format("{}  {:3}  {}\n", hash->pdq.front(), hash->quality, report::Printable(path)));
  }
}

}  // namespace

int RunHash(Command& command) {
  const HashFlags flags = ParseHashFlags(command);
  const Console& console = command.console();
  const EngineOptions asked = flags.engine.Options();
  const int threads = asked.threads > 0 ? asked.threads : AvailableThreads();
  CatchStopSignals();
  Output output;
  if (flags.format == "csv") output.Write(report::HashCsvHeader());
  InputWalker walker(flags.paths, {.database = command.database(),
                                   .list = &std::cin,
                                   .list_separator = flags.null_separated ? '\0' : '\n'});
  bool failed = false, out_of_memory = false;
  for (auto inputs = NextInputs(walker); !inputs.empty() && !StopAsked();
       inputs = NextInputs(walker)) {
    std::vector<std::optional<Result<PictureHash>>> hashes(inputs.size());
    ParallelFor(inputs.size(), threads, [&](std::size_t i) {
      hashes[i] = HashPicture({.name = inputs[i].path, .problem = inputs[i].problem}, asked.limits);
    });
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Status& status = hashes[i]->status();
      Write(flags, inputs[i].path, *hashes[i], output);
      if (status.ok()) continue;
      if (IsPassedOver(inputs[i], status)) {
        console.Detail(status.message());
      } else {
        console.Error(status.message());
        failed = true;
        out_of_memory = out_of_memory || status.code() == StatusCode::kOutOfMemory;
      }
    }
    output.Flush();
  }
  return Finish(console, output,
                StopAsked() ? kExitInterrupted
                : failed    ? ExitCodeOfFailed(out_of_memory)
                            : kExitDone);
}

}  // namespace siftsearch::cli
