#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "cli/draw_match.h"
#include "cli/exit_code.h"
#include "cli/fetch.h"
#include "cli/html_report.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/result_writer.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "engine/picture_file.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

struct QueryFlags {
  std::vector<std::string> images;
  std::string format = "table";
  std::string draw;
  std::string html;
  std::string where;
  bool fail_on_copy = false;
  bool explain = false;
  bool allow_private = false;
  QueryOptions query;
  Spreadsheet spreadsheet;
  EngineFlags engine;
};

QueryFlags ParseQueryFlags(Command& command) {
  QueryFlags flags;
  command.Options()(
      "top,n", po::value(&flags.query.top)->value_name("N"),
      "list up to N pictures, sure or not, best first; files of equal bytes are one [10]")(
      "min-score", po::value(&flags.query.min_score)->value_name("S"),
      "list only images of at least this score, 0 to 1 [0]")(
      "format", po::value(&flags.format)->value_name("FORMAT"),
      "table, json, jsonl or csv [table]")(
      "draw", po::value(&flags.draw)->value_name("FILE"),
      "draw the best match: both pictures, the shared region, the agreeing points (.png, .jpg, "
      ".svg)")("html", po::value(&flags.html)->value_name("FILE"),
               "also write the matches as a page, to look at")(
      "where", po::value(&flags.where)->value_name("CONDITION"),
      "list only images that fulfil it, such as \"seller != acme\"")(
      "allow-private", po::bool_switch(&flags.allow_private),
      "also fetch urls of this machine and of private networks")(
      "explain", po::bool_switch(&flags.explain),
      "say below the table what decided, and what pushed each score which way")(
      "fail-on-copy", po::bool_switch(&flags.fail_on_copy), "exit with 11 when there is a copy");
  flags.spreadsheet.AddTo(command);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddMemory(command);
  flags.engine.AddSearch(command);
  flags.engine.AddEffort(command);
  command.Positional(&flags.images);
  command.AcceptServer({"top", "min-score", "format", "where", "allow-private", "explain",
                        "fail-on-copy", "max-false-alarms", "max-file-bytes", "spreadsheet"});
  command.Parse();
  CheckOneOf("format", flags.format, {"table", "json", "jsonl", "csv"});
  flags.spreadsheet.Check(flags.format);
  CheckRange("top", flags.query.top, 1, 1'000'000);
  flags.engine.effort().ApplyTo(flags.query);
  flags.query.accept = ParseWhere(flags.where);
  flags.query.batch_bytes = flags.engine.batch_bytes();
  flags.query.max_candidates = std::max(flags.query.max_candidates, flags.query.top);
  CheckScore("min-score", flags.query.min_score);
  CheckExplain(flags.explain, flags.format);
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
QueryInput InputOf(const std::string& name, const QueryFlags& flags) {
  const InputLimits limits = flags.engine.Options().limits;
  QueryInput input;
  input.name = name;
  if (name != "-" && !IsUrl(name)) return input;
  auto bytes =
      name == "-"
          ? ReadStandardInput(limits)
          : Fetch(name, {.max_bytes = limits.max_file_bytes, .allow_private = flags.allow_private});
  if (bytes.ok()) input.bytes = std::move(bytes).value();
  input.problem = bytes.status();
  return input;
}

/// Draws the best match of the only image, if there is one.
Status DrawIfFound(const QueryFlags& flags, const QueryResult& result, const QueryInput& input,
                   const Console& console) {
  if (!result.error.ok()) return {};
  const InputLimits limits = flags.engine.Options().limits;
  if (input.bytes) return DrawBest(flags.draw, limits, result, *input.bytes, console);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto file, engine::ReadPictureFile(input.name, limits));
  return DrawBest(flags.draw, limits, result, file.bytes, console);
}

/// The page of --html, if one is asked for: each image with its matches is a group.
class QueryPage {
 public:
  static Result<QueryPage> Open(const QueryFlags& flags, SearchBackend& backend) {
    QueryPage page;
    if (flags.html.empty()) return page;
    SIFTSEARCH_ASSIGN_OR_RETURN(Output output, Output::Open(flags.html));
    page.output_ = std::make_unique<Output>(std::move(output));
    const EngineOptions options = flags.engine.Options();
    page.report_ = std::make_unique<HtmlReport>(
        flags.html, "Matches", options.limits,
        options.threads > 0 ? options.threads : AvailableThreads(), &backend, *page.output_);
    page.report_->ShowQueriesFirst();
    return page;
  }

