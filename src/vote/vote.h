#pragma once

#include <cstdint>
#include <limits>
#include <optional>
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
  float rarity = 1;  ///< 1 / (1 + other images with a row about as near); see CountVotes.
};

struct Candidate {
  std::int64_t image = -1;
  double votes = 0;                             ///< Sum of the weights.
  std::vector<Correspondence> correspondences;  ///< Ascending by query; at most one per query.
};

struct VoteOptions {
  int max_candidates = 50;
  /// Further neighbours in each row behind the first k (of rows that have k equally near ones).
  /// They vote, but are no part of the yardstick or of rarity.
  int further = 0;
  /// Upper end of the yardstick, where near rows may have been missed.
  double farthest_yardstick = std::numeric_limits<double>::infinity();
};

/// Yardstick where there is no k-th neighbour. Distance (L2 between RootSIFT bytes of length 512)
/// of near but unrelated descriptors: among 34,000 rows of 102 pictures the nearest neighbour of a
/// descriptor of another picture lies at 215 in the median (172 to 230 from the 5th to the 75th
/// percentile), the tenth at 243.
inline constexpr double kTypicalDistance = 230;

/// Distance that copying moves a descriptor by. A k-th neighbour nearer than this is likely one
/// copy among many and no measure of chance: with 12 re-encoded copies stored and k = 10, this
/// floor doubles the votes of the copy with the fewest and leaves the votes of strangers as they
/// are; a floor of 200 doubles those, too.
inline constexpr double kCopyDistance = 150;

/// Ratio of two distances from which they are about the same.
inline constexpr double kAboutAsNear = 0.8;

/// Ranks images by weighted votes. `neighbours` holds rows of `k` (and the further) neighbours,
/// ascending by distance, empty slots last, one row per query descriptor. A neighbour at distance d
/// (L2, not squared) votes with (1 − d/y)², or not at all where d ≥ y. The yardstick y of a row is
/// its k-th neighbour's distance (Jégou, Douze, Schmid, "Exploiting descriptor distances for
/// precise image search", INRIA RR-7656, 2011), at least kCopyDistance and at most the farthest
/// that the options allow; kTypicalDistance where fewer than k rows exist. It is one for the whole
/// row, so a farther neighbour never weighs more than a nearer one. An image gets at most one vote
/// per query descriptor, its nearest's. The vote's rarity tells a descriptor that only this image
/// has (1) from lettering or a frame that many share: rows count as about as near up to 1 /
/// kAboutAsNear of the distance (the ratio test of Lowe, IJCV 2004, against other images). Ordered
/// by votes descending, then image ascending; without a vote an image is no candidate. Pure.
std::vector<Candidate> CountVotes(std::span<const Neighbour> neighbours, int k,
                                  const VoteOptions& options);

/// The vote that a row would have had which a search missed. `nearest`: the k neighbours that were
/// found of the descriptor, as for CountVotes. None where all k are as near, or it is too far.
/// Pure.
std::optional<Correspondence> MissedVote(std::span<const Neighbour> nearest,
                                         const Neighbour& missed, double farthest_yardstick);

}  // namespace siftsearch::vote
