#include "report/csv.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>

namespace siftsearch::report {
namespace {

std::string Bool(bool value) { return value ? "true" : "false"; }

/// Whether a field, without the quote that may open it, is one that spreadsheets calculate.
bool IsFormula(std::string_view field) {
  if (field.empty() || std::string_view("=+-@\t\r").find(field[0]) == std::string_view::npos) {
    return false;
  }
  double number = 0;
  const char* end = field.data() + field.size();
  return std::from_chars(field.data(), end, number).ptr != end;
}

}  // namespace

std::string ForSpreadsheet(std::string_view csv) {
  std::string safe;
  for (std::size_t at = 0; at < csv.size();) {
    std::size_t end = at;
    for (bool quoted = false; end < csv.size(); ++end) {
      if (csv[end] == '"') quoted = !quoted;
      if (!quoted && (csv[end] == ',' || csv[end] == '\n')) break;
    }
    std::string_view field = csv.substr(at, end - at);
    if (field.starts_with('"')) {
      safe += '"';
      field.remove_prefix(1);
    }
    if (IsFormula(field)) safe += '\'';
    safe += field;
    if (end < csv.size()) safe += csv[end];
    at = end + 1;
  }
  return safe;
}

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string HashCsvHeader() { return "pdq,quality,path\n"; }

std::string HashCsv(const std::string& path, const PictureHash& hash) {
  return fmt::format("{},{},{}\n", hash.pdq.front(), hash.quality, CsvField(path));
}

std::string QueryCsvHeader() {
  return "query,rank,id,path,score,copy,votes,inliers,mirrored,inverted,relation,"
         "query_overlap_percent,image_overlap_percent,error\n";
}

std::string QueryCsv(const QueryResult& result) {
  const std::string query = CsvField(result.query);
  if (!result.error.ok() || result.matches.empty()) {
    return fmt::format("{},,,,,,,,,,,,,{}\n", query, CsvField(result.error.message()));
  }
  std::string rows;
  for (const Match& match : result.matches) {
    rows += fmt::format("{},{},{},{},{:.6f},{},{:.2f},{},{},{},{},{:.1f},{:.1f},\n", query,
                        match.rank, match.image.id, CsvField(match.image.path), match.score,
                        Bool(match.copy), match.votes, match.inliers, Bool(match.mirrored),
                        Bool(match.inverted), CsvField(match.relation), match.query_overlap_percent,
                        match.image_overlap_percent);
  }
  return rows;
}

std::string PairCsvHeader() {
  return "query,image,score,copy,votes,inliers,mirrored,inverted,group\n";
}

std::string PairCsv(const ReportPair& pair) {
  const Match& match = pair.match;
  return fmt::format("{},{},{:.6f},{},{:.2f},{},{},{},{}\n", CsvField(pair.query.path),
                     CsvField(match.image.path), match.score, Bool(match.copy), match.votes,
                     match.inliers, Bool(match.mirrored), Bool(match.inverted),
                     pair.group > 0 ? std::to_string(pair.group) : "");
}

std::string PartialCsv(std::string_view about) {
  return CsvField(fmt::format("# stopped before the end: {}", about)) + ",,,,,,,,\n";
}

std::string ImageCsvHeader() { return "id,width,height,descriptors,file_bytes,path\n"; }

std::string ImageCsv(const ImageRecord& image) {
  return fmt::format("{},{},{},{},{},{}\n", image.id, image.width, image.height, image.descriptors,
                     image.file_bytes, CsvField(image.path));
}

}  // namespace siftsearch::report
