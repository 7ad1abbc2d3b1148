#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>

namespace siftsearch::index {

/// Consecutive rows that carry one id.
struct IdRange {
  std::int64_t first_row = 0;
  std::int64_t count = 0;
  std::int64_t id = 0;
};

/// Id of a row, -1 when no range has it. `ranges` are disjoint and ascending.
inline std::int64_t FindId(std::span<const IdRange> ranges, std::int64_t row) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), row,
                       [](std::int64_t r, const IdRange& range) { return r < range.first_row; });
  if (after == ranges.begin()) return -1;
  const IdRange& range = *std::prev(after);
  return row < range.first_row + range.count ? range.id : -1;
}

}  // namespace siftsearch::index
