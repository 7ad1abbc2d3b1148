// faiss-web-service (github.com/waltyou/faiss-web-service, blueprint.py and faiss_index.py).
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/picture_file.h"
#include "server/compat.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFewestVotes = 5;  ///< Keypoints that must agree.
constexpr std::int64_t kMostNeighbours = 1'000;
constexpr std::size_t kMostIds = 1'000;

Response Text(int status, std::string text) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

Response BadRequest(const Status& status) { return Text(400, "Bad request: " + status.message()); }

Response Ping(Service&, const Call&) { return Text(200, "pong"); }

/// The picture at a path of this machine, which must lie below the image root, links followed.
Upload ServerFile(const Service& service, const std::string& path) {
  namespace fs = std::filesystem;
  Upload upload;
  upload.problem = {StatusCode::kInvalidArgument,
                    "image is neither base64 nor a data: URI, nor a file below --image-root"};
  if (service.options().image_root.empty()) return upload;
  std::error_code error;
  const fs::path root = fs::canonical(service.options().image_root, error);
  const fs::path file = error ? fs::path() : fs::canonical(root / path, error);
  const fs::path from_root = file.lexically_relative(root);
  if (error || from_root.empty() || *from_root.begin() == "..") return upload;
  auto picture = engine::ReadPictureFile(file.string(), service.options().engine.limits);
  upload.problem = picture.status();
  if (picture.ok()) upload.bytes = std::move(picture->bytes);
  return upload;
}

Upload ImageOf(const Service& service, const std::string& text) {
  Upload upload;
  auto bytes = DecodeImageText(text);
  if (!bytes.ok()) return ServerFile(service, text);
  upload.bytes = std::move(bytes).value();
  return upload;
}

/// What was asked for.
struct SeedQuery {
  int k = 0;
  std::vector<std::int64_t> ids;
  std::optional<std::string> image;
};

Result<SeedQuery> ParseQuery(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return Status(StatusCode::kInvalidArgument, "the body is no JSON object");
  const Json k = json.value("k", Json());
  if (!k.is_number_integer() || k < 1 || k > kMostNeighbours) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("k is a whole number from 1 to {}", kMostNeighbours));
  }
  SeedQuery query;
  query.k = k;
  if (json.contains("vectors")) {
    return Status(StatusCode::kInvalidArgument,
                  "vectors are not searched: one descriptor says nothing about a picture; send the "
                  "picture as image");
  }
  if (json.contains("ids")) {
    const Json& ids = json.at("ids");
    const bool numbers =
        ids.is_array() && ids.size() <= kMostIds &&
        std::all_of(ids.begin(), ids.end(), [](const Json& id) { return id.is_number_integer(); });
    if (!numbers) {
      return Status(StatusCode::kInvalidArgument,
                    fmt::format("ids is an array of at most {} whole numbers", kMostIds));
    }
    query.ids = ids.get<std::vector<std::int64_t>>();
  }
  if (json.contains("image")) {
    if (!json.at("image").is_string()) {
      return Status(StatusCode::kInvalidArgument, "image is a text");
    }
    query.image = json.at("image").get<std::string>();
  }
  if (query.ids.empty() && !query.image) {
    return Status(StatusCode::kInvalidArgument, "neither ids nor image is given");
  }
  return query;
}

/// The neighbours of a result: by the share of the query's keypoints that agree, best first.
Json NeighboursOf(const QueryResult& result, int k) {
  std::vector<const Match*> matches;
  for (const Match& match : result.matches) {
    if (match.inliers >= kFewestVotes || match.score == 1) matches.push_back(&match);
  }
  std::stable_sort(matches.begin(), matches.end(),
                   [](const Match* one, const Match* two) { return one->inliers > two->inliers; });
  if (matches.size() > static_cast<std::size_t>(k)) matches.resize(static_cast<std::size_t>(k));
  Json neighbours = Json::array();
  for (const Match* match : matches) {
    const int share = result.descriptors > 0 ? 100 * match->inliers / result.descriptors : 0;
    neighbours.push_back({{"id", match->image.id},
                          {"file_path", match->image.path},
                          {"score", std::to_string(std::min(share, 100))}});
  }
  return neighbours;
}

Response Search(Service& service, const Call& call) {
  const auto query = ParseQuery(call.request.body);
  if (!query.ok()) return BadRequest(query.status());
  const auto collection = CompatCollection(service);
  if (!collection.ok()) return Problem(collection.status());
  Json answers = Json::array();
  const auto add = [&](Json id, Upload upload) -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(
        const QueryResult result,
        CompatQuery(service, **collection, std::move(upload), query->k, call.request.call));
    SIFTSEARCH_RETURN_IF_ERROR(result.error);
    // The contract's spelling.
    answers.push_back(Json{{"id", std::move(id)}, {"neighbors", NeighboursOf(result, query->k)}});
    return {};
  };
  const auto snapshot = (*collection)->Pin();
  if (!snapshot.ok()) return Problem(snapshot.status());
  for (const std::int64_t id : query->ids) {
    const auto image = (*snapshot)->FindId(id);
    if (!image.ok()) return Problem(image.status());
    if (!image->has_value()) return Text(404, fmt::format("Not found: there is no image {}", id));
    Upload stored;
    stored.key = (*image)->path;
    const Status added = add(id, std::move(stored));
    if (!added.ok()) return Problem(added);
  }
  if (query->image) {
    const Status added = add(nullptr, ImageOf(service, *query->image));
    if (!added.ok()) return BadRequest(added);
  }
  return JsonAnswer(answers);
}

}  // namespace

std::span<const Route> SeedRoutes() {
  static constexpr Route kRoutes[] = {
      {"GET", "/ping", Work::kInline, Right::kNone, Ping, false, true},
      {"POST", "/faiss/search", Work::kSearch, Right::kRead, Search, true, true},
  };
  return kRoutes;
}

}  // namespace siftsearch::server
