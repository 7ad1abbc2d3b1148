#include "report/read_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/text.h"

namespace siftsearch::report {
namespace {

using ParsedJson = nlohmann::json;

constexpr AddAction kActions[] = {AddAction::kAdded,     AddAction::kReplaced, AddAction::kMoved,
                                  AddAction::kUnchanged, AddAction::kIgnored,  AddAction::kFailed};

/// Thrown inside this file only.
struct WrongField {
  std::string field;
};

template <typename T>
T Field(const ParsedJson& json, const char* name) {
  try {
    return json.at(name).get<T>();
  } catch (const ParsedJson::exception&) {
    throw WrongField{name};
  }
}

/// As Field; null or missing gives `otherwise`.
template <typename T>
T Optional(const ParsedJson& json, const char* name, T otherwise) {
  const auto found = json.find(name);
  return found == json.end() || found->is_null() ? otherwise : Field<T>(json, name);
}

std::string PathField(const ParsedJson& json, const std::string& name) {
  if (!json.contains(name + "_base64")) return Field<std::string>(json, name.c_str());
  const auto bytes = FromBase64(Field<std::string>(json, (name + "_base64").c_str()));
  if (!bytes) throw WrongField{name + "_base64"};
  return *bytes;
}

Box BoxField(const ParsedJson& json, const char* name) {
  const auto numbers = Optional<std::vector<double>>(json, name, {0, 0, 0, 0});
  if (numbers.size() != 4) throw WrongField{name};
  return {numbers[0], numbers[1], numbers[2], numbers[3]};
}

std::vector<Point> PolygonField(const ParsedJson& json, const char* name) {
  std::vector<Point> polygon;
  for (const auto& point : Field<std::vector<std::vector<double>>>(json, name)) {
    if (point.size() != 2) throw WrongField{name};
    polygon.push_back({point[0], point[1]});
  }
  return polygon;
}

MatchKind KindField(const ParsedJson& json) {
  const auto name = Field<std::string>(json, "kind");
  for (const MatchKind kind :
       {MatchKind::kCopy, MatchKind::kSameScene, MatchKind::kSharedOverlay, MatchKind::kUnclear}) {
    if (MatchKindName(kind) == name) return kind;
  }
  throw WrongField{"kind"};
}

Transform TransformField(const ParsedJson& json) {
  Transform transform{};
  const auto rows = Optional<std::vector<std::vector<double>>>(json, "image_from_query", {});
  if (rows.empty()) return transform;
  if (rows.size() != 3) throw WrongField{"image_from_query"};
  for (std::size_t i = 0; i < 9; ++i) {
    if (rows[i / 3].size() != 3) throw WrongField{"image_from_query"};
    transform[i] = rows[i / 3][i % 3];
  }
  return transform;
}

ContentHash HashField(const ParsedJson& json) {
  ContentHash hash{};
  const auto text = Optional<std::string>(json, "sha256", "");
  if (text.empty()) return hash;
  const auto bytes = FromHex(text);
  if (!bytes || bytes->size() != hash.size()) throw WrongField{"sha256"};
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

ImageRecord ImageField(const ParsedJson& json, const std::string& name, const char* id) {
  ImageRecord image;
  image.path = PathField(json, name);
  image.id = Optional<std::int64_t>(json, id, 0);
  const ParsedJson file = Field<ParsedJson>(json, (name + "_file").c_str());
  if (!file.is_object()) throw WrongField{name + "_file"};
  image.width = Field<int>(file, "width");
  image.height = Field<int>(file, "height");
  image.pages = Optional<int>(file, "pages", 1);
  image.file_bytes = Field<std::int64_t>(file, "file_bytes");
  image.modified_ns = Field<std::int64_t>(file, "modified_ns");
  image.hash = HashField(file);
  image.attributes = Field<std::map<std::string, std::string>>(file, "attributes");
  return image;
}

Match MatchFields(const ParsedJson& json) {
  Match match;
  match.score = Field<double>(json, "score");
  match.copy = Field<bool>(json, "copy");
  match.kind = KindField(json);
  match.votes = Field<double>(json, "votes");
  match.inliers = Field<int>(json, "inliers");
  match.mirrored = Field<bool>(json, "mirrored");
  match.inverted = Field<bool>(json, "inverted");
  match.relation = Optional<std::string>(json, "relation", "");
  match.image_from_query = TransformField(json);
  match.query_box = BoxField(json, "query_box");
  match.image_box = BoxField(json, "image_box");
  match.query_polygon = PolygonField(json, "query_polygon");
  match.image_polygon = PolygonField(json, "image_polygon");
  match.query_overlap_percent = Field<double>(json, "query_overlap_percent");
  match.image_overlap_percent = Field<double>(json, "image_overlap_percent");
  for (const auto& p : Optional<std::vector<std::vector<double>>>(json, "points", {})) {
    if (p.size() != 4) throw WrongField{"points"};
    match.inlier_points.push_back({{p[0], p[1]}, {p[2], p[3]}});
  }
  if (const auto verdict = Optional<std::string>(json, "verdict", ""); !verdict.empty()) {
    match.verdict =
        verdict == VerdictName(Verdict::kConfirmed) ? Verdict::kConfirmed : Verdict::kNotACopy;
  }
  const ParsedJson evidence = Field<ParsedJson>(json, "evidence");
  for (const EvidenceTerm& term : kEvidenceTerms) {
    match.evidence.*term.value = Optional<double>(evidence, std::string(term.name).c_str(), 0);
  }
  return match;
}

ReportPair PairOf(const ParsedJson& json) {
  ReportPair pair;
  pair.query = ImageField(json, "query", "query_id");
  pair.match = MatchFields(json);
  pair.match.image = ImageField(json, "image", "image_id");
  pair.group = Optional<std::int64_t>(json, "group", 0);
  pair.bridge = Field<bool>(json, "bridge");
  pair.query_in_parts = Field<bool>(json, "query_in_parts");
  pair.image_in_parts = Field<bool>(json, "image_in_parts");
  pair.covered_percent = std::clamp(Optional<int>(json, "covered_percent", 0), 0, 100);
  return pair;
}

Match ListedMatch(const ParsedJson& json) {
  Match match = MatchFields(json);
  match.rank = Field<int>(json, "rank");
  match.image.id = Field<std::int64_t>(json, "id");
  match.image.path = PathField(json, "path");
  match.image.pages = Field<int>(json, "pages");
  match.image.width = Field<int>(json, "width");
  match.image.height = Field<int>(json, "height");
  match.image.hash = HashField(json);
  match.image.attributes = Field<std::map<std::string, std::string>>(json, "attributes");
  return match;
}

QueryResult QueryOf(const ParsedJson& json) {
  QueryResult result;
  result.query = PathField(json, "query");
  if (const auto error = Optional<std::string>(json, "error", ""); !error.empty()) {
    result.error = {StatusCode::kInvalidArgument, error};
    return result;
  }
  result.width = Field<int>(json, "width");
  result.height = Field<int>(json, "height");
  result.descriptors = Field<int>(json, "descriptors");
  result.pages = Field<int>(json, "pages");
  result.hash = HashField(json);
  for (const ParsedJson& match : Field<std::vector<ParsedJson>>(json, "matches")) {
    result.matches.push_back(ListedMatch(match));
  }
  const ParsedJson timings = Field<ParsedJson>(json, "timings_ms");
  result.timings.decode_ms = Field<double>(timings, "decode");
  result.timings.extract_ms = Field<double>(timings, "extract");
  result.timings.search_ms = Field<double>(timings, "search");
  result.timings.verify_ms = Field<double>(timings, "verify");
  return result;
}

QueryAnswer QueryAnswerOf(const ParsedJson& json) {
  QueryAnswer answer;
  answer.commit = Field<std::int64_t>(json, "commit");
  for (const ParsedJson& result : Field<std::vector<ParsedJson>>(json, "results")) {
    answer.results.push_back(QueryOf(result));
  }
  return answer;
}

ImageRecord ImageOf(const ParsedJson& json) {
  ImageRecord image;
  image.id = Field<std::int64_t>(json, "id");
  image.path = PathField(json, "path");
  image.width = Field<int>(json, "width");
  image.height = Field<int>(json, "height");
  image.descriptors = Field<int>(json, "descriptors");
  image.pages = Field<int>(json, "pages");
  image.file_bytes = Field<std::int64_t>(json, "file_bytes");
  image.modified_ns = Field<std::int64_t>(json, "modified_ns");
  image.added_s = Field<std::int64_t>(json, "added_s");
  image.content = Field<std::int64_t>(json, "content");
  image.hash = HashField(json);
  image.attributes = Field<std::map<std::string, std::string>>(json, "attributes");
  return image;
}

ImagePage ImagePageOf(const ParsedJson& json) {
  ImagePage page;
  for (const ParsedJson& image : Field<std::vector<ParsedJson>>(json, "images")) {
    page.images.push_back(ImageOf(image));
  }
  page.next = Optional<std::int64_t>(json, "next", 0);
  return page;
}

AddOutcome AddOf(const ParsedJson& json) {
  AddOutcome outcome;
  outcome.path = PathField(json, "path");
  const auto action = Field<std::string>(json, "action");
  const auto known = std::find_if(std::begin(kActions), std::end(kActions),
                                  [&](AddAction of) { return AddActionName(of) == action; });
  if (known == std::end(kActions)) throw WrongField{"action"};
  outcome.action = *known;
  outcome.id = Optional<std::int64_t>(json, "id", 0);
  outcome.width = Field<int>(json, "width");
  outcome.height = Field<int>(json, "height");
  outcome.descriptors = Field<int>(json, "descriptors");
  outcome.pages = Field<int>(json, "pages");
  outcome.reason = Optional<std::string>(json, "reason", "");
  if (json.contains("moved_from")) outcome.moved_from = PathField(json, "moved_from");
  return outcome;
}

/// What `read` makes of the object that a text is.
template <typename Read>
auto ReadObject(std::string_view text, const Read& read) -> Result<decltype(read(ParsedJson()))> {
  const ParsedJson json = ParsedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Status(StatusCode::kInvalidArgument, "is not a JSON object");
  try {
    return read(json);
  } catch (const WrongField& wrong) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("the field \"{}\" is missing or wrong", wrong.field));
  }
}

}  // namespace

