#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "draw/match_picture.h"
#include "engine/picture_file.h"
#include "image/decode.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

struct QueryFlags {
  std::vector<std::string> images;
  std::string format = "table";
  std::string draw;
  QueryOptions query;
  EngineFlags engine;
};

std::string DrawFormat(const std::string& file) {
  for (const auto& [ending, format] :
       {std::pair{".png", "png"}, {".jpg", "jpeg"}, {".jpeg", "jpeg"}}) {
    if (file.ends_with(ending)) return format;
  }
  throw UsageError("--draw writes a .png or a .jpg");
}

QueryFlags ParseFlags(Command& command) {
  QueryFlags flags;
  command.Options()("top,n", po::value(&flags.query.top)->value_name("N"),
                    "list up to N images, sure or not, best first [10]")(
      "min-score", po::value(&flags.query.min_score)->value_name("S"),
      "list only images of at least this score, 0 to 1 [0]")(
      "format", po::value(&flags.format)->value_name("FORMAT"),
      "table, json, jsonl or csv [table]")(
      "draw", po::value(&flags.draw)->value_name("FILE"),
      "draw the best match: both pictures, the shared region, the agreeing points (.png, .jpg)");
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddMemory(command);
  flags.engine.AddSearch(command);
  flags.engine.AddForms(command, flags.query.form_features);
  command.Positional(&flags.images);
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "json", "jsonl", "csv"});
  CheckRange("top", flags.query.top, 1, 1'000'000);
  flags.query.batch_bytes = flags.engine.batch_bytes();
  flags.query.max_candidates = std::max(flags.query.max_candidates, flags.query.top);
  if (!(flags.query.min_score >= 0 && flags.query.min_score <= 1)) {
    throw UsageError("--min-score is from 0 to 1");
  }
  if (flags.images.empty()) throw UsageError("query which image? (- reads one from stdin)");
  if (!flags.draw.empty()) {
    if (flags.images.size() != 1) throw UsageError("--draw takes one image");
    (void)DrawFormat(flags.draw);
  }
  return flags;
}

/// Standard input, up to the limit and a byte.
Result<std::vector<std::uint8_t>> ReadStandardInput(const InputLimits& limits) {
  std::vector<std::uint8_t> bytes;
  std::vector<char> block(64 << 10);
  while (std::cin.read(block.data(), static_cast<std::streamsize>(block.size())) ||
         std::cin.gcount() > 0) {
    bytes.insert(bytes.end(), block.data(), block.data() + std::cin.gcount());
    if (static_cast<std::int64_t>(bytes.size()) > limits.max_file_bytes) {
      return Status(
          StatusCode::kLimitExceeded,
          fmt::format("has more than {} bytes (--max-file-bytes)", limits.max_file_bytes));
    }
  }
  return bytes;
}

/// What an argument stands for.
QueryInput InputOf(const std::string& name, const InputLimits& limits) {
  QueryInput input;
  input.name = name;
  if (name != "-") return input;
  auto bytes = ReadStandardInput(limits);
  if (bytes.ok()) input.bytes = std::move(bytes).value();
  input.problem = bytes.status();
  return input;
}

/// The picture of the best match; `query` are the bytes that were searched.
Status Draw(const QueryFlags& flags, const QueryResult& result,
            std::span<const std::uint8_t> query) {
  const Match& match = result.matches.front();
  const EngineOptions options = flags.engine.Options();
  const image::DecodeLimits limits{options.limits.max_pixels, options.limits.max_file_bytes};
  const auto about = [](const std::string& path, const Status& status) {
    return Status(status.code(), path + ": " + status.message());
  };
  const auto file = engine::ReadPictureFile(match.image.path, options.limits);
  if (!file.ok()) return about(match.image.path, file.status());
  const auto theirs = image::DecodeRgb(file->bytes, limits);
  if (!theirs.ok()) return about(match.image.path, theirs.status());
  if (theirs->width != match.image.width || theirs->height != match.image.height) {
    return about(match.image.path,
                 {StatusCode::kInvalidArgument, "has changed since it was added"});
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto ours, image::DecodeRgb(query, limits));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto drawing, draw::DrawMatch(ours, *theirs, match, {}));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto bytes, image::Encode(drawing, DrawFormat(flags.draw), 90));
  SIFTSEARCH_ASSIGN_OR_RETURN(auto file_output, Output::Open(flags.draw));
  file_output.Write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return file_output.Close();
}

