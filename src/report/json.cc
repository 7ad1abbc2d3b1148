#include "report/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/hash.h"
#include "report/because.h"
#include "report/text.h"

namespace siftsearch::report {
namespace {

using Json = nlohmann::ordered_json;

std::string Line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double Rounded(double value, double steps) { return std::round(value * steps) / steps; }
double Pixels(double value) { return Rounded(value, 100); }
double Tenth(double value) { return Rounded(value, 10); }
double Percent(double value) { return Rounded(value, 10); }

void SetPath(Json& json, const std::string& name, const std::string& path) {
  json[name] = path;
  if (!IsUtf8(path)) json[name + "_base64"] = Base64(path);
}

Json PolygonJson(const std::vector<Point>& polygon) {
  Json json = Json::array();
  for (const Point& point : polygon) json.push_back({Pixels(point.x), Pixels(point.y)});
  return json;
}

Json BoxJson(const Box& box) {
  return {Pixels(box.x), Pixels(box.y), Pixels(box.width), Pixels(box.height)};
}

Json TransformJson(const Transform& t) {
  return {{t[0], t[1], t[2]}, {t[3], t[4], t[5]}, {t[6], t[7], t[8]}};
}

Json AttributesObject(const std::map<std::string, std::string>& attributes) {
  Json json = Json::object();
  for (const auto& [key, value] : attributes) json[key] = value;
  return json;
}

Json EvidenceJson(const Evidence& evidence) {
  Json json;
  for (const EvidenceTerm& term : kEvidenceTerms) {
    json[std::string(term.name)] = Rounded(evidence.*term.value, 1e4);
  }
  return json;
}

/// The fields after the names of the two images.
void SetMatch(Json& json, const Match& match) {
  json["score"] = Rounded(match.score, 1e6);
  json["copy"] = match.copy;
  json["kind"] = MatchKindName(match.kind);
  json["shared_overlay"] = match.kind == MatchKind::kSharedOverlay;
  json["votes"] = Rounded(match.votes, 100);
  json["inliers"] = match.inliers;
  json["mirrored"] = match.mirrored;
  json["inverted"] = match.inverted;
  const bool located = !match.query_polygon.empty();
  json["relation"] = located ? Json(match.relation) : Json(nullptr);
  json["image_from_query"] = located ? TransformJson(match.image_from_query) : Json(nullptr);
  json["query_box"] = located ? BoxJson(match.query_box) : Json(nullptr);
  json["image_box"] = located ? BoxJson(match.image_box) : Json(nullptr);
  json["query_polygon"] = PolygonJson(match.query_polygon);
  json["image_polygon"] = PolygonJson(match.image_polygon);
  json["query_overlap_percent"] = Percent(match.query_overlap_percent);
  json["image_overlap_percent"] = Percent(match.image_overlap_percent);
  json["attributes"] = AttributesObject(match.image.attributes);
  json["verdict"] = match.verdict ? Json(VerdictName(*match.verdict)) : Json(nullptr);
  json["because"] = Because(match);
  json["evidence"] = EvidenceJson(match.evidence);
}

/// Points that a line of a report names, spread evenly over all that agree.
constexpr std::size_t kMostPoints = 40;

Json PointsJson(const Match& match) {
  Json json = Json::array();
  const std::size_t count = match.inlier_points.size();
  const std::size_t listed = std::min(count, kMostPoints);
  for (std::size_t i = 0; i < listed; ++i) {
    const auto& [query, image] = match.inlier_points[i * count / listed];
    json.push_back({Tenth(query.x), Tenth(query.y), Tenth(image.x), Tenth(image.y)});
  }
  return json;
}

/// Null where it is not known.
Json HashJsonOf(const ContentHash& hash) {
  return hash == ContentHash{} ? Json(nullptr) : Json(ToHex(hash));
}

Json FileJson(const ImageRecord& image) {
  return {{"width", image.width},
          {"height", image.height},
          {"pages", image.pages},
          {"file_bytes", image.file_bytes},
          {"modified_ns", image.modified_ns},
          {"sha256", HashJsonOf(image.hash)},
          {"attributes", AttributesObject(image.attributes)}};
}

Json PushesJson(const std::vector<double>& pushes) {
  Json json;
  for (std::size_t i = 0; i < pushes.size(); ++i) {
    json[std::string(kEvidenceTerms[i].name)] = Rounded(pushes[i], 1e4);
  }
  return json;
}

Json MatchJson(const Match& match, const PushesOf& pushes_of, bool points) {
  Json json;
  json["rank"] = match.rank;
  json["id"] = match.image.id;
  SetPath(json, "path", match.image.path);
  json["pages"] = match.image.pages;
  json["width"] = match.image.width;
  json["height"] = match.image.height;
  json["sha256"] = HashJsonOf(match.image.hash);
  SetMatch(json, match);
  if (points) json["points"] = PointsJson(match);
  if (pushes_of) json["pushes"] = PushesJson(pushes_of(match.evidence));
  return json;
}

}  // namespace

std::string AttributesJson(const std::map<std::string, std::string>& attributes) {
  return AttributesObject(attributes).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string AddJson(const AddOutcome& outcome) {
  Json json;
  SetPath(json, "path", outcome.path);
  json["action"] = AddActionName(outcome.action);
  json["id"] = outcome.id > 0 ? Json(outcome.id) : Json(nullptr);
  json["width"] = outcome.width;
  json["height"] = outcome.height;
  json["descriptors"] = outcome.descriptors;
  json["pages"] = outcome.pages;
  if (!outcome.moved_from.empty()) SetPath(json, "moved_from", outcome.moved_from);
  json["reason"] = outcome.reason.empty() ? Json(nullptr) : Json(outcome.reason);
  return Line(json);
}

std::string QueryJson(const QueryResult& result, const PushesOf& pushes_of, bool points) {
  Json json;
  SetPath(json, "query", result.query);
  json["error"] = result.error.ok() ? Json(nullptr) : Json(result.error.message());
  json["width"] = result.width;
  json["height"] = result.height;
  json["descriptors"] = result.descriptors;
  json["pages"] = result.pages;
  json["sha256"] = HashJsonOf(result.hash);
  json["matches"] = Json::array();
  for (const Match& match : result.matches) {
    json["matches"].push_back(MatchJson(match, pushes_of, points));
  }
  json["timings_ms"] = {{"decode", Rounded(result.timings.decode_ms, 100)},
                        {"extract", Rounded(result.timings.extract_ms, 100)},
                        {"search", Rounded(result.timings.search_ms, 100)},
                        {"verify", Rounded(result.timings.verify_ms, 100)}};
  return Line(json);
}

std::string PairJson(const ReportPair& pair) {
  Json json;
  SetPath(json, "query", pair.query.path);
  json["query_id"] = pair.query.id > 0 ? Json(pair.query.id) : Json(nullptr);
  SetPath(json, "image", pair.match.image.path);
  json["image_id"] = pair.match.image.id;
  SetMatch(json, pair.match);
  json["group"] = pair.group > 0 ? Json(pair.group) : Json(nullptr);
  json["bridge"] = pair.bridge;
  json["query_in_parts"] = pair.query_in_parts;
  json["image_in_parts"] = pair.image_in_parts;
  json["covered_percent"] = pair.covered_percent;
  json["query_file"] = FileJson(pair.query);
  json["image_file"] = FileJson(pair.match.image);
  json["points"] = PointsJson(pair.match);
  return Line(json);
}

std::string PartialJson(const std::string& about) {
  return Line({{"partial", true}, {"about", about}});
}

std::string ImageJson(const ImageRecord& image) {
  Json json;
  json["id"] = image.id;
  SetPath(json, "path", image.path);
  json["width"] = image.width;
  json["height"] = image.height;
  json["descriptors"] = image.descriptors;
  json["pages"] = image.pages;
  json["file_bytes"] = image.file_bytes;
  json["modified_ns"] = image.modified_ns;
  json["added_s"] = image.added_s;
  json["content"] = image.content;
  json["sha256"] = ToHex(image.hash);
  json["attributes"] = AttributesObject(image.attributes);
  return Line(json);
}

std::string StatsJson(const BackendStats& stats, const ExtractorSettings& settings) {
  Json json;
  json["images"] = stats.images;
  json["contents"] = stats.contents;
  json["descriptors"] = stats.descriptors;
  json["removed_descriptors"] = stats.removed_descriptors;
  json["segments"] = stats.segments;
  json["segment_bytes"] = stats.segment_bytes;
  json["catalog_bytes"] = stats.catalog_bytes;
  json["generation"] = stats.generation;
  json["index"] = stats.index;
  json["index_in_use"] = stats.index_in_use;
  json["index_bytes"] = stats.index_bytes;
  json["kernel"] = stats.kernel;
  json["extractor"] = settings.extractor;
  json["features"] = settings.max_features;
  json["max_side"] = settings.max_side;
  return Line(json);
}

std::string HashJson(const std::string& path, const Result<PictureHash>& hash) {
  Json json;
  SetPath(json, "path", path);
  json["error"] = hash.ok() ? Json() : Json(hash.status().message());
  if (!hash.ok()) return Line(json);
  json["pdq"] = hash->pdq.front();
  json["quality"] = hash->quality;
  json["turned"] = std::vector<std::string>(hash->pdq.begin() + 1, hash->pdq.end());
  return Line(json);
}

std::string CheckJson(std::span<const CheckProblem> problems) {
  Json json;
  json["sound"] = problems.empty();
  json["problems"] = Json::array();
  for (const CheckProblem& problem : problems) {
    Json entry;
    SetPath(entry, "file", problem.file);
    entry["problem"] = problem.problem;
    json["problems"].push_back(std::move(entry));
  }
  return Line(json);
}

}  // namespace siftsearch::report
