#include "report/html_page.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "report/json.h"
#include "report/page_parts.h"
#include "report/text.h"

namespace siftsearch::report {
namespace {

using Json = nlohmann::ordered_json;

/// JSON that can stand in a script element: no "<", so neither "</script" nor "<!--".
std::string InScript(const std::string& json) {
  std::string text;
  for (const char c : json) text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text;
}

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// What files of equal bytes differ in.
Json PageFileJson(const ImageRecord& image) {
  return {{"path", Printable(image.path)},
          // The page gives paths back in its decisions, so it needs their bytes.
          {"file", Base64(image.path)},
          {"modified", image.modified_ns / 1'000'000'000},
          {"stored", image.id > 0},
          {"attributes", image.attributes}};
}

Json MemberJson(const PageMember& member) {
  const ImageRecord& image = member.image;
  Json json = PageFileJson(image);
  json.update({{"width", image.width},
               {"height", image.height},
               {"pages", image.pages},
               {"bytes", image.file_bytes},
               {"taken", member.taken},
               {"sha256", image.hash == ContentHash{} ? "" : ToHex(image.hash)},
               {"gone", member.gone},
               {"original", member.original},
               {"relation", Printable(member.relation)},
               {"score", member.score},
               {"thumbnail", member.thumbnail},
               {"size", {member.thumbnail_width, member.thumbnail_height}},
               {"problem", member.problem},
               {"equal_files", Json::array()}});
  for (std::size_t i = 0; i < member.equal_files.size(); ++i) {
    Json file = PageFileJson(member.equal_files[i]);
    file["relation"] = member.equal_relations.at(i);
    json["equal_files"].push_back(std::move(file));
  }
  return json;
}

}  // namespace

std::string JpegUrl(const std::vector<std::uint8_t>& jpeg) {
  return "data:image/jpeg;base64," +
         Base64({reinterpret_cast<const char*>(jpeg.data()), jpeg.size()});
}

std::string RelativeUrl(const std::string& path) {
  std::string url;
  for (const char c : path) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("/-_.").find(c) != std::string_view::npos;
    url += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return url;
}

std::string PageBegin(const std::string& title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      // Nothing from outside, whatever a name or an attribute holds.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "img-src data: file: 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n{}",
      Escaped(title), kPageStyle, kPageBody);
}

std::string PageGroupText(const PageGroup& group) {
  std::map<std::string, std::size_t> index;
  Json json = {{"group", group.number}, {"weakest", group.weakest}, {"members", Json::array()}};
  for (const PageMember& member : group.members) {
    const std::size_t number = json["members"].size();
    index[member.image.path] = number;
    for (const ImageRecord& file : member.equal_files) index[file.path] = number;
    json["members"].push_back(MemberJson(member));
  }
  json["pairs"] = Json::array();
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const ReportPair& pair : group.pairs) {
    const std::pair between(index.at(pair.query.path), index.at(pair.match.image.path));
    // Of two members the first pair is shown, the best.
    if (between.first == between.second || !seen.insert(between).second) continue;
    Json pair_json = Json::parse(PairJson(pair));
    Json kept;
    kept["query"] = between.first;
    kept["image"] = between.second;
    for (const char* field : {"score", "copy", "kind", "because", "relation", "covered_percent",
                              "image_from_query", "query_polygon", "image_polygon", "points"}) {
      kept[field] = std::move(pair_json[field]);
    }
    json["pairs"].push_back(std::move(kept));
  }
  return "<script type=\"application/json\" class=\"group\">" +
         InScript(json.dump(-1, ' ', false, Json::error_handler_t::replace)) + "</script>\n";
}

std::string PageEnd(const std::string& about, bool partial) {
  const Json json = {{"about", about}, {"partial", partial}};
  return "<script type=\"application/json\" id=\"about\">" + InScript(json.dump()) +
         "</script>\n<script>\n" + std::string(kPageScript) + "</script>\n</body>\n</html>\n";
}

}  // namespace siftsearch::report