/// Writes results in the format asked for.
class ResultWriter {
 public:
  ResultWriter(std::string format, Output& output) : format_(std::move(format)), output_(output) {
    if (format_ == "csv") output_.Write(report::QueryCsvHeader());
    if (format_ == "json") output_.Write("[");
  }

  void Write(const QueryResult& result) {
    if (format_ == "csv") output_.Write(report::QueryCsv(result));
    if (format_ == "jsonl") output_.Write(report::QueryJson(result) + "\n");
    if (format_ == "json") output_.Write((first_ ? "\n" : ",\n") + report::QueryJson(result));
    // An error is told on standard error.
    if (format_ == "table" && result.error.ok()) output_.Write(report::QueryTable(result));
    first_ = false;
    output_.Flush();
  }

  void End() {
    if (format_ == "json") output_.Write(first_ ? "]\n" : "\n]\n");
  }

 private:
  const std::string format_;
  Output& output_;
  bool first_ = true;
};

/// Draws the best match of the only image, if there is one.
Status DrawIfFound(const QueryFlags& flags, const QueryResult& result, const QueryInput& input,
                   const Console& console) {
  if (!result.error.ok()) return {};
  if (result.matches.empty() || result.matches.front().query_polygon.empty()) {
    console.Note("no match to draw");
    return {};
  }
  if (input.bytes) return Draw(flags, result, *input.bytes);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto file,
                              engine::ReadPictureFile(input.name, flags.engine.Options().limits));
  return Draw(flags, result, file.bytes);
}

/// Queries all images and writes their results; gives how many failed.
Result<int> QueryAll(Engine& engine, const QueryFlags& flags, const Console& console,
                     ResultWriter& writer) {
  const InputLimits limits = flags.engine.Options().limits;
  int failed = 0;
  QueryInput last;
  std::size_t next = 0;
  const auto inputs = [&]() -> std::optional<QueryInput> {
    if (StopAsked() || next == flags.images.size()) return std::nullopt;
    QueryInput input = InputOf(flags.images[next++], limits);
    if (!flags.draw.empty()) last = input;
    return input;
  };
  Status drawn;
  SIFTSEARCH_RETURN_IF_ERROR(engine.Query(inputs, flags.query, [&](const QueryResult& result) {
    writer.Write(result);
    failed += !result.error.ok();
    if (!result.error.ok()) console.Error(result.query, result.error.message());
    if (!flags.draw.empty()) drawn = DrawIfFound(flags, result, last, console);
  }));
  if (!drawn.ok()) console.Error("--draw: " + drawn.message());
  return failed + !drawn.ok();
}

}  // namespace

int RunQuery(Command& command) {
  const QueryFlags flags = ParseFlags(command);
  const Console& console = command.console();
  CatchStopSignals();
  const auto engine = OpenSearcher(command, flags.engine);
  if (!engine.ok()) return Fail(console, engine.status());
  Output output;
  ResultWriter writer(flags.format, output);
  const auto failed = QueryAll(**engine, flags, console, writer);
  if (!failed.ok()) {
    writer.End();
    (void)output.Close();  // The first error is the one to tell.
    return Fail(console, failed.status());
  }
  writer.End();
  return Finish(console, output,
                StopAsked()   ? kExitInterrupted
                : *failed > 0 ? kExitSomeFailed
                              : kExitDone);
}

}  // namespace siftsearch::cli
