#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace siftsearch::local {

/// Segments of one tier that make a merge.
inline constexpr std::size_t kMergeFanOut = 8;
/// Bytes of segments that one commit merges at most: so many, or this part of all there are.
inline constexpr std::int64_t kMaxMergeBytes = 64 << 20;
inline constexpr std::int64_t kMaxMergePart = 8;

struct MergePart {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

/// Chooses what a commit merges: groups of two or more indices into `parts` (oldest first), each
/// ascending. The tier of a part is log8 of its rows. While a tier has eight parts, its oldest ones
/// become one, as many as fit the byte limits; a merge of fewer than four would not be worth its
/// writing and is left out. So n single additions leave O(log n) segments, the largest of which
/// hold a part of the database each, and each row is rewritten O(log n) times. Pure.
std::vector<std::vector<std::size_t>> PlanMerges(std::span<const MergePart> parts);

}  // namespace siftsearch::local
