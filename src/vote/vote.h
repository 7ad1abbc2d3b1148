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

/// Ranks images by weighted votes. `neighbours` holds rows of `k` neighbours, ascending by
/// distance, one row per query descriptor. A neighbour at distance d votes with (1 − d/d_k)², where
/// d and d_k are L2 distances (not squared) and d_k is the k-th neighbour's: the k-th distance is
/// the yardstick for how near is near (Jégou, Douze, Schmid, "Exploiting descriptor distances for
/// precise image search", INRIA RR-7656, 2011). Where fewer than k rows exist, and so no yardstick,
/// or where d_k is the distance of the same image, the yardstick is the larger of d_k and
/// kTypicalDistance, so that a database of one image votes too. An image gets at most one vote per
/// query descriptor, its nearest's. Ordered by votes descending, then image ascending. Pure.
std::vector<Candidate> CountVotes(std::span<const Neighbour> neighbours, int k,
                                  const VoteOptions& options);

}  // namespace siftsearch::vote
