#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace siftsearch::vote {

/// One neighbour of a query descriptor: a stored row, the image (content) it belongs to and the
/// squared L2 distance. `image` is -1 for an empty slot.
struct Neighbour {
  std::int64_t row = -1;
  std::int64_t image = -1;
  std::int32_t distance = 0;
};

/// A query descriptor that voted for an image, with the row that earned the vote.
struct Correspondence {
  std::int32_t query = 0;  ///< Index of the query descriptor.
  std::int64_t row = 0;
  std::int32_t distance = 0;
  float weight = 0;
};

struct Candidate {
  std::int64_t image = -1;
  double votes = 0;                             ///< Sum of the weights.
  std::vector<Correspondence> correspondences;  ///< Ascending by query; at most one per query.
};

struct VoteOptions {
  int max_candidates = 50;
};

/// Distance (L2 between RootSIFT bytes of length 512) of the nearest among some 10⁵ unrelated
/// descriptors: beyond it a neighbour says nothing.
inline constexpr double kTypicalDistance = 230;

/// Distance within which re-encoding moves a descriptor. A k-th neighbour nearer than this is one
/// copy among many, not a measure of chance.
inline constexpr double kNoiseDistance = 60;

/// Ranks images by weighted votes. `neighbours` holds rows of `k` neighbours, ascending by
/// distance, one row per query descriptor. A neighbour at distance d votes with (1 − d/y)², where d
/// is L2 (not squared) and the yardstick y is the k-th neighbour's distance (Jégou, Douze, Schmid,
/// "Exploiting descriptor distances for precise image search", INRIA RR-7656, 2011), at least
/// kNoiseDistance; at least kTypicalDistance where that is no yardstick, because fewer than k rows
/// exist or the k-th belongs to the same image. An image gets at most one vote per query
/// descriptor, its nearest's. Ordered by votes descending, then image ascending. Pure.
std::vector<Candidate> CountVotes(std::span<const Neighbour> neighbours, int k,
                                  const VoteOptions& options);

}  // namespace siftsearch::vote
