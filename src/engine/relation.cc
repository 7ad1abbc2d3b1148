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
  const Transform& t = input.image_from_query;
  // A mirrored query is first mirrored back, left and right, then turned.
  const bool mirrored = t[0] * t[4] - t[1] * t[3] < 0;
  const double hand = mirrored ? -1 : 1;
  const double query_scale = 1 / std::hypot(t[0], t[3]);
  const double rotation = -std::atan2(hand * t[3], hand * t[0]) * 180 / std::numbers::pi;
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
