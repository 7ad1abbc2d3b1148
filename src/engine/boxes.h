#pragma once

#include <algorithm>

#include "siftsearch/types.h"

namespace siftsearch::engine {

/// Per cent of a picture from which all of it counts as shown: rounding and trimmed borders leave a
/// full overlap below 100.
inline constexpr double kWholePercent = 93;
/// Per cent of its size from which a picture counts as shown in its own resolution.
inline constexpr double kFullSizePercent = 98;

inline double Area(const Box& box) { return box.width * box.height; }

/// Area that two boxes have in common.
inline double SharedArea(const Box& a, const Box& b) {
  const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  return width <= 0 || height <= 0 ? 0 : width * height;
}

}  // namespace siftsearch::engine
