// Pastec (github.com/magwyz/pastec, requesthandler.cpp and messages.h). The number of an image is
// its key, and its tag the attribute "tag". Failures have a type and the status 200, as there.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "server/compat.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostMatches = 100;
constexpr std::size_t kMostTagBytes = 4'096;

/// An answer: {"type": …} and its fields.
Json Message(const char* type, Json fields = Json::object()) {
  Json message{{"type", type}};
  message.update(fields);
  return message;
}

Json Failure(const Status& status) {
  const char* type = "ERROR_GENERIC";
  if (status.code() == StatusCode::kInvalidArgument) type = "MISFORMATTED_REQUEST";
  if (status.code() == StatusCode::kLimitExceeded) type = "IMAGE_DATA_TOO_BIG";
  if (status.code() == StatusCode::kBusy) type = "TOO_MANY_CLIENTS";
  return Message(type, {{"message", status.message()}});
}

/// The picture of a body: its bytes, or those behind {"url"}. Clients send either under any type.
Result<Upload> BodyUpload(Service& service, const Request& request) {
  Request typed = request;
  typed.headers["content-type"] =
      request.body.starts_with('{') ? "application/json" : "application/octet-stream";
  SIFTSEARCH_ASSIGN_OR_RETURN(auto uploads, UploadsOf(service, typed));
  if (uploads.size() != 1 || !uploads[0].key.empty()) {
    return Status(StatusCode::kInvalidArgument, "one picture is expected, or {\"url\"}");
  }
  return std::move(uploads[0]);
}

Result<std::int64_t> NumberOf(const Call& call) {
  const auto number = NumberOfKey(call["number"]);
  if (!number) {
    return Status(StatusCode::kInvalidArgument, call["number"] + " is no number of an image");
  }
  return *number;
}

std::string TagOf(const ImageRecord& image) {
  const auto tag = image.attributes.find("tag");
  return tag == image.attributes.end() ? "" : tag->second;
}

Result<Json> Put(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(call));
  SIFTSEARCH_ASSIGN_OR_RETURN(Upload upload, BodyUpload(service, call.request));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  if (!upload.problem.ok()) {
    return Message("IMAGE_DOWNLOADER_HTTP_ERROR", {{"message", upload.problem.message()}});
  }
  const auto outcome = CompatPut(*collection, call["number"], std::move(upload));
  if (!outcome.ok() && outcome.status().code() == StatusCode::kInvalidArgument) {
    return Message("IMAGE_NOT_DECODED", {{"message", outcome.status().message()}});
  }
  SIFTSEARCH_RETURN_IF_ERROR(outcome.status());
  return Message("IMAGE_ADDED",
                 {{"image_id", number}, {"nb_features_extracted", outcome->descriptors}});
}

Result<Json> Remove(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(call));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool removed, RemoveKey(*collection, call["number"]));
  return Message(removed ? "IMAGE_REMOVED" : "IMAGE_NOT_FOUND", {{"image_id", number}});
}

/// Gives an image a tag; "" takes it away. Returns the tag before, or none without such an image.
Result<std::optional<std::string>> SetTag(Service& service, const Call& call,
                                          const std::string& tag) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto image, snapshot->FindPath(call["number"]));
  if (!image) return std::optional<std::string>();
  PutItem item;
  item.path = image->path;
  item.file_bytes = image->file_bytes;
  item.modified_ns = image->modified_ns;
  item.hash = image->hash;
  item.attributes["tag"] = tag;
  SIFTSEARCH_RETURN_IF_ERROR(collection->engine().backend().Put({&item, 1}).status());
  return std::optional(TagOf(*image));
}

Result<Json> PutTag(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(call));
  const std::string& tag = call.request.body;
  if (tag.empty() || tag.size() > kMostTagBytes) {
    return Status(StatusCode::kInvalidArgument, "a tag has 1 to 4,096 bytes");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto before, SetTag(service, call, tag));
  return Message(before ? "IMAGE_TAG_ADDED" : "IMAGE_NOT_FOUND", {{"image_id", number}});
}

Result<Json> RemoveTag(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(call));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto before, SetTag(service, call, ""));
  const bool had = before && !before->empty();
  return Message(had ? "IMAGE_TAG_REMOVED" : "IMAGE_TAG_NOT_FOUND", {{"image_id", number}});
}

