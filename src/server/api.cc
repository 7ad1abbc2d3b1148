#include "server/api.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/status_macros.h"
#include "engine/where.h"
#include "report/json.h"
#include "server/openapi_file.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

Response Text(std::string text) {
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

Response JsonOf(std::string json, int status = 200) {
  Response response;
  response.status = status;
  response.body = std::move(json) + "\n";
  return response;
}

Response Livez(Service&, const Call&) { return Text("ok\n"); }

Response Readyz(Service& service, const Call&) {
  if (!service.ready()) return Problem(503, "unavailable", "the server is about to end");
  return Text("ok\n");
}

Response OpenApi(Service&, const Call&) {
  const auto bytes = OpenApiDocument();
  Response response;
  response.body.assign(bytes.begin(), bytes.end());
  return response;
}

Response ShowMetrics(Service& service, const Call&) {
  std::string text = service.metrics().Text();
  const auto add = [&](const char* name, const char* help, auto value_of) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
    for (const auto& collection : service.collections().Open()) {
      const auto snapshot = collection->Pin();
      if (!snapshot.ok()) continue;  // A damaged collection must not hide the others.
      const auto stats = (*snapshot)->Stats();
      if (!stats.ok()) continue;
      text +=
          fmt::format("{}{{collection=\"{}\"}} {}\n", name, collection->name(), value_of(*stats));
    }
  };
  add("siftsearch_images", "Images stored.", [](const BackendStats& s) { return s.images; });
  add("siftsearch_descriptors", "Searchable descriptors.",
      [](const BackendStats& s) { return s.descriptors; });
  add("siftsearch_segments", "Segments.", [](const BackendStats& s) { return s.segments; });
  Response response = Text(std::move(text));
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return response;
}

Response About(Service& service, const Call&) {
  const ServiceOptions& options = service.options();
  return JsonOf(Json{
      {"version", Version()},
      {"collections", service.collections().has_root()},
      {"fetch", static_cast<bool>(options.fetch)},
      {"tokens", !options.tokens_file.empty()},
      {"compat", options.compat},
      {"limits",
       {{"body_bytes", options.max_body_bytes}, {"max_pixels", options.engine.limits.max_pixels}}}}
                    .dump());
}

/// What a collection's newest commit holds.
Result<BackendStats> StatsOf(Collection& collection) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection.Pin());
  return snapshot->Stats();
}

