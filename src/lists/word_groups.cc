#include "lists/word_groups.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "siftsearch/types.h"

namespace siftsearch::lists {
namespace {

constexpr int kSearched = 32;  // Groups.
constexpr int kRounds = 20;    // Of k-means.

/// Squared distance · kGroups + group, of all groups; below 2^31.
using GroupKeys = std::array<std::uint32_t, kGroups>;

GroupKeys KeysOf(std::span<const std::uint8_t> middles, const std::uint8_t* descriptor,
                 kernel::MeasureRows* measure) {
  static const auto all = [] {
    std::array<std::uint32_t, kGroups> numbers;
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }();
  std::array<std::int32_t, kGroups> distances;
  measure(descriptor, middles.data(), all.data(), kGroups, distances.data());
  GroupKeys keys;
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    keys[group] = static_cast<std::uint32_t>(distances[group]) * kGroups + group;
  }
  return keys;
}

/// Puts each word into the group of its nearest middle; false where all were in it already.
bool Assign(GroupedWords& words, kernel::MeasureRows* measure) {
  bool moved = false;
  for (std::size_t word = 0; word < kWords; ++word) {
    const auto keys = KeysOf(words.middles, &words.centroids[word * kDescriptorBytes], measure);
    const auto group =
        static_cast<std::uint8_t>(*std::min_element(keys.begin(), keys.end()) % kGroups);
    moved |= std::exchange(words.group_of[word], group) != group;
  }
  return moved;
}

/// Moves each middle to the rounded mean of its words, where it has any.
void MoveMiddles(GroupedWords& words) {
  std::vector<std::uint32_t> sums(words.middles.size());
  std::array<std::uint32_t, kGroups> counts = {};
  for (std::size_t word = 0; word < kWords; ++word) {
    const std::size_t group = words.group_of[word];
    ++counts[group];
    for (std::size_t i = 0; i < kDescriptorBytes; ++i) {
      sums[group * kDescriptorBytes + i] += words.centroids[word * kDescriptorBytes + i];
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::uint32_t count = counts[i / kDescriptorBytes];
    if (count > 0) words.middles[i] = static_cast<std::uint8_t>((sums[i] + count / 2) / count);
  }
}

}  // namespace

GroupedWords GroupWords(std::vector<std::uint8_t> centroids) {
  GroupedWords words{std::move(centroids), {}, std::vector<std::uint8_t>(kWords)};
  for (std::size_t group = 0; group < kGroups; ++group) {
    const auto first = words.centroids.begin() +
                       static_cast<std::ptrdiff_t>(group * (kWords / kGroups) * kDescriptorBytes);
    words.middles.insert(words.middles.end(), first, first + kDescriptorBytes);
  }
  kernel::MeasureRows* const measure = kernel::MeasureRowsOf(kernel::SupportedVariants().front());
  for (int round = 0; round < kRounds && Assign(words, measure); ++round) MoveMiddles(words);
  Assign(words, measure);
  return words;
}

WordGroups::WordGroups(GroupedWords words) : words_(std::move(words)) {
  for (std::uint32_t word = 0; word < kWords; ++word) {
    groups_[words_.group_of[word]].push_back(word);
  }
}

void WordGroups::Find(const std::uint8_t* descriptor, kernel::MeasureRows* measure,
                      std::span<std::uint64_t> nearest) const {
  GroupKeys keys = KeysOf(words_.middles, descriptor, measure);
  std::nth_element(keys.begin(), keys.begin() + kSearched, keys.end());
  std::array<std::uint32_t, kWords> words;
  std::size_t count = 0;
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (i == kSearched) {
      if (count >= nearest.size()) break;
      std::sort(keys.begin() + kSearched, keys.end());  // Too few words: more groups.
    }
    const auto& group = groups_[keys[i] % kGroups];
    std::copy(group.begin(), group.end(), words.begin() + static_cast<std::ptrdiff_t>(count));
    count += group.size();
  }
  std::array<std::int32_t, kWords> distances;
  measure(descriptor, words_.centroids.data(), words.data(), count, distances.data());
  std::fill(nearest.begin(), nearest.end(), std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t key = static_cast<std::uint64_t>(distances[i]) << kWordBits | words[i];
    if (key >= nearest.back()) continue;
    const auto place = std::upper_bound(nearest.begin(), nearest.end(), key);
    std::copy_backward(place, nearest.end() - 1, nearest.end());
    *place = key;
  }
}

}  // namespace siftsearch::lists
