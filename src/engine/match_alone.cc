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

VotedContent WithMissedVotes(std::span<const kernel::Neighbour> alone, const FeatureSet& image,
                             std::span<const NearRow> found, const VotedContent& voted) {
  VotedContent complete{voted.content, voted.width, voted.height, voted.votes, {}};
  const std::size_t points = alone.size() / kNeighboursAlone;
  const std::size_t k = points > 0 ? found.size() / points : 0;
  std::vector<vote::Neighbour> nearest(k);
  auto vote = voted.pairs.begin();  // Ascending by query.
  for (std::size_t i = 0; i < points; ++i) {
    const auto point = static_cast<std::int32_t>(i);
    const bool has_vote = vote != voted.pairs.end() && vote->query == point;
    for (; vote != voted.pairs.end() && vote->query == point; ++vote) {
      complete.pairs.push_back(*vote);
    }
    if (has_vote) continue;
    const kernel::Neighbour& row = alone[i * kNeighboursAlone];
    if (row.row < 0) continue;
    for (std::size_t n = 0; n < k; ++n) {
      const NearRow& near = found[i * k + n];
      nearest[n] = {.image = near.content > 0 ? near.content : -1, .distance = near.distance};
    }
    const auto missed = vote::MissedVote(
        nearest, {.row = row.row, .image = voted.content, .distance = row.distance},
        vote::kTypicalDistance);
    if (!missed) continue;
    complete.pairs.push_back({.query = point,
                              .image = image.keypoints[static_cast<std::size_t>(missed->row)],
                              .weight = missed->weight,
                              .rarity = missed->rarity});
    complete.votes += missed->weight;
  }
  return complete;
}

}  // namespace siftsearch::engine