Response ListCollections(Service& service, const Call& call) {
  const auto names = service.collections().Names();
  if (!names.ok()) return Problem(names.status());
  Json list = Json::array();
  for (const std::string& name : *names) {
    if (service.RightOf(call.request, name) < Right::kRead) continue;
    Json item{{"name", name}};
    const auto collection = service.collections().Get(name);
    const auto stats = collection.ok() ? StatsOf(**collection) : collection.status();
    if (stats.ok()) {
      item.update({{"images", stats->images},
                   {"descriptors", stats->descriptors},
                   {"generation", stats->generation}});
    } else {
      item["problem"] = stats.status().message();
    }
    list.push_back(std::move(item));
  }
  return JsonOf(
      Json{{"collections", std::move(list)}}.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Response GetCollection(Service& service, const Call& call) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  const auto stats = StatsOf(**collection);
  if (!stats.ok()) return Problem(stats.status());
  const std::string tag = CommitTag(stats->generation);
  if (auto same = NotModified(call.request, tag)) return *same;
  std::string json = report::StatsJson(*stats, (*collection)->engine().backend().settings());
  json.replace(0, 1, fmt::format("{{\"name\":\"{}\",", (*collection)->name()));
  return Tagged(JsonOf(std::move(json)), tag);
}

/// A whole number of an object, or `absent`. kInvalidArgument names it.
Result<int> IntegerOf(const Json& json, const char* name, int absent, int low, int high) {
  if (!json.contains(name)) return absent;
  const Json& value = json.at(name);
  if (value.is_number_integer() && value >= low && value <= high) return value.get<int>();
  return Status(StatusCode::kInvalidArgument,
                fmt::format("{} is a whole number from {} to {}", name, low, high));
}

Response MakeCollection(Service& service, const Call& call) {
  const std::string& body = call.request.body;
  const Json json = body.empty() ? Json::object() : Json::parse(body, nullptr, false);
  if (!json.is_object()) return Problem(400, "invalid_argument", "the body is no JSON object");
  ExtractorSettings settings;
  const auto features = IntegerOf(json, "features", settings.max_features, 1, 100'000);
  if (!features.ok()) return Problem(features.status());
  const auto max_side = IntegerOf(json, "max_side", settings.max_side, 32, 16'384);
  if (!max_side.ok()) return Problem(max_side.status());
  settings.max_features = *features;
  settings.max_side = *max_side;
  std::optional<std::string> index;
  if (json.contains("index")) {
    if (!json.at("index").is_string()) return Problem(400, "invalid_argument", "index is a text");
    index = json.at("index").get<std::string>();
  }
  const auto made = service.collections().Make(call["collection"], settings, index);
  if (!made.ok()) return Problem(made.status());
  Response response = JsonOf(Json{{"name", call["collection"]}}.dump(), 201);
  response.headers.emplace_back("Location", "/v1/collections/" + call["collection"]);
  return response;
}

Response RemoveCollection(Service& service, const Call& call) {
  const Status removed = service.collections().Remove(call["collection"]);
  if (!removed.ok()) return Problem(removed);
  return {.status = 204};
}

/// A page of a list of images: those after an id that fulfil a condition.
struct ImagePage {
  std::string json;
  bool more = false;
  ImageId last = 0;
};

Result<ImagePage> PageOf(const BackendSnapshot& snapshot, const Request& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t limit,
                              WholeNumberOf(request, "limit", 100, 1, 1'000));
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const std::int64_t after,
      WholeNumberOf(request, "after", 0, 0, std::numeric_limits<std::int64_t>::max()));
  std::function<bool(const ImageRecord&)> accept = [](const ImageRecord&) { return true; };
  if (const auto text = request.Parameter("where"); text && !text->empty()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto where, engine::Where::Parse(*text));
    accept = [where](const ImageRecord& image) { return where.Matches(image); };
  }
  ImagePage page;
  std::int64_t count = 0;
  SIFTSEARCH_RETURN_IF_ERROR(snapshot.List(
      [&](const ImageRecord& image) {
        if (!accept(image)) return true;
        page.more = count == limit;
        if (page.more) return false;
        page.json += (count++ > 0 ? "," : "") + report::ImageJson(image);
        page.last = image.id;
        return true;
      },
      request.call, after));
  return page;
}

Response ListImages(Service& service, const Call& call) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  const auto snapshot = (*collection)->Pin();
  if (!snapshot.ok()) return Problem(snapshot.status());
  const std::int64_t commit = (*snapshot)->generation();
  if (auto same = NotModified(call.request, CommitTag(commit))) return *same;
  const auto page = PageOf(**snapshot, call.request);
  if (!page.ok()) return Problem(page.status());
  const std::string next = page->more ? std::to_string(page->last) : "null";
  return Tagged(JsonOf(fmt::format("{{\"commit\":{},\"images\":[{}],\"next\":{}}}", commit,
                                   page->json, next)),
                CommitTag(commit));
}

/// An image by its key with the commit that was asked.
struct FoundImage {
  std::shared_ptr<const BackendSnapshot> snapshot;
  ImageRecord image;
};

Result<FoundImage> FindImage(Service& service, const Call& call) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, service.collections().Get(call["collection"]));
  FoundImage found;
  SIFTSEARCH_ASSIGN_OR_RETURN(found.snapshot, collection->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto image, found.snapshot->FindPath(call["key"]));
  if (!image) return Status(StatusCode::kNotFound, "no image is stored under " + call["key"]);
  found.image = std::move(*image);
  return found;
}

Response GetImage(Service& service, const Call& call) {
  const auto found = FindImage(service, call);
  if (!found.ok()) return Problem(found.status());
  const std::string tag = CommitTag(found->snapshot->generation());
  if (auto same = NotModified(call.request, tag)) return *same;
  return Tagged(JsonOf(report::ImageJson(found->image)), tag);
}

