#include "server/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Undoes %-escapes, and of a form also "+" for a blank.
Result<std::string> Decode(std::string_view text, bool form) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && form) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Status(StatusCode::kInvalidArgument,
                      "the address has a % that two hexadecimal digits do not follow");
      }
      decoded += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return decoded;
}

Status ParsePath(std::string_view path, Request& request) {
  while (!path.empty()) {
    path.remove_prefix(1);  // The slash.
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.empty() && path.empty() && request.path.empty()) return {};  // "/"
    SIFTSEARCH_ASSIGN_OR_RETURN(request.path.emplace_back(), Decode(part, false));
    const std::string_view segment = request.path.back();
    if (segment == "." || segment == "..") {
      return {StatusCode::kInvalidArgument, "the path has a segment \".\" or \"..\""};
    }
    if (segment.find('\0') != std::string_view::npos) {
      return {StatusCode::kInvalidArgument, "the path has a NUL byte"};
    }
  }
  return {};
}

Status OutOfRange(const std::string& name, const std::string& range) {
  return {StatusCode::kInvalidArgument, fmt::format("{} is a number {}", name, range)};
}

}  // namespace

std::string_view Request::Header(std::string_view name) const {
  const auto found = headers.find(std::string(name));
  return found == headers.end() ? std::string_view() : found->second;
}

std::optional<std::string> Request::Parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::nullopt : std::optional(found->second);
}

std::string Request::MediaType() const {
  std::string type(Header("content-type"));
  type.erase(std::min(type.find(';'), type.size()));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

Status ParseTarget(std::string_view target, Request& request) {
  request.target = target;
  if (!target.starts_with('/')) {
    return {StatusCode::kInvalidArgument, "the target of a request begins with a slash"};
  }
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  if (mark != std::string_view::npos) {
    SIFTSEARCH_ASSIGN_OR_RETURN(request.query, ParseQueryText(target.substr(mark + 1)));
  }
  return ParsePath(target.substr(0, mark), request);
}

Result<std::multimap<std::string, std::string>> ParseQueryText(std::string_view text) {
  std::multimap<std::string, std::string> parameters;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    SIFTSEARCH_ASSIGN_OR_RETURN(std::string name, Decode(pair.substr(0, equals), true));
    SIFTSEARCH_ASSIGN_OR_RETURN(std::string value,
                                Decode(pair.substr(std::min(pair.size(), equals + 1)), true));
    parameters.emplace(std::move(name), std::move(value));
  }
  return parameters;
}

Result<std::int64_t> WholeNumberOf(const Request& request, const std::string& name,
                                   std::int64_t absent, std::int64_t low, std::int64_t high) {
  const auto text = request.Parameter(name);
  if (!text) return absent;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = error == std::errc() && end == text->data() + text->size() && !text->empty();
  if (!whole || value < low || value > high) {
    return OutOfRange(name, fmt::format("from {} to {}", low, high));
  }
  return value;
}

Result<double> NumberOf(const Request& request, const std::string& name, double absent, double low,
                        double high) {
  const auto text = request.Parameter(name);
  if (!text) return absent;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = error == std::errc() && end == text->data() + text->size() && !text->empty();
  if (!whole || !(value >= low && value <= high)) {
    return OutOfRange(name, fmt::format("from {} to {}", low, high));
  }
  return value;
}

std::string ProblemJson(int status, std::string_view code, const std::string& detail,
                        const std::string& input) {
  Json json{{"type", "about:blank"},
            {"title", Reason(status)},
            {"status", status},
            {"code", code},
            {"detail", detail}};
  if (!input.empty()) json["input"] = input;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Response Problem(int status, std::string_view code, const std::string& detail,
                 const std::string& input) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  response.body = ProblemJson(status, code, detail, input);
  return response;
}

std::pair<int, std::string_view> ProblemOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return {400, "invalid_argument"};
    case StatusCode::kNotFound:
      return {404, "not_found"};
    case StatusCode::kAlreadyExists:
      return {409, "already_exists"};
    case StatusCode::kIncompatible:
      return {409, "incompatible"};
    case StatusCode::kLimitExceeded:
      return {413, "limit_exceeded"};
    case StatusCode::kUnsupported:
      return {415, "unsupported"};
    case StatusCode::kPermissionDenied:
      return {403, "permission_denied"};
    case StatusCode::kOutOfSpace:
      return {507, "out_of_space"};
    case StatusCode::kOutOfMemory:
      return {503, "out_of_memory"};
    case StatusCode::kBusy:
      return {503, "busy"};
    case StatusCode::kUnavailable:
      return {503, "unavailable"};
    case StatusCode::kCancelled:
      return {503, "cancelled"};
    case StatusCode::kDeadlineExceeded:
      return {504, "deadline_exceeded"};
    default:
      return {500, "internal"};
  }
}

Response Problem(const Status& status, const std::string& input) {
  const auto [number, code] = ProblemOf(status);
  return Problem(number, code, status.message(), input);
}

Response PictureProblem(const Status& status, const std::string& input) {
  switch (status.code()) {
    case StatusCode::kUnsupported:
    case StatusCode::kCorrupt:
    case StatusCode::kInvalidArgument:
      return Problem(422, "unreadable_image", status.message(), input);
    default:
      return Problem(status, input);
  }
}

std::string_view Reason(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 26> kReasons = {{
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {507, "Insufficient Storage"},
  }};
  for (const auto& [number, words] : kReasons) {
    if (number == status) return words;
  }
  return "";
}

}  // namespace siftsearch::server
