#include "report/table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "report/text.h"

namespace siftsearch::report {
namespace {

std::string Score(const Match& match) { return fmt::format("{:.4f}", match.score); }

std::string Verdict(const Match& match) {
  switch (match.kind) {
    case MatchKind::kCopy:
      return "copy";
    case MatchKind::kSameScene:
      return "scene";
    case MatchKind::kSharedOverlay:
      return "overlay";
    case MatchKind::kUnclear:
      break;
  }
  return "-";
}

/// What is behind the description of one page of several.
std::string FirstOf(int pages) {
  return pages > 1 ? fmt::format(", first of {} pages", pages) : "";
}

std::string Time(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace

std::string ByteSize(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < std::size(kUnits)) {
    size /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string Columns(const std::vector<std::vector<std::string>>& rows,
                    std::span<const std::size_t> right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - DisplayWidth(row[i]), ' ');
      const bool flush_right = std::find(right.begin(), right.end(), i) != right.end();
      const bool last = i + 1 == row.size();
      text += "  ";
      text += flush_right ? gap + row[i] : last ? row[i] : row[i] + gap;
    }
    text += '\n';
  }
  return text;
}

std::string QueryTable(const QueryResult& result) {
  const std::string name = Printable(result.query);
  if (!result.error.ok()) return fmt::format("{}: {}\n", name, Printable(result.error.message()));
  std::string text = fmt::format("{}  {} × {}, {} descriptors{}\n", name, result.width,
                                 result.height, result.descriptors, FirstOf(result.pages));
  if (result.matches.empty()) return text + "  no match\n";
  std::vector<std::vector<std::string>> rows = {
      {"#", "score", "copy?", "inliers", "id", "relation", "path"}};
  for (const Match& match : result.matches) {
    rows.push_back({std::to_string(match.rank), Score(match), Verdict(match),
                    std::to_string(match.inliers), std::to_string(match.image.id),
                    match.relation.empty() ? "-" : match.relation, Printable(match.image.path)});
  }
  static constexpr std::size_t kRight[] = {0, 3, 4};
  return text + Columns(rows, kRight);
}

std::string PairTableHeader() { return "group   score  inliers  query = image: relation\n"; }

std::string PairTable(const ReportPair& pair) {
  return fmt::format("{:>5}  {}  {:>7}  {} = {}: {}\n",
                     pair.group > 0 ? std::to_string(pair.group) : "-", Score(pair.match),
                     pair.match.inliers, Printable(pair.query.path),
                     Printable(pair.match.image.path), pair.match.relation);
}

std::string ImageTableHeader() { return "    id          size  descriptors  path\n"; }

std::string ImageTable(const ImageRecord& image) {
  const std::string size = fmt::format("{}×{}", image.width, image.height);
  const std::string pages = image.pages > 1 ? fmt::format("  ({} pages)", image.pages) : "";
  return fmt::format("{:>6}  {:>12}  {:>11}  {}{}\n", image.id, size, image.descriptors,
                     Printable(image.path), pages);
}

std::string ImageDetails(const ImageRecord& image) {
  std::string text = fmt::format(
      "id           {}\n"
      "path         {}\n"
      "size         {} × {} pixels{}, {}\n"
      "descriptors  {}\n"
      "modified     {}\n"
      "added        {}\n",
      image.id, Printable(image.path), image.width, image.height, FirstOf(image.pages),
      ByteSize(image.file_bytes), image.descriptors, Time(image.modified_ns / 1'000'000'000),
      Time(image.added_s));
  for (const auto& [key, value] : image.attributes) {
    text += fmt::format("attribute    {} = {}\n", Printable(key), Printable(value));
  }
  return text;
}

std::string IndexName(const BackendStats& stats) {
  if (stats.index_in_use == stats.index) return Printable(stats.index);
  return fmt::format("{} ({})", Printable(stats.index),
                     stats.index_in_use.empty() ? "can't be used" : stats.index_in_use);
}

std::string IndexTable(const BackendStats& stats) {
  return fmt::format(
      "index        {}\n"
      "descriptors  {}\n"
      "files        {}\n",
      IndexName(stats), stats.descriptors, ByteSize(stats.index_bytes));
}

std::string StatsTable(const BackendStats& stats, const ExtractorSettings& settings) {
  return fmt::format(
      "images       {} ({} distinct files)\n"
      "descriptors  {} ({} of removed images wait for compact)\n"
      "segments     {}, {}\n"
      "catalogue    {}\n"
      "index        {}{}, searched by {}\n"
      "features     {}, at most {} an image, longer side at most {} pixels\n",
      stats.images, stats.contents, stats.descriptors, stats.removed_descriptors, stats.segments,
      ByteSize(stats.segment_bytes), ByteSize(stats.catalog_bytes), IndexName(stats),
      stats.index_bytes > 0 ? ", " + ByteSize(stats.index_bytes) : "", stats.kernel,
      settings.extractor, settings.max_features, settings.max_side);
}

}  // namespace siftsearch::report
