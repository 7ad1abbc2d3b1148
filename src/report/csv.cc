#include "report/csv.h"

#include <fmt/format.h>

namespace siftsearch::report {
namespace {

std::string Bool(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
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
