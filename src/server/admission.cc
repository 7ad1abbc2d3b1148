#include "server/admission.h"

#include <fmt/format.h>

#include <charconv>

namespace siftsearch::server {
namespace {

/// "localhost" of "localhost:8080", "[::1]" of "[::1]:8080".
std::string_view HostName(std::string_view host) {
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? host.substr(0, colon) : host;
}

}  // namespace

std::optional<Response> RefuseHost(const Request& request, const std::set<std::string>& hosts) {
  const std::string_view host = request.Header("host");
  if (hosts.empty() || hosts.contains(std::string(HostName(host)))) return std::nullopt;
  return Problem(421, "bad_host",
                 "this server is not known by this name; --host lets it answer to one",
                 std::string(host));
}

std::optional<Response> RefuseForeign(const Request& request, bool writes) {
  if (!writes && (request.method == "GET" || request.method == "HEAD")) return std::nullopt;
  const std::string_view site = request.Header("sec-fetch-site");
  bool foreign = !site.empty() && site != "same-origin" && site != "none";
  const std::string_view origin = request.Header("origin");
  if (!origin.empty()) {
    const std::size_t slashes = origin.find("://");
    foreign = foreign || slashes == std::string_view::npos ||
              origin.substr(slashes + 3) != request.Header("host");
  }
  if (!foreign) return std::nullopt;
  return Problem(403, "cross_site", "a page of another site may not change anything here");
}

std::optional<Response> RefuseBody(const Request& request, std::int64_t max_body_bytes) {
  const std::string_view encoding = request.Header("content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return Problem(415, "unsupported", "the body is encoded (Content-Encoding): send it as it is");
  }
  const std::string_view text = request.Header("content-length");
  if (text.empty()) return std::nullopt;
  std::int64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error == std::errc() && end == text.data() + text.size() && length <= max_body_bytes) {
    return std::nullopt;
  }
  return Problem(413, "limit_exceeded",
                 fmt::format("the body has more than {} bytes (--max-body)", max_body_bytes));
}

}  // namespace siftsearch::server
