#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/status_macros.h"
#include "engine/where.h"
#include "report/json.h"
#include "report/text.h"
#include "server/api.h"
#include "server/multipart.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostVerdicts = 100'000;

Response JsonOf(std::string json) {
  Response response;
  response.body = std::move(json) + "\n";
  return response;
}

/// The options of a query that its address asks for, over the server's.
Result<QueryOptions> QueryOptionsOf(const Service& service, const Request& request) {
  QueryOptions options = service.options().query;
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t top,
                              WholeNumberOf(request, "top", options.top, 1, 1'000));
  SIFTSEARCH_ASSIGN_OR_RETURN(options.min_score,
                              NumberOf(request, "min_score", options.min_score, 0, 1));
  SIFTSEARCH_ASSIGN_OR_RETURN(const double false_alarms,
                              NumberOf(request, "max_false_alarms", 1e9, 1e-300, 1e300));
  options.top = static_cast<int>(top);
  options.max_candidates = std::max(options.max_candidates, options.top);
  options.max_log10_false_alarms = std::log10(false_alarms);
  if (const auto text = request.Parameter("where"); text && !text->empty()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto where, engine::Where::Parse(*text));
    options.accept = [where](const ImageRecord& image) { return where.Matches(image); };
  }
  options.call = request.call;
  return options;
}

bool IsAsked(const Request& request, const char* name) {
  const auto value = request.Parameter(name);
  return value && (*value == "1" || *value == "true");
}

struct QueryAnswer {
  std::string results;  ///< Joined by commas.
  Status only_error;    ///< Of the last picture.
};

Result<QueryAnswer> QueryAll(Service& service, Collection& collection, const Call& call,
                             std::vector<Upload> uploads) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const QueryOptions options, QueryOptionsOf(service, call.request));
  const report::PushesOf pushes =
      IsAsked(call.request, "explain") ? report::PushesOf(Explain) : report::PushesOf();
  const bool points = IsAsked(call.request, "points");
  QueryAnswer answer;
  std::size_t next = 0;
  SIFTSEARCH_RETURN_IF_ERROR(collection.engine().Query(
      [&]() -> std::optional<QueryInput> {
        if (next == uploads.size()) return std::nullopt;
        return QueryInputOf(std::move(uploads[next++]));
      },
      options,
      [&](const QueryResult& result) {
        if (!answer.results.empty()) answer.results += ',';
        answer.results += report::QueryJson(result, pushes, points);
        answer.only_error = result.error;
        service.metrics().CountQuery(result.timings);
      }));
  return answer;
}

/// The two pictures of a comparison, whose names must differ.
Result<std::vector<Upload>> TwoUploads(Service& service, const Request& request) {
  std::vector<Upload> uploads;
  if (request.MediaType() == "application/json") {
    const Json json = Json::parse(request.body, nullptr, false);
    for (const char* name : {"image1", "image2"}) {
      const bool is_text = json.is_object() && json.contains(name) && json.at(name).is_string();
      if (!is_text) {
        return Status(StatusCode::kInvalidArgument,
                      "the body is no JSON object with the texts image1 and image2 (base64)");
      }
      auto bytes = DecodeImageText(json.at(name).get_ref<const std::string&>());
      Upload upload;
      upload.problem = bytes.status();
      if (bytes.ok()) upload.bytes = std::move(bytes).value();
      uploads.push_back(std::move(upload));
    }
  } else {
    SIFTSEARCH_ASSIGN_OR_RETURN(uploads, UploadsOf(service, request));
  }
  if (uploads.size() != 2) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("two pictures are expected, not {}", uploads.size()));
  }
  uploads[0].name = "image1";
  uploads[1].name = "image2";
  return uploads;
}

std::int64_t NowSeconds() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch())
      .count();
}