  Status Add(const QueryResult& result) {
    ++queries_;
    if (!report_) return {};
    ReportPair pair;
    const bool is_file = result.query != "-" && !IsUrl(result.query);
    pair.query.path = is_file ? AbsolutePath(result.query) : result.query;
    pair.query.hash = result.hash;
    pair.query.width = result.width;
    pair.query.height = result.height;
    pair.group = queries_;
    if (const auto stamp = engine::StampOf(result.query); stamp.ok()) {
      pair.query.file_bytes = stamp->bytes;
      pair.query.modified_ns = stamp->modified_ns;
    }
    for (const Match& match : result.matches) {
      if (match.query_polygon.empty() || match.image.path == pair.query.path) continue;
      pair.match = match;
      SIFTSEARCH_RETURN_IF_ERROR(report_->Add(pair));
    }
    return {};
  }

  Status End(bool partial) {
    if (!report_) return {};
    SIFTSEARCH_RETURN_IF_ERROR(report_->End(fmt::format("{} images queried", queries_), partial));
    SIFTSEARCH_RETURN_IF_ERROR(output_->Close());
    report_->Keep();
    return {};
  }

 private:
  std::unique_ptr<Output> output_;
  std::unique_ptr<HtmlReport> report_;
  std::int64_t queries_ = 0;
};

struct QueryCounts {
  int failed = 0;
  int out_of_memory = 0;  ///< Of `failed`.
  int copies = 0;
};

/// Queries all images and writes their results.
Result<QueryCounts> QueryAll(const QueryEach& query, const QueryFlags& flags,
                             const Console& console, ResultWriter& writer, QueryPage& page) {
  QueryCounts counts;
  QueryInput last;
  std::size_t next = 0;
  const auto inputs = [&]() -> std::optional<QueryInput> {
    if (StopAsked() || next == flags.images.size()) return std::nullopt;
    QueryInput input = InputOf(flags.images[next++], flags);
    if (!flags.draw.empty()) last = input;
    return input;
  };
  Status drawn, shown;
  SIFTSEARCH_RETURN_IF_ERROR(query(inputs, [&](const QueryResult& result) {
    writer.Write(result);
    counts.failed += !result.error.ok();
    counts.out_of_memory += result.error.code() == StatusCode::kOutOfMemory;
    for (const Match& match : result.matches) counts.copies += match.copy;
    if (!result.error.ok()) console.Error(result.query, result.error.message());
    if (!flags.draw.empty()) drawn = DrawIfFound(flags, result, last, console);
    if (shown.ok()) shown = page.Add(result);
  }));
  SIFTSEARCH_RETURN_IF_ERROR(shown);
  SIFTSEARCH_RETURN_IF_ERROR(page.End(StopAsked()));
  if (!drawn.ok()) console.Error("--draw: " + drawn.message());
  counts.failed += !drawn.ok();
  return counts;
}

int RunQueryEach(const QueryEach& query, const QueryFlags& flags, const Console& console,
                 QueryPage& page) {
  Output output;
  ResultWriter writer(flags.format, flags.explain, flags.spreadsheet, output);
  const auto counts = QueryAll(query, flags, console, writer, page);
  writer.End();
  if (!counts.ok()) {
    (void)output.Close();  // The first error is the one to tell.
    return Fail(console, counts.status());
  }
  return Finish(console, output,
                StopAsked()          ? kExitInterrupted
                : counts->failed > 0 ? ExitCodeOfFailed(counts->out_of_memory > 0)
                : flags.fail_on_copy && counts->copies > 0 ? kExitCopyFound
                                                           : kExitDone);
}

int RunRemoteQuery(Command& command, const QueryFlags& flags) {
  const Console& console = command.console();
  const auto remote = Remote::Open(command.server(), flags.engine.Options().limits);
  if (!remote.ok()) throw UsageError(remote.status().message());
  QueryPage no_page;
  return RunQueryEach(
      [&](const auto& inputs, const auto& sink) {
        return (*remote)->Query(inputs, flags.query, flags.where, sink);
      },
      flags, console, no_page);
}

}  // namespace

int RunQuery(Command& command) {
  const QueryFlags flags = ParseQueryFlags(command);
  const Console& console = command.console();
  CatchStopSignals();
  if (!command.server().empty()) return RunRemoteQuery(command, flags);
  const auto engine = OpenSearcher(command, flags.engine);
  if (!engine.ok()) return Fail(console, engine.status());
  const Status warned = WarnOfUnknownAttributes(flags.where, (*engine)->backend(), console);
  if (!warned.ok()) return Fail(console, warned);
  auto page = QueryPage::Open(flags, (*engine)->backend());
  if (!page.ok()) return FailToWrite(console, page.status());
  return RunQueryEach([&](const auto& inputs,
                          const auto& sink) { return (*engine)->Query(inputs, flags.query, sink); },
                      flags, console, *page);
}

}  // namespace siftsearch::cli
