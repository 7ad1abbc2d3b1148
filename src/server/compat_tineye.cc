// TinEye's MatchEngine (github.com/TinEye/tineyeservices_python, and its description of the API).
// The path of an image in the collection is its key. Clients give parameters in the address even
// where they post files; failures have the status "fail" in the envelope and 200 by HTTP, since
// clients drop the reason of any other.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "server/api.h"
#include "server/compat.h"
#include "server/multipart.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostMatches = 1'000;
constexpr std::int64_t kMostPaths = 100'000;

/// The parameters and the files of a request.
struct Form {
  Request fields;  ///< Of the address and of the body's fields: Parameter() has them.
  std::vector<std::pair<std::string, Upload>> files;  ///< By name of the part; name: the path sent.
};

/// An answer's envelope.
struct Envelope {
  Json result = Json::array();
  std::vector<std::string> errors;  ///< Of single inputs.
  Json query_image = {};            ///< Path of the picture that was looked for.
  Json stats = {};
};

Result<Form> FormOf(const Request& request) {
  Form form;
  form.fields.query = request.query;
  const std::string type = request.MediaType();
  if (type == "application/x-www-form-urlencoded") {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto fields, ParseQueryText(request.body));
    form.fields.query.merge(fields);
  } else if (type.starts_with("multipart/")) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto parts,
                                ParseMultipart(request.Header("content-type"), request.body));
    for (const Part& part : parts) {
      if (part.file_path.empty()) {
        form.fields.query.emplace(part.name, part.body);
        continue;
      }
      Upload upload;
      upload.name = part.file_path;
      upload.bytes.assign(part.body.begin(), part.body.end());
      form.files.emplace_back(part.name, std::move(upload));
    }
  }
  for (const char* name : {"callback", "format"}) {
    const auto value = form.fields.Parameter(name);
    if (value && *value != "json") {
      return Status(StatusCode::kUnsupported,
                    fmt::format("{}={} is not spoken here: answers are JSON", name, *value));
    }
  }
  return form;
}

/// A path as a key: paths of clients may begin with slashes.
std::string KeyOf(const std::string& path) {
  return path.substr(std::min(path.find_first_not_of('/'), path.size()));
}

Upload FetchedUpload(Service& service, const std::string& url) {
  Upload upload;
  upload.name = url;
  if (!service.options().fetch) {
    upload.problem = {StatusCode::kPermissionDenied,
                      "this server fetches no addresses (--fetch lets it)"};
    return upload;
  }
  auto bytes = service.options().fetch(url);
  upload.problem = bytes.status();
  if (bytes.ok()) upload.bytes = std::move(bytes).value();
  return upload;
}

/// The values of name[0], name[1], …
std::vector<std::string> ListOf(const Form& form, const std::string& name) {
  std::vector<std::string> values;
  while (auto value = form.fields.Parameter(fmt::format("{}[{}]", name, values.size()))) {
    values.push_back(std::move(*value));
  }
  return values;
}

/// A picture of a request: a file of the name `name`, or what `url` leads to.
std::optional<Upload> PictureOf(Service& service, Form& form, const std::string& name,
                                const std::string& url) {
  for (auto& [part, upload] : form.files) {
    if (part == name) return std::move(upload);
  }
  if (const auto address = form.fields.Parameter(url)) return FetchedUpload(service, *address);
  return std::nullopt;
}

/// Pictures to store, by their paths. The paths of files may be fields of their own.
std::vector<std::pair<std::string, Upload>> AddedOf(Service& service, Form& form) {
  std::vector<std::pair<std::string, Upload>> added;
  for (auto& [part, upload] : form.files) {
    std::string of = part;
    of.replace(0, part.find('[') == std::string::npos ? of.size() : part.find('['),
               part.find('[') == std::string::npos ? "filepath" : "filepaths");
    added.emplace_back(form.fields.Parameter(of).value_or(upload.name), std::move(upload));
  }
  const std::vector<std::string> paths = ListOf(form, "filepaths");
  std::vector<std::string> urls = ListOf(form, "urls");
  const auto url = form.fields.Parameter("url");
  if (url) urls.push_back(*url);
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const std::string path =
        url ? form.fields.Parameter("filepath").value_or("") : (i < paths.size() ? paths[i] : "");
    added.emplace_back(path, FetchedUpload(service, urls[i]));
  }
  return added;
}

