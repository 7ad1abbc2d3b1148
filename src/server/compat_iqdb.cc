// iqdb as danbooru runs it (github.com/danbooru/iqdb, src/server.cpp). The number of a post is the
// key of its image. What iqdb calls a signature is none of ours, so it is left out.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/status_macros.h"
#include "server/compat.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

/// iqdb answers every failure so, and its clients take any status but 200 for one.
Response Failure(const Status& status) {
  const int number = ProblemOf(status).first;
  return JsonAnswer({{"exception", ProblemOf(status).second}, {"message", status.message()}},
                    number);
}

Result<Upload> OnlyUpload(Service& service, const Request& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto uploads, UploadsOf(service, request));
  if (uploads.size() != 1 || !uploads[0].key.empty()) {
    return Status(StatusCode::kInvalidArgument, "one picture is expected, as the part \"file\"");
  }
  return std::move(uploads[0]);
}

Result<Json> Put(Service& service, const Call& call) {
  const auto number = NumberOfKey(call["number"]);
  if (!number) {
    return Status(StatusCode::kInvalidArgument, call["number"] + " is no number of a post");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(Upload upload, OnlyUpload(service, call.request));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  const ContentHash hash = Sha256(upload.bytes);
  SIFTSEARCH_RETURN_IF_ERROR(CompatPut(*collection, call["number"], std::move(upload)).status());
  return Json{{"post_id", *number}, {"hash", ToHex(hash)}};
}

Result<Json> Remove(Service& service, const Call& call) {
  const auto number = NumberOfKey(call["number"]);
  if (!number) {
    return Status(StatusCode::kInvalidArgument, call["number"] + " is no number of a post");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_RETURN_IF_ERROR(RemoveKey(*collection, call["number"]).status());
  return Json{{"post_id", *number}};
}

Result<Json> Query(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t limit,
                              WholeNumberOf(call.request, "limit", 10, 1, 1'000));
  if (call.request.Parameter("hash")) {
    return Status(StatusCode::kInvalidArgument,
                  "a hash says nothing about a picture here: send the picture as file");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(Upload upload, OnlyUpload(service, call.request));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const QueryResult result,
                              CompatQuery(service, *collection, std::move(upload),
                                          static_cast<int>(limit), call.request.call));
  SIFTSEARCH_RETURN_IF_ERROR(result.error);
  Json matches = Json::array();
  for (const Match& match : result.matches) {
    if (const auto number = NumberOfKey(match.image.path)) {
      matches.push_back(
          {{"post_id", *number}, {"score", 100 * match.score}, {"hash", ToHex(match.image.hash)}});
    }
  }
  return matches;
}

Result<Json> ImageCount(Service& service, const Call&) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, snapshot->Stats());
  return Json{{"images", stats.images}};
}

template <Result<Json> (*Do)(Service&, const Call&)>
Response Answer(Service& service, const Call& call) {
  const auto json = Do(service, call);
  return json.ok() ? JsonAnswer(*json) : Failure(json.status());
}

}  // namespace

std::span<const Route> IqdbRoutes() {
  static constexpr Route kRoutes[] = {
      {"POST", "/images/{number}", Work::kWrite, Right::kWrite, Answer<Put>, true, true},
      {"DELETE", "/images/{number}", Work::kWrite, Right::kWrite, Answer<Remove>, false, true},
      {"POST", "/query", Work::kSearch, Right::kRead, Answer<Query>, true, true},
      {"GET", "/status", Work::kRead, Right::kRead, Answer<ImageCount>, false, true},
  };
  return kRoutes;
}

}  // namespace siftsearch::server
