#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "index/id_range.h"
#include "kernel/topk.h"

namespace siftsearch::index {

inline std::vector<std::uint8_t> RandomBytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() & 255);
  return bytes;
}

inline std::vector<float> ToFloats(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

/// Rows of images with 1, 2, 3 … rows; ids 10, 11, 12 …
inline std::vector<IdRange> GrowingImages(std::int64_t rows) {
  std::vector<IdRange> ranges;
  for (std::int64_t row = 0, size = 1; row < rows; row += size++) {
    ranges.push_back({.first_row = row, .count = std::min(size, rows - row), .id = 9 + size});
  }
  return ranges;
}

}  // namespace siftsearch::index