Result<Envelope> Add(Service& service, Form form, const Request&) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  auto added = AddedOf(service, form);
  if (added.empty()) {
    return Status(StatusCode::kInvalidArgument, "there is neither images[0] nor urls[0]");
  }
  Envelope answer;
  for (auto& [path, upload] : added) {
    const Status put = CompatPut(*collection, KeyOf(path), std::move(upload)).status();
    if (!put.ok()) answer.errors.push_back(path + ": " + put.message());
  }
  return answer;
}

/// The least score, 0 to 1, of what is listed: of copies where the client wants all.
Result<double> LeastScore(const Form& form) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const double percent, NumberOf(form.fields, "min_score", 0, 0, 100));
  return percent > 0 ? percent / 100 : kCopyThreshold;
}

bool IsWanted(const Form& form, const Match& match, double least) {
  const std::string flip = form.fields.Parameter("check_horizontal_flip").value_or("");
  const bool flipped = flip == "True" || flip == "true" || flip == "1";
  return match.score >= least && (flipped || !match.mirrored);
}

double TwoDigits(double percent) { return std::round(100 * percent) / 100; }

Result<Envelope> Search(Service& service, Form form, const Request& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const double least, LeastScore(form));
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t offset,
                              WholeNumberOf(form.fields, "offset", 0, 0, kMostMatches));
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t limit,
                              WholeNumberOf(form.fields, "limit", 10, 1, kMostMatches));
  auto upload = PictureOf(service, form, "image", "url");
  if (const auto path = form.fields.Parameter("filepath"); path && !upload) {
    upload.emplace();
    upload->name = upload->key = KeyOf(*path);
  }
  if (!upload) {
    return Status(StatusCode::kInvalidArgument, "there is neither image nor filepath nor url");
  }
  SIFTSEARCH_RETURN_IF_ERROR(upload->problem);
  Envelope answer;
  answer.query_image = upload->name;
  const auto start = std::chrono::steady_clock::now();
  // Some of the best are not wanted.
  const std::int64_t top = std::clamp<std::int64_t>(
      offset + limit, service.options().query.max_candidates, kMostMatches);
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const QueryResult result,
      CompatQuery(service, *collection, std::move(*upload), static_cast<int>(top), request.call));
  SIFTSEARCH_RETURN_IF_ERROR(result.error);
  std::int64_t rank = 0;
  for (const Match& match : result.matches) {
    if (!IsWanted(form, match, least)) continue;
    const std::int64_t at = rank++;
    if (at < offset || at >= offset + limit) continue;
    answer.result.push_back({{"filepath", match.image.path},
                             {"score", TwoDigits(100 * match.score)},
                             {"match_percent", TwoDigits(match.query_overlap_percent)},
                             {"query_overlap_percent", TwoDigits(match.query_overlap_percent)},
                             {"target_overlap_percent", TwoDigits(match.image_overlap_percent)}});
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  answer.stats = {{"total_results", rank}, {"search_time", TwoDigits(took.count())}};
  return answer;
}

Result<Envelope> CompareTwo(Service& service, Form form, const Request&) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const double least, LeastScore(form));
  auto one = PictureOf(service, form, "image1", "url1");
  auto other = PictureOf(service, form, "image2", "url2");
  if (!one || !other) {
    return Status(StatusCode::kInvalidArgument,
                  "two pictures are expected: image1 and image2, or url1 and url2");
  }
  // Of equal names they would be one file compared with itself.
  one->name = "image1";
  other->name = "image2";
  CompareOptions options;
  options.limits = service.options().engine.limits;
  options.threads = service.options().engine.threads;
  options.kernel = service.options().engine.kernel;
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const QueryResult result,
      Compare(QueryInputOf(std::move(*one)), QueryInputOf(std::move(*other)), options));
  Envelope answer;
  for (const Match& match : result.matches) {
    if (!answer.result.empty() || !IsWanted(form, match, least)) continue;
    answer.result.push_back({{"score", TwoDigits(100 * match.score)},
                             {"match_percent", TwoDigits(match.query_overlap_percent)}});
  }
  return answer;
}

