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
  if (query_inside && image_inside) return "same picture";
  if (query_inside) return fmt::format("crop of, {} % of its area", percent(input.image_overlap));
  if (image_inside) {
    return fmt::format("contains it, at {} % of the query's area", percent(input.query_overlap));
  }
  return fmt::format("overlaps, {} % of the query with {} % of the image",
                     percent(input.query_overlap), percent(input.image_overlap));
}

}  // namespace

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
  std::string text = Extent(input);
  if (mirrored) text += ", mirrored";
  if (input.inverted) text += ", inverted";
  if (std::abs(rotation) >= 1) text += fmt::format(", rotated {:.0f}°", rotation);
  if (std::abs(query_scale - 1) >= 0.03) {
    text += fmt::format(", scaled to {:.0f} %", query_scale * 100);
  }
  return text;
}

}  // namespace siftsearch::engine
