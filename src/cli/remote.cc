#include "cli/remote.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "base/status_macros.h"
#include "cli/fetch.h"
#include "engine/picture_file.h"
#include "report/json.h"
#include "report/read_json.h"

namespace siftsearch::cli {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kTries = 30;  ///< Of a request that the server has no room for …
constexpr std::chrono::seconds kBetweenTries{1};  ///< … and the time between them.
constexpr long kConnectSeconds = 20;
constexpr long kAnswerSeconds = 600;
constexpr std::size_t kMostAnswerBytes = 512 << 20;
constexpr int kPageImages = 1'000;

/// What a request sends.
struct Request {
  const char* method = "GET";
  std::string path = {};  ///< Below the collection: "/images/a.jpg?x=1".
  const Bytes* body = nullptr;
  std::vector<std::string> headers = {};
};

struct Answer {
  long status = 0;
  std::string body;
};

std::size_t ReceiveAnswer(char* data, std::size_t, std::size_t size, void* user) {
  auto& body = *static_cast<std::string*>(user);
  if (body.size() + size > kMostAnswerBytes) return 0;
  body.append(data, size);
  return size;
}

StatusCode CodeOf(long status) {
  switch (status) {
    case 400:
    case 415:
    case 422:
      return StatusCode::kInvalidArgument;
    case 401:
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kNotFound;
    case 413:
      return StatusCode::kLimitExceeded;
    case 503:
    case 504:
      return StatusCode::kUnavailable;
    case 507:
      return StatusCode::kOutOfSpace;
    default:
      return StatusCode::kInternal;
  }
}

/// Why a request was refused.
Status Refusal(const Answer& answer) {
  std::string words = report::ReadProblem(answer.body);
  if (words.empty()) words = fmt::format("the server answers {}", answer.status);
  if (answer.status == 401) words += " ($SIFTSEARCH_TOKEN has the token)";
  return {CodeOf(answer.status), words};
}

/// A text as a part of an address.
std::string Escaped(const std::string& text) {
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), curl_free);
  return escaped ? escaped.get() : "";
}

/// Where the image of a path is, below its collection: the slashes of its key are kept.
std::string KeyPath(const std::string& path) {
  const std::string key = KeyOfPath(path);
  std::string joined = "/images";
  for (std::size_t at = 0; at < key.size();) {
    const std::size_t end = std::min(key.find('/', at), key.size());
    joined += "/" + Escaped(key.substr(at, end - at));
    at = end + 1;
  }
  return joined;
}

}  // namespace

std::string KeyOfPath(const std::string& path) {
  return path.substr(std::min(path.find_first_not_of('/'), path.size()));
}

struct Remote::Impl {
  std::string collection;  ///< Its address.
  std::string token;
  InputLimits limits;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{nullptr, curl_easy_cleanup};

  Result<Answer> AskOnce(const Request& request);
  /// Of a request that the server did not refuse for want of room.
  Result<Answer> Ask(const Request& request);

  Result<AddOutcome> Put(const AddInput& input,
                         const std::map<std::string, std::string>& attributes);
  Result<QueryResult> QueryOne(QueryInput input, const std::string& parameters);
};

