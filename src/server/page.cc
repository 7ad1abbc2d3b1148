#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "report/page_parts.h"
#include "server/api.h"
#include "server/page_files.h"

namespace siftsearch::server {
namespace {

// Nothing from outside, nothing inline, and in nobody's frame.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct PageFile {
  std::string content_type;
  std::string body;
  std::string tag;  ///< With its quotes.
};

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

PageFile MakeFile(std::string content_type, std::span<const std::uint8_t> bytes) {
  return {.content_type = std::move(content_type),
          .body = {bytes.begin(), bytes.end()},
          .tag = "\"" + ToHex(Sha256(bytes)).substr(0, 32) + "\""};
}

Response Answer(const PageFile& file, const Request& request) {
  Response response;
  response.content_type = file.content_type;
  response.headers = {{"ETag", file.tag},
                      {"Cache-Control", "no-cache"},
                      {"Content-Security-Policy", std::string(kContentPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Permissions-Policy", "camera=(self)"}};
  if (NamesTag(request.Header("if-none-match"), file.tag)) {
    response.status = 304;
  } else {
    response.body = file.body;
  }
  return response;
}

Response GetPage(Service&, const Call& call) {
  static const PageFile file = MakeFile("text/html; charset=utf-8", PageHtml());
  return Answer(file, call.request);
}

Response GetAsset(Service&, const Call& call) {
  static const PageFile report_style =
      MakeFile("text/css; charset=utf-8", Bytes(report::kPageStyle));
  static const PageFile style = MakeFile("text/css; charset=utf-8", PageCss());
  static const PageFile script = MakeFile("text/javascript; charset=utf-8", PageJs());
  static const PageFile compare_script =
      MakeFile("text/javascript; charset=utf-8", PageCompareJs());
  const std::string& name = call["file"];
  if (name == "report.css") return Answer(report_style, call.request);
  if (name == "page.css") return Answer(style, call.request);
  if (name == "compare.js") return Answer(compare_script, call.request);
  if (name == "page.js") return Answer(script, call.request);
  return Problem(404, "not_found", "the page has no file of this name", name);
}

constexpr std::array kRoutes{
    Route{"GET", "/", Work::kInline, Right::kNone, GetPage},
    Route{"GET", "/assets/{file}", Work::kInline, Right::kNone, GetAsset},
};

}  // namespace

std::span<const Route> PageRoutes() { return kRoutes; }

}  // namespace siftsearch::server
