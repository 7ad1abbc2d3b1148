#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/hash.h"
#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/lookup.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "engine/picture_file.h"
#include "report/csv.h"
#include "report/read_csv.h"
#include "report/text.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

std::int64_t NowSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The content of an image of the database, or of a file.
Result<ContentHash> HashOf(const BackendSnapshot& snapshot, const std::string& name) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto image, FindImage(snapshot, name));
  if (image) return image->hash;
  const auto file = engine::ReadPictureFile(name, {});
  if (!file.ok()) return Status(file.status().code(), name + ": " + file.status().message());
  return Sha256(file->bytes);
}

VerdictRecord RecordOf(const ContentHash& a, const ContentHash& b, Verdict verdict,
                       std::int64_t decided_s) {
  // Of one picture the zeros are the second.
  const bool turned = b != ContentHash{} && b < a;
  return {turned ? b : a, turned ? a : b, verdict, decided_s};
}

Result<ContentHash> HashField(const std::string& text, const std::string& column) {
  ContentHash hash{};
  if (text.empty()) return hash;
  const auto bytes = report::FromHex(text);
  if (!bytes || bytes->size() != hash.size()) {
    return Status(StatusCode::kInvalidArgument, column + " is not a SHA-256 in hexadecimal");
  }
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

/// What a row of `verdict export`, or of the decisions of a report's page, decides; none for a
/// decision that is no verdict.
Result<std::optional<VerdictRecord>> VerdictOf(const std::map<std::string, std::string>& row,
                                               bool from_page) {
  const std::string word = row.at(from_page ? "decision" : "verdict");
  const bool not_a_copy = word == "not a copy" || word == "not_a_copy";
  const bool confirmed = word == "confirmed" || (from_page && word == "copy");
  if (!not_a_copy && !confirmed) {
    if (from_page && (word == "keep" || word.empty())) return std::optional<VerdictRecord>();
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("\"{}\" is neither confirmed nor not_a_copy", word));
  }
  const char* first = from_page ? "sha256" : "a";
  const char* second = from_page ? "original_sha256" : "b";
  SIFTSEARCH_ASSIGN_OR_RETURN(const ContentHash a, HashField(row.at(first), first));
  SIFTSEARCH_ASSIGN_OR_RETURN(const ContentHash b, HashField(row.at(second), second));
  if (a == ContentHash{}) return Status(StatusCode::kInvalidArgument, "names no content");
  if (b == ContentHash{} && (confirmed || from_page)) {
    return Status(StatusCode::kInvalidArgument, std::string(second) + " names no content");
  }
  if (a == b) return std::optional<VerdictRecord>();  // The original of its group.
  std::int64_t decided_s = NowSeconds();
  if (!from_page && row.contains("decided_s")) {
    try {
      decided_s = std::stoll(row.at("decided_s"));
    } catch (const std::exception&) {
      return Status(StatusCode::kInvalidArgument, "decided_s is not a number");
    }
  }
  const Verdict verdict = not_a_copy ? Verdict::kNotACopy : Verdict::kConfirmed;
  return std::optional<VerdictRecord>(RecordOf(a, b, verdict, decided_s));
}

Result<std::vector<VerdictRecord>> ReadVerdicts(const std::string& name) {
  std::ifstream in(name);
  const auto about = [&](const Status& status) {
    return Status(StatusCode::kInvalidArgument, name + ": " + status.message());
  };
  if (!in) return Status(StatusCode::kInvalidArgument, name + " can't be read");
  auto csv = report::CsvReader::Open(in);
  if (!csv.ok()) return about(csv.status());
  const bool from_page = csv->Has("decision") && csv->Has("sha256") && csv->Has("original_sha256");
  if (!from_page && !(csv->Has("a") && csv->Has("b") && csv->Has("verdict"))) {
    return about({StatusCode::kInvalidArgument,
                  "has neither the columns a,b,verdict nor decision,sha256,original_sha256"});
  }
  std::vector<VerdictRecord> verdicts;
  while (true) {
    const auto row = csv->Next();
    if (!row.ok()) return about(row.status());
    if (!row.value()) return verdicts;
    const auto verdict = VerdictOf(*row.value(), from_page);
    if (!verdict.ok()) {
      return about({StatusCode::kInvalidArgument,
                    fmt::format("line {}: {}", csv->line(), verdict.status().message())});
    }
    if (verdict.value()) verdicts.push_back(*verdict.value());
  }
}