Result<Answer> Remote::Impl::AskOnce(const Request& request) {
  Answer answer;
  curl_slist* list = nullptr;
  const auto add = [&](const std::string& header) {
    if (curl_slist* longer = curl_slist_append(list, header.c_str())) list = longer;
  };
  // An empty one keeps libcurl from asking whether it may go on, which costs a second elsewhere.
  add("Expect:");
  if (!token.empty()) add("Authorization: Bearer " + token);
  for (const std::string& header : request.headers) add(header);
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list,
                                                                            curl_slist_free_all);
  CURL* handle = curl.get();
  curl_easy_reset(handle);
  std::array<char, CURL_ERROR_SIZE> detail{};
  const std::string url = collection + request.path;
  CURLcode code = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (code == CURLE_OK) code = curl_easy_setopt(handle, option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_TIMEOUT, kAnswerSeconds);
  set(CURLOPT_USERAGENT, "siftsearch");
  set(CURLOPT_ERRORBUFFER, detail.data());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_WRITEFUNCTION, ReceiveAnswer);
  set(CURLOPT_WRITEDATA, &answer.body);
  if (request.body != nullptr) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    set(CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(request.body->data()));
  }
  set(CURLOPT_CUSTOMREQUEST, request.method);
  if (code == CURLE_OK) code = curl_easy_perform(handle);
  if (code != CURLE_OK) {
    return Status(StatusCode::kUnavailable,
                  fmt::format("{}: {}", collection,
                              detail[0] != '\0' ? detail.data() : curl_easy_strerror(code)));
  }
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