Result<Envelope> Delete(Service& service, Form form, const Request&) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  std::vector<std::string> paths = ListOf(form, "filepaths");
  if (const auto path = form.fields.Parameter("filepath")) paths.push_back(*path);
  if (paths.empty()) return Status(StatusCode::kInvalidArgument, "there is no filepaths[0]");
  Envelope answer;
  for (const std::string& path : paths) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool removed, RemoveKey(*collection, KeyOf(path)));
    if (!removed) answer.errors.push_back(path + ": there is no such image");
  }
  return answer;
}

Result<Envelope> ListPaths(Service& service, Form form, const Request& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / 2;
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t offset,
                              WholeNumberOf(form.fields, "offset", 0, 0, most));
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t limit,
                              WholeNumberOf(form.fields, "limit", 20, 1, kMostPaths));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection->Pin());
  Envelope answer;
  std::int64_t at = 0;
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->List(
      [&](const ImageRecord& image) {
        if (at++ >= offset) answer.result.push_back(image.path);
        return at < offset + limit;
      },
      request.call));
  return answer;
}

Result<Envelope> Count(Service& service, Form, const Request&) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, CompatCollection(service));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, snapshot->Stats());
  Envelope answer;
  answer.result.push_back(stats.images);
  return answer;
}

Result<Envelope> Ping(Service&, Form, const Request&) { return Envelope(); }

using Method = Result<Envelope> (*)(Service&, Form, const Request&);

Result<Envelope> Run(Method method, Service& service, const Request& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Form form, FormOf(request));
  return method(service, std::move(form), request);
}

template <Method Do>
Response Answer(Service& service, const Call& call) {
  const auto answer = Run(Do, service, call.request);
  Json json{{"status", "ok"},
            {"error", Json::array()},
            {"method", call.request.path[1]},
            {"result", Json::array()}};
  if (!answer.ok()) {
    json["status"] = "fail";
    json["error"].push_back(answer.status().message());
    return JsonAnswer(json);
  }
  json["result"] = answer->result;
  if (!answer->errors.empty()) {
    json["status"] = "warn";
    json["error"] = answer->errors;
  }
  if (!answer->query_image.is_null()) json["query_image"]["filepath"] = answer->query_image;
  if (!answer->stats.is_null()) json["stats"] = answer->stats;
  return JsonAnswer(json);
}

}  // namespace

std::span<const Route> TineyeRoutes() {
  static constexpr Route kRoutes[] = {
      {"GET", "/rest/add/", Work::kWrite, Right::kWrite, Answer<Add>, false, true},
      {"POST", "/rest/add/", Work::kWrite, Right::kWrite, Answer<Add>, true, true},
      {"GET", "/rest/search/", Work::kSearch, Right::kRead, Answer<Search>, false, true},
      {"POST", "/rest/search/", Work::kSearch, Right::kRead, Answer<Search>, true, true},
      {"GET", "/rest/compare/", Work::kSearch, Right::kRead, Answer<CompareTwo>, false, true},
      {"POST", "/rest/compare/", Work::kSearch, Right::kRead, Answer<CompareTwo>, true, true},
      {"GET", "/rest/delete/", Work::kWrite, Right::kWrite, Answer<Delete>, false, true},
      {"POST", "/rest/delete/", Work::kWrite, Right::kWrite, Answer<Delete>, true, true},
      {"GET", "/rest/list/", Work::kRead, Right::kRead, Answer<ListPaths>, false, true},
      {"GET", "/rest/count/", Work::kRead, Right::kRead, Answer<Count>, false, true},
      {"GET", "/rest/ping/", Work::kInline, Right::kRead, Answer<Ping>, false, true},
  };
  return kRoutes;
}

}  // namespace siftsearch::server
