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
  command.Positional(&flags.images);
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "json", "jsonl", "csv"});
  CheckRange("top", flags.query.top, 1, 1'000'000);
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

using Bytes = std::vector<std::uint8_t>;

Result<Bytes> ReadQuery(const std::string& name, const InputLimits& limits) {
  if (name == "-") return ReadStandardInput(limits);
  SIFTSEARCH_ASSIGN_OR_RETURN(auto file, engine::ReadPictureFile(name, limits));
  return std::move(file.bytes);
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

/// Queries one image and writes its result; false where the image failed.
Result<bool> QueryOne(Engine& engine, const QueryFlags& flags, const std::string& name,
                      const Console& console, ResultWriter& writer) {
  QueryResult result;
  const auto bytes = ReadQuery(name, flags.engine.Options().limits);
  if (bytes.ok()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(result, engine.QueryBytes(*bytes, name, flags.query));
  } else {
    result.query = name;
    result.error = bytes.status();
  }
  writer.Write(result);
  if (!result.error.ok()) console.Error(name, result.error.message());
  if (!result.error.ok() || flags.draw.empty()) return result.error.ok();
  if (result.matches.empty() || result.matches.front().query_polygon.empty()) {
    console.Note("no match to draw");
    return true;
  }
  const Status drawn = Draw(flags, result, *bytes);
  if (!drawn.ok()) console.Error("--draw: " + drawn.message());
  return drawn.ok();
}

}  // namespace

int RunQuery(Command& command) {
  const QueryFlags flags = ParseFlags(command);
  const Console& console = command.console();
  CatchStopSignals();
  const auto engine = OpenReader(command, flags.engine.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  Output output;
  ResultWriter writer(flags.format, output);
  bool failed = false;
  for (const std::string& name : flags.images) {
    if (StopAsked()) break;
    const auto done = QueryOne(**engine, flags, name, console, writer);
    if (!done.ok()) {
      writer.End();
      (void)output.Close();  // The first error is the one to tell.
      return Fail(console, done.status());
    }
    failed |= !*done;
  }
  writer.End();
  return Finish(console, output,
                StopAsked() ? kExitInterrupted
                : failed    ? kExitSomeFailed
                            : kExitDone);
}

}  // namespace siftsearch::cli