Result<Answer> Remote::Impl::Ask(const Request& request) {
  for (int tries = 1;; ++tries) {
    SIFTSEARCH_ASSIGN_OR_RETURN(Answer answer, AskOnce(request));
    if (answer.status != 503 || tries == kTries) return answer;
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Result<AddOutcome> Remote::Impl::Put(const AddInput& input,
                                     const std::map<std::string, std::string>& attributes) {
  AddOutcome outcome;
  outcome.path = input.path;
  outcome.action = input.ignored ? AddAction::kIgnored : AddAction::kFailed;
  outcome.reason = input.problem.message();
  if (!input.problem.ok()) return outcome;
  Result<Bytes> bytes = Bytes();
  if (input.read) {
    bytes = input.read();
  } else {
    auto file = engine::ReadPictureFile(input.path, limits);
    if (file.ok()) {
      bytes = std::move(file->bytes);
    } else {
      bytes = file.status();
    }
  }
  outcome.reason = bytes.status().message();
  if (!bytes.ok()) return outcome;
  std::map<std::string, std::string> all = attributes;
  for (const auto& [name, value] : input.attributes) all[name] = value;
  Request request{"PUT", KeyPath(input.path), &*bytes, {"Content-Type: application/octet-stream"}};
  if (!all.empty()) {
    request.headers.push_back("Siftsearch-Attributes: " + report::AttributesJson(all));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const Answer answer, Ask(request));
  if (answer.status == 200 || answer.status == 201) {
    SIFTSEARCH_ASSIGN_OR_RETURN(outcome, report::ReadAddJson(answer.body));
    outcome.path = input.path;
    return outcome;
  }
  const bool of_the_picture = answer.status == 422 || answer.status == 413 || answer.status == 400;
  if (!of_the_picture) return Refusal(answer);
  outcome.action =
      input.from_folder && answer.status == 422 ? AddAction::kIgnored : AddAction::kFailed;
  outcome.reason = Refusal(answer).message();
  return outcome;
}

Result<QueryResult> Remote::Impl::QueryOne(QueryInput input, const std::string& parameters) {
  QueryResult result;
  result.query = input.name;
  result.error = input.problem;
  if (result.error.ok() && !input.bytes) {
    auto file = engine::ReadPictureFile(input.name, limits);
    result.error = file.status();
    if (file.ok()) input.bytes = std::move(file->bytes);
  }
  if (!result.error.ok()) return result;
  SIFTSEARCH_ASSIGN_OR_RETURN(const Answer answer,
                              Ask({"POST",
                                   "/query?" + parameters,
                                   &*input.bytes,
                                   {"Content-Type: application/octet-stream"}}));
  if (answer.status == 422 || answer.status == 413) {
    result.error = Refusal(answer);
    return result;
  }
  if (answer.status != 200) return Refusal(answer);
  SIFTSEARCH_ASSIGN_OR_RETURN(auto read, report::ReadQueryAnswer(answer.body));
  if (read.results.size() != 1) {
    return Status(StatusCode::kInternal, "the server's answer has not one result");
  }
  read.results[0].query = input.name;
  return std::move(read.results[0]);
}

Remote::Remote(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Remote::~Remote() = default;

Result<std::unique_ptr<Remote>> Remote::Open(const std::string& url, const InputLimits& limits) {
  StartCurl();
  auto impl = std::make_unique<Impl>();
  const std::size_t host = url.find("://") + 3;
  if (!IsUrl(url) || host >= url.size() || url.find_first_of("?#@ ") != std::string::npos) {
    return Status(StatusCode::kInvalidArgument,
                  "--server takes http://HOST:PORT/COLLECTION, not \"" + url + "\"");
  }
  const std::size_t slash = std::min(url.rfind('/'), url.size());
  const bool names_one = slash > host;
  const std::string name = names_one ? url.substr(slash + 1) : "";
  impl->collection = (names_one ? url.substr(0, slash) : url) + "/v1/collections/" +
                     (name.empty() ? "default" : name);
  if (const char* token = std::getenv("SIFTSEARCH_TOKEN")) impl->token = token;
  if (impl->token.find_first_of("\r\n") != std::string::npos) {
    return Status(StatusCode::kInvalidArgument, "$SIFTSEARCH_TOKEN has a line break");
  }
  impl->limits = limits;
  impl->curl.reset(curl_easy_init());
  if (!impl->curl) return Status(StatusCode::kOutOfMemory, "out of memory");
  return std::unique_ptr<Remote>(new Remote(std::move(impl)));
}

Result<AddSummary> Remote::Add(const std::function<std::optional<AddInput>()>& next,
                               const AddOptions& options,
                               const std::function<void(const AddOutcome&)>& report) {
  AddSummary summary;
  while (!(summary.stopped = options.stop && options.stop())) {
    const auto input = next();
    if (!input) break;
    SIFTSEARCH_ASSIGN_OR_RETURN(const AddOutcome outcome, impl_->Put(*input, options.attributes));
    ++summary.given;
    summary.added += outcome.action == AddAction::kAdded;
    summary.replaced += outcome.action == AddAction::kReplaced;
    summary.moved += outcome.action == AddAction::kMoved;
    summary.unchanged += outcome.action == AddAction::kUnchanged;
    summary.ignored += outcome.action == AddAction::kIgnored;
    summary.failed += outcome.action == AddAction::kFailed;
    report(outcome);
  }
  return summary;
}

Status Remote::Query(const std::function<std::optional<QueryInput>()>& next,
                     const QueryOptions& options, const std::string& where,
                     const std::function<void(const QueryResult&)>& sink) {
  const std::string parameters = fmt::format(
      "top={}&min_score={}&max_false_alarms={}&where={}", options.top, options.min_score,
      std::pow(10.0, options.max_log10_false_alarms), Escaped(where));
  while (auto input = next()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const QueryResult result,
                                impl_->QueryOne(std::move(*input), parameters));
    sink(result);
  }
  return {};
}

Status Remote::List(const std::string& where,
                    const std::function<bool(const ImageRecord&)>& visit) {
  std::int64_t after = 0;
  do {
    SIFTSEARCH_ASSIGN_OR_RETURN(
        const Answer answer, impl_->Ask({"GET", fmt::format("/images?limit={}&after={}&where={}",
                                                            kPageImages, after, Escaped(where))}));
    if (answer.status != 200) return Refusal(answer);
    SIFTSEARCH_ASSIGN_OR_RETURN(const report::ImagePage page, report::ReadImagePage(answer.body));
    for (const ImageRecord& image : page.images) {
      if (!visit(image)) return {};
    }
    after = page.next;
  } while (after > 0);
  return {};
}

Status Remote::Remove(const std::string& path) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Answer answer, impl_->Ask({"DELETE", KeyPath(path)}));
  return answer.status == 204 ? Status() : Refusal(answer);
}

}  // namespace siftsearch::cli