/// The copies among the matches whose key is a number: lists of one length, best first.
Json SearchResults(const QueryResult& result) {
  Json ids = Json::array(), boxes = Json::array(), scores = Json::array(), tags = Json::array();
  for (const Match& match : result.matches) {
    const auto number = NumberOfKey(match.image.path);
    if (!number || !match.copy) continue;
    ids.push_back(*number);
    boxes.push_back({{"x", match.query_box.x},
                     {"y", match.query_box.y},
                     {"width", match.query_box.width},
                     {"height", match.query_box.height}});
    scores.push_back(match.score);
    tags.push_back(TagOf(match.image));
  }
  return Message("SEARCH_RESULTS", {{"image_ids", std::move(ids)},
                                    {"bounding_rects", std::move(boxes)},
                                    {"scores", std::move(scores)},
                                    {"tags", std::move(tags)}});
}

Result<Json> SearchFor(Service& service, Upload upload, const CallOptions& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  if (!upload.problem.ok()) {
    return Message("IMAGE_DOWNLOADER_HTTP_ERROR", {{"message", upload.problem.message()}});
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const QueryResult result,
      CompatQuery(service, *collection, std::move(upload), kMostMatches, call));
  if (result.error.ok()) return SearchResults(result);
  const bool missing = result.error.code() == StatusCode::kNotFound;
  return Message(missing ? "IMAGE_NOT_FOUND" : "IMAGE_NOT_DECODED",
                 {{"message", result.error.message()}});
}

Result<Json> Search(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Upload upload, BodyUpload(service, call.request));
  return SearchFor(service, std::move(upload), call.request.call);
}

Result<Json> SearchStored(Service& service, const Call& call) {
  SIFTSEARCH_RETURN_IF_ERROR(NumberOf(call).status());
  Upload stored;
  stored.key = call["number"];
  return SearchFor(service, std::move(stored), call.request.call);
}

Result<Json> ImageNumbers(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection->Pin());
  Json ids = Json::array();
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->List(
      [&](const ImageRecord& image) {
        if (const auto number = NumberOfKey(image.path)) ids.push_back(*number);
        return true;
      },
      call.request.call));
  return Message("INDEX_IMAGE_IDS", {{"image_ids", std::move(ids)}});
}

/// What is written here is durable and loaded at once, so loading and writing have nothing to do.
Result<Json> IndexIo(Service&, const Call& call) {
  const Json json = Json::parse(call.request.body, nullptr, false);
  const Json type = json.is_object() ? json.value("type", Json()) : Json();
  if (type == "LOAD") return Message("INDEX_LOADED");
  if (type == "WRITE") return Message("INDEX_WRITTEN");
  if (type == "LOAD_TAGS") return Message("INDEX_TAGS_LOADED");
  if (type == "WRITE_TAGS") return Message("INDEX_TAGS_WRITTEN");
  if (type == "CLEAR") {
    return Status(StatusCode::kUnsupported,
                  "a collection is not cleared by this call; DELETE /v1/collections/NAME does it");
  }
  return Status(StatusCode::kInvalidArgument, "type is LOAD, WRITE, LOAD_TAGS or WRITE_TAGS");
}

Result<Json> Ping(Service&, const Call& call) {
  const Json json = Json::parse(call.request.body, nullptr, false);
  if (json.is_object() && json.value("type", Json()) == "PING") return Message("PONG");
  return Status(StatusCode::kInvalidArgument, "the body is {\"type\": \"PING\"}");
}

template <Result<Json> (*Do)(Service&, const Call&)>
Response Answer(Service& service, const Call& call) {
  const auto json = Do(service, call);
  return JsonAnswer(json.ok() ? *json : Failure(json.status()));
}

}  // namespace

std::span<const Route> PastecRoutes() {
  static constexpr std::string_view kImage = "/index/images/{number}";
  static constexpr std::string_view kTag = "/index/images/{number}/tag";
  static constexpr Route kRoutes[] = {
      {"PUT", kImage, Work::kWrite, Right::kWrite, Answer<Put>, true, true},
      {"DELETE", kImage, Work::kWrite, Right::kWrite, Answer<Remove>, false, true},
      {"GET", kImage, Work::kSearch, Right::kRead, Answer<SearchStored>, false, true},
      {"PUT", kTag, Work::kWrite, Right::kWrite, Answer<PutTag>, true, true},
      {"DELETE", kTag, Work::kWrite, Right::kWrite, Answer<RemoveTag>, false, true},
      {"POST", "/index/searcher", Work::kSearch, Right::kRead, Answer<Search>, true, true},
      {"POST", "/index/io", Work::kInline, Right::kRead, Answer<IndexIo>, true, true},
      {"GET", "/index/imageIds", Work::kRead, Right::kRead, Answer<ImageNumbers>, false, true},
      {"POST", "/", Work::kInline, Right::kNone, Answer<Ping>, true, true},
  };
  return kRoutes;
}

}  // namespace siftsearch::server