Result<ReportPair> ReadPairJson(std::string_view line) { return ReadObject(line, PairOf); }

Result<QueryAnswer> ReadQueryAnswer(std::string_view text) {
  return ReadObject(text, QueryAnswerOf);
}

Result<ImagePage> ReadImagePage(std::string_view text) { return ReadObject(text, ImagePageOf); }

Result<AddOutcome> ReadAddJson(std::string_view text) { return ReadObject(text, AddOf); }

std::string ReadProblem(std::string_view text) {
  const ParsedJson json = ParsedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool told = json.is_object() && json.contains("detail") && json["detail"].is_string();
  return told ? json["detail"].get<std::string>() : "";
}

Result<std::map<std::string, std::string>> ReadItemJson(std::string_view line) {
  const ParsedJson json = ParsedJson::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Status(StatusCode::kInvalidArgument, "is not a JSON object");
  std::map<std::string, std::string> fields;
  for (const auto& [key, value] : json.items()) {
    if (value.is_structured()) {
      return Status(StatusCode::kInvalidArgument,
                    fmt::format("the field \"{}\" is neither text nor a number", key));
    }
    fields[key] = value.is_string() ? value.get<std::string>()
                  : value.is_null() ? std::string()
                                    : value.dump();
  }
  return fields;
}

bool IsPartialJson(std::string_view line) {
  const ParsedJson json = ParsedJson::parse(line, nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.contains("partial");
}

}  // namespace siftsearch::report