int Export(const BackendSnapshot& snapshot, const std::string& file, const Console& console) {
  const auto verdicts = snapshot.Verdicts();
  if (!verdicts.ok()) return Fail(console, verdicts.status());
  auto output = Output::Open(file);
  if (!output.ok()) return FailToWrite(console, output.status());
  output->Write("a,b,verdict,decided_s\n");
  for (const VerdictRecord& record : *verdicts) {
    const std::string b = record.b == ContentHash{} ? "" : ToHex(record.b);
    output->Write(fmt::format("{},{},{},{}\n", ToHex(record.a), b, VerdictName(record.verdict),
                              record.decided_s));
  }
  return Finish(console, *output, kExitDone);
}

/// Verdicts on the one or two images named.
Result<VerdictRecord> NamedVerdict(const BackendSnapshot& snapshot,
                                   const std::vector<std::string>& words) {
  const Verdict verdict = words[0] == "confirm" ? Verdict::kConfirmed : Verdict::kNotACopy;
  SIFTSEARCH_ASSIGN_OR_RETURN(const ContentHash a, HashOf(snapshot, words[1]));
  ContentHash b{};
  if (words.size() > 2) {
    SIFTSEARCH_ASSIGN_OR_RETURN(b, HashOf(snapshot, words[2]));
  }
  if (a == b) return Status(StatusCode::kInvalidArgument, "both are the same file");
  return RecordOf(a, b, verdict, NowSeconds());
}

void CheckWords(const std::vector<std::string>& words) {
  if (words.empty())
    throw UsageError("verdict what? (confirm, not-a-copy, forget, export, import)");
  CheckOneOf("verdict", words[0], {"confirm", "not-a-copy", "forget", "export", "import"});
  const std::size_t names = words.size() - 1;
  const bool fits = words[0] == "export"    ? names == 0
                    : words[0] == "import"  ? names == 1
                    : words[0] == "confirm" ? names == 2
                                            : names == 1 || names == 2;
  if (!fits) {
    throw UsageError("verdict confirm A B, not-a-copy A [B], forget A [B], export, import FILE");
  }
}

}  // namespace

int RunVerdict(Command& command) {
  std::vector<std::string> words;
  std::string file;
  EngineFlags flags;
  command.Options()("output,o", po::value(&file)->value_name("FILE"),
                    "of export: write to FILE [stdout]");
  flags.AddLockWait(command);
  command.Positional(&words);
  command.Parse();
  CheckWords(words);
  const Console& console = command.console();
  const auto engine = Engine::Open(command.database(), flags.Options());
  if (!engine.ok()) return Fail(console, engine.status());
  SearchBackend& backend = (*engine)->backend();
  const auto snapshot = backend.Pin();
  if (!snapshot.ok()) return Fail(console, snapshot.status());
  if (words[0] == "export") return Export(**snapshot, file, console);
  std::vector<VerdictRecord> verdicts;
  if (words[0] == "import") {
    auto read = ReadVerdicts(words[1]);
    if (!read.ok()) {
      console.Error(read.status().message());
      return kExitSomeFailed;
    }
    verdicts = std::move(read).value();
  } else {
    const auto named = NamedVerdict(**snapshot, words);
    if (!named.ok()) {
      console.Error(named.status().message());
      return kExitSomeFailed;
    }
    verdicts.push_back(*named);
  }
  if (words[0] == "forget") {
    const auto forgotten = backend.ForgetVerdicts(verdicts);
    if (!forgotten.ok()) return Fail(console, forgotten.status());
    console.Note(fmt::format("{} verdicts forgotten", *forgotten));
    return kExitDone;
  }
  const Status put = backend.PutVerdicts(verdicts);
  if (!put.ok()) return Fail(console, put);
  console.Note(fmt::format("{} verdicts remembered", verdicts.size()));
  return kExitDone;
}

}  // namespace siftsearch::cli
