#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "report/json.h"
#include "report/text.h"
#include "server/api.h"
#include "server/multipart.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::json;
using Attributes = std::map<std::string, std::string>;

/// Counts a write's time.
class CommitTimer {
 public:
  explicit CommitTimer(Metrics& metrics) : metrics_(metrics) {}
  ~CommitTimer() {
    metrics_.CountCommit(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
  }
  CommitTimer(const CommitTimer&) = delete;
  CommitTimer& operator=(const CommitTimer&) = delete;

 private:
  Metrics& metrics_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The attributes of an object: texts, and numbers and truth values as JSON writes them.
Result<Attributes> AttributesOf(const Json& json) {
  Attributes attributes;
  if (!json.is_object()) {
    return Status(StatusCode::kInvalidArgument, "the attributes are no JSON object");
  }
  for (const auto& [name, value] : json.items()) {
    if (name.empty() || value.is_structured() || value.is_null()) {
      return Status(StatusCode::kInvalidArgument,
                    "the attribute \"" + name + "\" is neither a text nor a number");
    }
    attributes[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return attributes;
}

/// Of the header Siftsearch-Attributes, a part of that name of a multipart body, or a field of
/// JSON.
Result<Attributes> RequestAttributes(const Request& request) {
  std::string text(request.Header("siftsearch-attributes"));
  const std::string type = request.MediaType();
  if (type == "application/json") {
    const Json json = Json::parse(request.body, nullptr, false);
    if (json.is_object() && json.contains("attributes")) return AttributesOf(json.at("attributes"));
  } else if (type.starts_with("multipart/")) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto parts,
                                ParseMultipart(request.Header("content-type"), request.body));
    for (const Part& part : parts) {
      if (part.name == "attributes") text = part.body;
    }
  }
  if (text.empty()) return Attributes();
  return AttributesOf(Json::parse(text, nullptr, false));
}

/// 412 where the conditions of a PUT do not hold.
std::optional<Response> Precondition(Collection& collection, const Call& call) {
  const std::string_view match = call.request.Header("if-match");
  const std::string_view none = call.request.Header("if-none-match");
  if (match.empty() && none.empty()) return std::nullopt;
  const auto snapshot = collection.Pin();
  if (!snapshot.ok()) return Problem(snapshot.status());
  const auto image = (*snapshot)->FindPath(call["key"]);
  if (!image.ok()) return Problem(image.status());
  const std::string tag = CommitTag((*snapshot)->generation());
  if (!none.empty() && image->has_value() && NamesTag(none, tag)) {
    return Problem(412, "precondition_failed", "there is an image under this key", call["key"]);
  }
  if (!match.empty() && (!image->has_value() || !NamesTag(match, tag))) {
    return Problem(412, "precondition_failed", "the collection has another commit by now",
                   call["key"]);
  }
  return std::nullopt;
}

Response OutcomeResponse(Collection& collection, const AddOutcome& outcome) {
  Response response;
  response.status = outcome.action == AddAction::kAdded ? 201 : 200;
  response.body = report::AddJson(outcome) + "\n";
  const auto snapshot = collection.Pin();
  if (!snapshot.ok()) return response;  // The write stands; only its number is not known.
  return Tagged(std::move(response), CommitTag((*snapshot)->generation()));
}

/// An input of a bulk add.
struct BulkItem {
  AddInput input;
  std::vector<std::uint8_t> bytes;
};

AddInput Failed(std::string path, Status problem) {
  return {.path = std::move(path), .problem = std::move(problem)};
}

/// A line {"key", "image" or "url", "attributes"}.
BulkItem LineItem(Service& service, std::string_view line, std::size_t number) {
  BulkItem item;
  const Json json = Json::parse(line, nullptr, false);
  const bool has_key = json.is_object() && json.contains("key") && json.at("key").is_string();
  if (!has_key) {
    item.input = Failed(fmt::format("line {}", number),
                        {StatusCode::kInvalidArgument, "is no JSON object with a text \"key\""});
    return item;
  }
  item.input.path = json.at("key");
  item.input.problem = CheckKey(item.input.path);
  if (item.input.problem.ok() && json.contains("attributes")) {
    auto attributes = AttributesOf(json.at("attributes"));
    item.input.problem = attributes.status();
    if (attributes.ok()) item.input.attributes = std::move(attributes).value();
  }
  if (!item.input.problem.ok()) return item;
  if (json.contains("url") && json.at("url").is_string()) {
    item.input.problem = service.options().fetch
                             ? Status()
                             : Status(StatusCode::kPermissionDenied,
                                      "this server fetches no addresses (--fetch lets it)");
    item.input.read = [&service, url = json.at("url").get<std::string>()] {
      return service.options().fetch(url);
    };
    return item;
  }
  const bool has_image = json.contains("image") && json.at("image").is_string();
  auto bytes = DecodeImageText(has_image ? json.at("image").get_ref<const std::string&>() : "");
  item.input.problem = bytes.status();
  if (bytes.ok()) item.bytes = std::move(bytes).value();
  return item;
}

/// The inputs of a body of lines, one at a time.
class LineReader {
 public:
  LineReader(Service& service, std::string_view body) : service_(service), body_(body) {}

  std::optional<BulkItem> Next() {
    while (!body_.empty()) {
      const std::string_view line = body_.substr(0, body_.find('\n'));
      body_.remove_prefix(std::min(body_.size(), line.size() + 1));
      ++number_;
      if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
        return LineItem(service_, line, number_);
      }
    }
    return std::nullopt;
  }

 private:
  Service& service_;
  std::string_view body_;
  std::size_t number_ = 0;
};

/// The parts of a multipart body that are pictures, one at a time.
class PartReader {
 public:
  explicit PartReader(std::vector<Part> parts) : parts_(std::move(parts)) {}

