#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/topk.h"

namespace siftsearch::lists {

inline constexpr int kWordBits = 12;
inline constexpr int kWords = 1 << kWordBits;
inline constexpr int kGroups = 256;

/// Words, each in the group of its nearest middle.
struct GroupedWords {
  std::vector<std::uint8_t> centroids;  ///< kWords × kDescriptorBytes.
  std::vector<std::uint8_t> middles;    ///< kGroups × kDescriptorBytes.
  std::vector<std::uint8_t> group_of;   ///< By word.
};

/// Middles by k-means of the centroids in whole numbers, so that every machine gives the same.
GroupedWords GroupWords(std::vector<std::uint8_t> centroids);

/// Finds the words near a descriptor without measuring all: those of the nearest groups only. Of
/// real descriptors the nearest word is found for 999 in 1,000, and of the eight nearest 99 %
/// (bench/EXPERIMENTS.md). What is found is the same on every machine. Immutable, safe from several
/// threads.
class WordGroups {
 public:
  explicit WordGroups(GroupedWords words);

  const GroupedWords& words() const { return words_; }

  /// Fills `nearest` with squared distance << kWordBits | word, ascending; at most kWords.
  void Find(const std::uint8_t* descriptor, kernel::MeasureRows* measure,
            std::span<std::uint64_t> nearest) const;

 private:
  GroupedWords words_;
  std::array<std::vector<std::uint32_t>, kGroups> groups_;  ///< Words of each.
};

}  // namespace siftsearch::lists