Response RemoveImage(Service& service, const Call& call) {
  const auto found = FindImage(service, call);
  if (!found.ok()) return Problem(found.status());
  const std::string_view wanted = call.request.Header("if-match");
  if (!wanted.empty() && !NamesTag(wanted, CommitTag(found->snapshot->generation()))) {
    return Problem(412, "precondition_failed", "the collection has another commit by now");
  }
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  const auto removed = (*collection)->engine().backend().Remove({&found->image.id, 1});
  if (!removed.ok()) return Problem(removed.status());
  return {.status = 204};
}

Response GetPreview(Service& service, const Call& call) {
  const auto found = FindImage(service, call);
  if (!found.ok()) return Problem(found.status());
  const std::string tag = "\"" + ToHex(found->image.hash) + "\"";
  if (auto same = NotModified(call.request, tag)) return *same;
  const auto features = found->snapshot->Features({&found->image.content, 1}, call.request.call);
  if (!features.ok()) return Problem(features.status());
  const auto& preview = features->front().preview;
  Response response;
  response.content_type = "image/jpeg";
  response.body.assign(preview.begin(), preview.end());
  return Tagged(std::move(response), tag);
}

}  // namespace

bool NamesTag(std::string_view header, std::string_view tag) {
  while (!header.empty()) {
    std::string_view item = header.substr(0, header.find(','));
    header.remove_prefix(std::min(header.size(), item.size() + 1));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == tag) return true;
  }
  return false;
}

std::optional<Response> NotModified(const Request& request, const std::string& tag) {
  if (!NamesTag(request.Header("if-none-match"), tag)) return std::nullopt;
  return Tagged({.status = 304}, tag);
}

Response Tagged(Response response, const std::string& tag) {
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  return response;
}

std::span<const Route> ApiRoutes() {
  static constexpr const char* kCollection = "/v1/collections/{collection}";
  static constexpr const char* kImages = "/v1/collections/{collection}/images";
  static constexpr const char* kImage = "/v1/collections/{collection}/images/{key...}";
  static constexpr const char* kVerdicts = "/v1/collections/{collection}/verdicts";
  static constexpr Route kRoutes[] = {
      {"GET", "/livez", Work::kInline, Right::kNone, Livez},
      {"GET", "/readyz", Work::kInline, Right::kNone, Readyz},
      {"GET", "/healthz", Work::kInline, Right::kNone, Readyz},
      {"GET", "/openapi.json", Work::kInline, Right::kNone, OpenApi},
      {"GET", "/metrics", Work::kRead, Right::kRead, ShowMetrics},
      {"GET", "/v1", Work::kInline, Right::kNone, About},
      {"GET", "/v1/collections", Work::kRead, Right::kRead, ListCollections},
      {"GET", kCollection, Work::kRead, Right::kRead, GetCollection},
      {"PUT", kCollection, Work::kWrite, Right::kAdmin, MakeCollection, true},
      {"DELETE", kCollection, Work::kWrite, Right::kAdmin, RemoveCollection},
      {"GET", kImages, Work::kRead, Right::kRead, ListImages},
      {"POST", kImages, Work::kWrite, Right::kWrite, BulkAddHandler, true},
      {"PUT", kImage, Work::kWrite, Right::kWrite, PutImageHandler, true},
      {"GET", kImage, Work::kRead, Right::kRead, GetImage},
      {"DELETE", kImage, Work::kWrite, Right::kWrite, RemoveImage},
      {"GET", "/v1/collections/{collection}/previews/{key...}", Work::kRead, Right::kRead,
       GetPreview},
      {"POST", "/v1/collections/{collection}/query", Work::kSearch, Right::kRead, QueryHandler,
       true},
      {"POST", "/v1/compare", Work::kSearch, Right::kRead, CompareHandler, true},
      {"GET", kVerdicts, Work::kRead, Right::kRead, GetVerdictsHandler},
      {"POST", kVerdicts, Work::kWrite, Right::kWrite, PutVerdictsHandler, true},
  };
  return kRoutes;
}

}  // namespace siftsearch::server