  std::optional<BulkItem> Next() {
    while (at_ < parts_.size()) {
      const Part& part = parts_[at_++];
      if (part.name == "attributes") continue;
      const bool plain = part.name.empty() || part.name == "image" || part.name == "images" ||
                         part.name == "file" || part.name == "files";
      BulkItem item;
      item.input.path = plain ? part.file_name : part.name;
      item.input.problem = CheckKey(item.input.path);
      item.bytes.assign(part.body.begin(), part.body.end());
      return item;
    }
    return std::nullopt;
  }

 private:
  std::vector<Part> parts_;
  std::size_t at_ = 0;
};

template <typename Reader>
Response AddAll(Service& service, const Call& call, Reader reader, const Attributes& attributes) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  AddOptions options;
  options.attributes = attributes;
  options.stop = [&] { return !call.request.call.Check().ok(); };
  Response response;
  response.content_type = "application/x-ndjson";
  const auto next = [&]() -> std::optional<AddInput> {
    auto item = reader.Next();
    if (!item) return std::nullopt;
    if (!item->input.read) {
      item->input.read = [bytes = std::move(item->bytes)]() -> Result<std::vector<std::uint8_t>> {
        return bytes;
      };
    }
    return std::move(item->input);
  };
  const auto summary = (*collection)->engine().Add(next, options, [&](const AddOutcome& outcome) {
    response.body += report::AddJson(outcome) + "\n";
  });
  if (!summary.ok() || summary->stopped) {
    const Status why = summary.ok() ? call.request.call.Check() : summary.status();
    if (response.body.empty()) return Problem(why);
    // Outcomes so far are durable; the last line says why there are no more.
    const auto [status, code] = ProblemOf(why);
    response.body += ProblemJson(status, code, why.message(), "") + "\n";
  }
  return response;
}

}  // namespace

Response PutImageHandler(Service& service, const Call& call) {
  const Status key = CheckKey(call["key"]);
  if (!key.ok()) return Problem(key, call["key"]);
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  if (auto refused = Precondition(**collection, call)) return *refused;
  const auto attributes = RequestAttributes(call.request);
  if (!attributes.ok()) return Problem(attributes.status(), call["key"]);
  auto uploads = UploadsOf(service, call.request);
  if (!uploads.ok()) return Problem(uploads.status(), call["key"]);
  Upload& upload = uploads->front();
  if (uploads->size() != 1 || !upload.key.empty()) {
    return Problem(400, "invalid_argument", "one picture is expected", call["key"]);
  }
  if (!upload.problem.ok()) return PictureProblem(upload.problem, call["key"]);
  const CommitTimer timer(service.metrics());
  const auto outcome = PutImage(**collection, call["key"], std::move(upload.bytes), *attributes);
  if (!outcome.ok()) return Problem(outcome.status(), call["key"]);
  if (outcome->action == AddAction::kFailed || outcome->action == AddAction::kIgnored) {
    return Problem(422, "unreadable_image", outcome->reason, call["key"]);
  }
  return OutcomeResponse(**collection, *outcome);
}

Response BulkAddHandler(Service& service, const Call& call) {
  const Request& request = call.request;
  const std::string type = request.MediaType();
  const CommitTimer timer(service.metrics());
  if (type == "application/x-ndjson" || type == "application/jsonl") {
    return AddAll(service, call, LineReader(service, request.body), {});
  }
  if (!type.starts_with("multipart/")) {
    return Problem(415, "unsupported",
                   "pictures are added by multipart/form-data or by lines of "
                   "application/x-ndjson");
  }
  auto parts = ParseMultipart(request.Header("content-type"), request.body);
  if (!parts.ok()) return Problem(parts.status());
  const auto attributes = RequestAttributes(request);
  if (!attributes.ok()) return Problem(attributes.status());
  return AddAll(service, call, PartReader(std::move(parts).value()), *attributes);
}

}  // namespace siftsearch::server
