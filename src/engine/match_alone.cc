#include "engine/match_alone.h"

#include <cmath>
#include <vector>

#include "base/status_macros.h"
#include "vote/vote.h"

namespace siftsearch::engine {
namespace {

constexpr int kNeighboursAlone = 2;
/// L2 between RootSIFT bytes; unrelated near descriptors lie at 215 in the median.
constexpr int kFarthestPair = 260;
/// Rarity of a pair without a vote: at least a handful of rows elsewhere were nearer.
constexpr float kUnvotedRarity = 1.0f / 6;
constexpr double kUnvotedWeight = 1e-3;

}  // namespace

Result<std::vector<kernel::Neighbour>> NearestAlone(std::size_t size,
                                                    const kernel::PreparedQueries& descriptors,
                                                    const FeatureSet& image) {
  const kernel::RowSpan rows{image.descriptors.data(), image.size(), 0};
  std::vector<kernel::Neighbour> nearest;
  const std::vector<std::int32_t> limits(size, kFarthestPair * kFarthestPair + 1);
  SIFTSEARCH_RETURN_IF_ERROR(kernel::TopK(
      {&rows, 1}, descriptors, {.k = kNeighboursAlone, .distances_below = limits}, &nearest));
  return nearest;
}

VotedContent MatchAlone(std::span<const kernel::Neighbour> nearest, const FeatureSet& image,
                        const VotedContent& voted) {
  VotedContent matched{voted.content, voted.width, voted.height, voted.votes, {}};
  auto vote = voted.pairs.begin();  // Ascending by query.
  for (std::size_t i = 0; i * kNeighboursAlone < nearest.size(); ++i) {
    const auto point = static_cast<std::int32_t>(i);
    while (vote != voted.pairs.end() && vote->query < point) ++vote;
    const bool has_vote = vote != voted.pairs.end() && vote->query == point;
    for (std::size_t n = i * kNeighboursAlone; n < (i + 1) * kNeighboursAlone; ++n) {
      if (nearest[n].row < 0) break;
      const double distance = std::sqrt(static_cast<double>(nearest[n].distance));
      const auto weight = static_cast<float>(kUnvotedWeight * (1 - distance / kFarthestPair));
      matched.pairs.push_back({.query = point,
                               .image = image.keypoints[static_cast<std::size_t>(nearest[n].row)],
                               .weight = has_vote ? vote->weight : weight,
                               .rarity = has_vote ? vote->rarity : kUnvotedRarity});
    }
  }
  return matched;
}

VotedContent WithMissedVotes(std::span<const kernel::Neighbour> nearest, const FeatureSet& image,
                             std::span<const int> others, const VotedContent& voted) {
  VotedContent complete{voted.content, voted.width, voted.height, voted.votes, {}};
  auto vote = voted.pairs.begin();  // Ascending by query.
  for (std::size_t i = 0; i * kNeighboursAlone < nearest.size(); ++i) {
    const auto point = static_cast<std::int32_t>(i);
    if (vote != voted.pairs.end() && vote->query == point) {
      complete.pairs.push_back(*vote++);
      continue;
    }
    const kernel::Neighbour& missed = nearest[i * kNeighboursAlone];
    if (missed.row < 0) continue;
    const double closeness =
        1 - std::sqrt(static_cast<double>(missed.distance)) / vote::kTypicalDistance;
    if (closeness <= 0) continue;
    complete.pairs.push_back({.query = point,
                              .image = image.keypoints[static_cast<std::size_t>(missed.row)],
                              .weight = static_cast<float>(closeness * closeness),
                              .rarity = 1.0f / static_cast<float>(1 + others[i])});
    complete.votes += closeness * closeness;
  }
  return complete;
}

}  // namespace siftsearch::engine
