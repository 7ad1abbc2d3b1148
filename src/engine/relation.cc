#include "engine/relation.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

namespace siftsearch::engine {
namespace {

constexpr double kWhole = 0.93;  // Rounding and a pixel's border leave a full overlap below 1.

std::string Extent(const RelationInput& input) {
  const bool query_inside = input.query_overlap >= kWhole;
  const bool image_inside = input.image_overlap >= kWhole;
  const auto percent = [](double share) { return std::lround(share * 100); };
  if (query_inside && image_inside) {
    const std::string of = OfPages(input.query_pages, input.image_pages);
    return of.empty() ? "same picture" : fmt::format("same first page ({})", of);
  }
  if (query_inside) return fmt::format("crop of, {} % of its area", percent(input.image_overlap));
  if (image_inside) {
    return fmt::format("contains it, at {} % of the query's area", percent(input.query_overlap));
  }
  return fmt::format("overlaps, {} % of the query with {} % of the image",
                     percent(input.query_overlap), percent(input.image_overlap));
}

/// Of relations that do not say "same first page".
std::string Pages(const RelationInput& input) {
  const std::string of = OfPages(input.query_pages, input.image_pages);
  const bool said = input.query_overlap >= kWhole && input.image_overlap >= kWhole;
  return of.empty() || said ? "" : fmt::format(", of the first pages ({})", of);
}

}  // namespace

std::string OfPages(int query_pages, int image_pages) {
  if (query_pages <= 1 && image_pages <= 1) return "";
  return fmt::format("of {} and {}", query_pages, image_pages);
}

std::string DescribeRelation(const RelationInput& input) {
  const auto& j = input.jacobian;
  // A mirrored query is first mirrored back, left and right, then turned.
  const double determinant = j[0] * j[3] - j[1] * j[2];
  const bool mirrored = determinant < 0;
  const double hand = mirrored ? -1 : 1;
  const double query_scale = 1 / std::sqrt(std::abs(determinant));
  // The rotation next to the linear map: of (a, b; c, d), atan2(c − b, a + d).
  const double rotation =
      -std::atan2(hand * j[2] - j[1], hand * j[0] + j[3]) * 180 / std::numbers::pi;
  std::string text = Extent(input) + Pages(input);
  if (mirrored) text += ", mirrored";
  if (input.inverted) text += ", inverted";
  if (std::abs(rotation) >= 1) text += fmt::format(", rotated {:.0f}°", rotation);
  if (std::abs(query_scale - 1) >= 0.03) {
    text += fmt::format(", scaled to {:.0f} %", query_scale * 100);
  }
  return text;
}

}  // namespace siftsearch::engine
