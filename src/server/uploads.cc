#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "report/text.h"
#include "server/multipart.h"
#include "server/service.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostImages = 1'000;

std::vector<std::uint8_t> BytesOf(std::string_view text) { return {text.begin(), text.end()}; }

/// A picture of JSON: {"image": base64}, {"url"} or {"key"}.
Upload UploadOf(Service& service, const Json& json, std::size_t number) {
  Upload upload;
  upload.name = fmt::format("image {}", number);
  const auto text_of = [&](const char* name) {
    return json.is_object() && json.contains(name) && json.at(name).is_string()
               ? json.at(name).get<std::string>()
               : std::string();
  };
  if (const std::string key = text_of("key"); !key.empty()) {
    upload.name = upload.key = key;
  } else if (const std::string url = text_of("url"); !url.empty()) {
    upload.name = url;
    if (!service.options().fetch) {
      upload.problem = {StatusCode::kPermissionDenied,
                        "this server fetches no addresses (--fetch lets it)"};
      return upload;
    }
    auto bytes = service.options().fetch(url);
    upload.problem = bytes.status();
    if (bytes.ok()) upload.bytes = std::move(bytes).value();
  } else if (const std::string image = text_of("image"); !image.empty()) {
    if (const std::string name = text_of("name"); !name.empty()) upload.name = name;
    auto bytes = DecodeImageText(image);
    upload.problem = bytes.status();
    if (bytes.ok()) upload.bytes = std::move(bytes).value();
  } else {
    upload.problem = {StatusCode::kInvalidArgument,
                      "has none of the texts image (base64), url and key"};
  }
  return upload;
}

Result<std::vector<Upload>> JsonUploads(Service& service, const Request& request) {
  const Json json = Json::parse(request.body, nullptr, false);
  if (!json.is_object()) return Status(StatusCode::kInvalidArgument, "the body is no JSON object");
  std::vector<Upload> uploads;
  if (!json.contains("images")) {
    uploads.push_back(UploadOf(service, json, 1));
    return uploads;
  }
  const Json& images = json.at("images");
  if (!images.is_array() || images.empty() || images.size() > kMostImages) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("images is an array of 1 to {} pictures", kMostImages));
  }
  for (const Json& image : images) uploads.push_back(UploadOf(service, image, uploads.size() + 1));
  return uploads;
}

Result<std::vector<Upload>> MultipartUploads(const Request& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto parts,
                              ParseMultipart(request.Header("content-type"), request.body));
  std::vector<Upload> uploads;
  for (const Part& part : parts) {
    const bool is_file = !part.file_name.empty() || part.content_type.starts_with("image/") ||
                         part.name == "image" || part.name == "file";
    if (!is_file || part.name == "attributes") continue;
    if (uploads.size() == kMostImages) {
      return Status(StatusCode::kLimitExceeded,
                    fmt::format("the body has more than {} pictures", kMostImages));
    }
    Upload upload;
    upload.name = part.file_name.empty() ? part.name : part.file_name;
    upload.bytes = BytesOf(part.body);
    uploads.push_back(std::move(upload));
  }
  if (uploads.empty())
    return Status(StatusCode::kInvalidArgument, "the body has no part that is a file");
  return uploads;
}

}  // namespace

Result<std::vector<std::uint8_t>> DecodeImageText(std::string_view text) {
  if (text.starts_with("data:")) {
    const std::size_t comma = text.find(',');
    const bool base64 =
        comma != std::string_view::npos && text.substr(0, comma).ends_with(";base64");
    if (!base64) return Status(StatusCode::kInvalidArgument, "is a data: URI that is not base64");
    text.remove_prefix(comma + 1);
  }
  std::string plain;
  plain.reserve(text.size());
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain),
               [](char c) { return c != '\n' && c != '\r'; });
  const auto bytes = report::FromBase64(plain);
  if (!bytes) return Status(StatusCode::kInvalidArgument, "is not base64");
  return BytesOf(*bytes);
}

Result<std::vector<Upload>> UploadsOf(Service& service, const Request& request) {
  if (request.body.empty()) {
    return Status(StatusCode::kInvalidArgument, "there is no body: a picture is expected");
  }
  const std::string type = request.MediaType();
  if (type.starts_with("multipart/")) return MultipartUploads(request);
  if (type == "application/json") return JsonUploads(service, request);
  std::vector<Upload> uploads(1);
  uploads[0].name = "image 1";
  uploads[0].bytes = BytesOf(request.body);
  return uploads;
}

Status CheckKey(std::string_view key) {
  if (key.empty() || key.size() > 1'024) {
    return {StatusCode::kInvalidArgument, "a key has 1 to 1,024 bytes"};
  }
  if (!report::IsUtf8(key)) return {StatusCode::kInvalidArgument, "a key is UTF-8 text"};
  for (const unsigned char c : key) {
    if (c < 0x20 || c == 0x7f) {
      return {StatusCode::kInvalidArgument, "a key has no control characters"};
    }
  }
  while (true) {
    const std::string_view segment = key.substr(0, key.find('/'));
    if (segment.empty() || segment == "." || segment == "..") {
      return {StatusCode::kInvalidArgument,
              "a key begins and ends with no slash and has no part that is empty, \".\" or \"..\""};
    }
    if (segment.size() == key.size()) return {};
    key.remove_prefix(segment.size() + 1);
  }
}

Result<AddOutcome> PutImage(Collection& collection, const std::string& key,
                            std::vector<std::uint8_t> bytes,
                            const std::map<std::string, std::string>& attributes) {
  SIFTSEARCH_RETURN_IF_ERROR(CheckKey(key));
  std::optional<AddInput> input = AddInput{.path = key, .attributes = attributes};
  // Read again where its features had to be thrown away, so the bytes stay.
  input->read = [&bytes]() -> Result<std::vector<std::uint8_t>> { return bytes; };
  AddOutcome outcome;
  SIFTSEARCH_RETURN_IF_ERROR(collection.engine()
                                 .Add([&] { return std::exchange(input, std::nullopt); }, {},
                                      [&](const AddOutcome& done) { outcome = done; })
                                 .status());
  return outcome;
}

}  // namespace siftsearch::server