/// A SHA-256 of JSON; all zeros for null where that may be.
Result<ContentHash> HashOf(const Json& json, const char* name, bool may_be_null) {
  ContentHash hash{};
  if (may_be_null && (!json.contains(name) || json.at(name).is_null())) return hash;
  const bool is_text = json.contains(name) && json.at(name).is_string();
  const auto bytes = report::FromHex(is_text ? json.at(name).get<std::string>() : "");
  if (!bytes || bytes->size() != hash.size()) {
    return Status(StatusCode::kInvalidArgument,
                  std::string(name) + " is the SHA-256 of a file, 64 hexadecimal digits");
  }
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

/// Verdicts to keep and to forget.
struct VerdictLists {
  std::vector<VerdictRecord> kept, forgotten;
};

Status AddVerdict(const Json& json, VerdictLists& lists) {
  if (!json.is_object()) return {StatusCode::kInvalidArgument, "is no object"};
  VerdictRecord record;
  SIFTSEARCH_ASSIGN_OR_RETURN(record.a, HashOf(json, "a", false));
  SIFTSEARCH_ASSIGN_OR_RETURN(record.b, HashOf(json, "b", true));
  if (record.a == record.b) {
    return {StatusCode::kInvalidArgument, "a and b are the same content"};
  }
  const std::string word =
      json.contains("verdict") && json.at("verdict").is_string() ? json.at("verdict") : "";
  const bool one = record.b == ContentHash{};
  if (!one && record.b < record.a) std::swap(record.a, record.b);
  record.decided_s = NowSeconds();
  record.verdict = word == "confirmed" ? Verdict::kConfirmed : Verdict::kNotACopy;
  if (word == "none") {
    lists.forgotten.push_back(record);
  } else if (word == "not_a_copy" || (word == "confirmed" && !one)) {
    lists.kept.push_back(record);
  } else {
    return {StatusCode::kInvalidArgument, one ? "of one picture the verdict is not_a_copy or none"
                                              : "the verdict is confirmed, not_a_copy or none"};
  }
  return {};
}

Result<VerdictLists> VerdictsOf(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("verdicts") || !json.at("verdicts").is_array()) {
    return Status(StatusCode::kInvalidArgument,
                  "the body is no JSON object with an array \"verdicts\"");
  }
  const Json& list = json.at("verdicts");
  if (list.size() > kMostVerdicts) {
    return Status(StatusCode::kLimitExceeded, fmt::format("more than {} verdicts", kMostVerdicts));
  }
  VerdictLists lists;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Status added = AddVerdict(list[i], lists);
    if (!added.ok())
      return Status(added.code(), fmt::format("verdict {}: {}", i + 1, added.message()));
  }
  return lists;
}

}  // namespace

QueryInput QueryInputOf(Upload upload) {
  QueryInput input;
  input.stored = !upload.key.empty();
  // A name is for people: as a path it must lead nowhere.
  input.name = input.stored ? upload.key : upload.name.substr(upload.name.rfind('/') + 1);
  input.problem = upload.problem;
  if (!input.stored) input.bytes = std::move(upload.bytes);
  return input;
}

Response QueryHandler(Service& service, const Call& call) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  auto uploads = UploadsOf(service, call.request);
  if (!uploads.ok()) return Problem(uploads.status());
  const bool single = uploads->size() == 1;
  const std::string name = uploads->front().name;
  const auto snapshot = (*collection)->Pin();
  if (!snapshot.ok()) return Problem(snapshot.status());
  const auto answer = QueryAll(service, **collection, call, std::move(uploads).value());
  if (!answer.ok()) return Problem(answer.status());
  if (single && !answer->only_error.ok()) return PictureProblem(answer->only_error, name);
  return JsonOf(fmt::format("{{\"commit\":{},\"results\":[{}]}}", (*snapshot)->generation(),
                            answer->results));
}

Response CompareHandler(Service& service, const Call& call) {
  auto uploads = TwoUploads(service, call.request);
  if (!uploads.ok()) return Problem(uploads.status());
  for (const Upload& upload : *uploads) {
    if (!upload.key.empty()) {
      return Problem(400, "invalid_argument", "two pictures are compared by their bytes");
    }
  }
  CompareOptions options;
  options.limits = service.options().engine.limits;
  options.threads = service.options().engine.threads;
  options.kernel = service.options().engine.kernel;
  const auto result = Compare(QueryInputOf(std::move((*uploads)[0])),
                              QueryInputOf(std::move((*uploads)[1])), options);
  if (!result.ok()) return PictureProblem(result.status(), "");
  return JsonOf(report::QueryJson(*result, {}, IsAsked(call.request, "points")));
}

Response GetVerdictsHandler(Service& service, const Call& call) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  const auto snapshot = (*collection)->Pin();
  if (!snapshot.ok()) return Problem(snapshot.status());
  const auto verdicts = (*snapshot)->Verdicts();
  if (!verdicts.ok()) return Problem(verdicts.status());
  const std::string tag = CommitTag((*snapshot)->generation());
  if (auto same = NotModified(call.request, tag)) return *same;
  Json list = Json::array();
  for (const VerdictRecord& record : *verdicts) {
    const bool one = record.b == ContentHash{};
    list.push_back({{"a", ToHex(record.a)},
                    {"b", one ? Json(nullptr) : Json(ToHex(record.b))},
                    {"verdict", VerdictName(record.verdict)},
                    {"decided", record.decided_s}});
  }
  const Json json{{"commit", (*snapshot)->generation()}, {"verdicts", std::move(list)}};
  return Tagged(JsonOf(json.dump()), tag);
}

Response PutVerdictsHandler(Service& service, const Call& call) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  const auto lists = VerdictsOf(call.request.body);
  if (!lists.ok()) return Problem(lists.status());
  SearchBackend& backend = (*collection)->engine().backend();
  if (!lists->kept.empty()) {
    const Status put = backend.PutVerdicts(lists->kept);
    if (!put.ok()) return Problem(put);
  }
  std::int64_t forgotten = 0;
  if (!lists->forgotten.empty()) {
    const auto count = backend.ForgetVerdicts(lists->forgotten);
    if (!count.ok()) return Problem(count.status());
    forgotten = *count;
  }
  return JsonOf(Json{{"stored", lists->kept.size()}, {"forgotten", forgotten}}.dump());
}

}  // namespace siftsearch::server
