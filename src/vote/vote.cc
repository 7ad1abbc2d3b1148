#include "vote/vote.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace siftsearch::vote {
namespace {

constexpr int kMostCounted = 16;

double Distance(const Neighbour& neighbour) {
  return std::sqrt(static_cast<double>(neighbour.distance));
}

/// What the distances of one query descriptor's neighbours are measured with.
double Yardstick(std::span<const Neighbour> row, double farthest) {
  const Neighbour& kth = row.back();
  if (kth.image < 0) return kTypicalDistance;
  return std::min(std::max(Distance(kth), kCopyDistance), farthest);
}

double Weight(const Neighbour& neighbour, double yardstick) {
  const double closeness = 1 - Distance(neighbour) / yardstick;
  return closeness > 0 ? closeness * closeness : 0;
}

/// 1 / (1 + other images in the row that are about as near as this neighbour, or nearer).
float Rarity(std::span<const Neighbour> row, const Neighbour& neighbour) {
  const double reach = Distance(neighbour) / kAboutAsNear;
  std::int64_t seen[kMostCounted];
  int others = 0;
  for (const Neighbour& other : row) {
    if (other.image < 0 || Distance(other) > reach || others == kMostCounted) break;
    if (other.image == neighbour.image ||
        std::find(seen, seen + others, other.image) != seen + others)
      continue;
    seen[others++] = other.image;
  }
  return 1.0f / static_cast<float>(1 + others);
}

class Tally {
 public:
  void Vote(std::int64_t image, const Correspondence& vote) {
    const auto [entry, first] = index_.try_emplace(image, candidates_.size());
    if (first) candidates_.push_back({image, 0, {}});
    Candidate& candidate = candidates_[entry->second];
    // Neighbours come nearest first, so a later one of the same query adds nothing.
    if (!candidate.correspondences.empty() &&
        candidate.correspondences.back().query == vote.query) {
      return;
    }
    candidate.votes += vote.weight;
    candidate.correspondences.push_back(vote);
  }

  std::vector<Candidate> Ranked(std::size_t most) && {
    const auto before = [](const Candidate& a, const Candidate& b) {
      return a.votes != b.votes ? a.votes > b.votes : a.image < b.image;
    };
    most = std::min(most, candidates_.size());
    std::partial_sort(candidates_.begin(), candidates_.begin() + most, candidates_.end(), before);
    candidates_.resize(most);
    return std::move(candidates_);
  }

 private:
  std::unordered_map<std::int64_t, std::size_t> index_;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::vector<Candidate> CountVotes(std::span<const Neighbour> neighbours, int k,
                                  const VoteOptions& options) {
  if (k < 1 || options.max_candidates < 1) return {};
  Tally tally;
  const std::size_t width = static_cast<std::size_t>(k) + std::max(0, options.further);
  const std::size_t queries = neighbours.size() / width;
  for (std::size_t query = 0; query < queries; ++query) {
    const auto row = neighbours.subspan(query * width, width);
    const auto nearest = row.first(k);
    const double yardstick = Yardstick(nearest, options.farthest_yardstick);
    for (const Neighbour& neighbour : row) {
      if (neighbour.image < 0) break;
      const double weight = Weight(neighbour, yardstick);
      if (weight == 0) continue;
      tally.Vote(neighbour.image,
                 {static_cast<std::int32_t>(query), neighbour.row, neighbour.distance,
                  static_cast<float>(weight), Rarity(nearest, neighbour)});
    }
  }
  return std::move(tally).Ranked(static_cast<std::size_t>(options.max_candidates));
}

std::optional<Correspondence> MissedVote(std::span<const Neighbour> nearest,
                                         const Neighbour& missed, double farthest_yardstick) {
  const Neighbour& kth = nearest.back();
  if (kth.image >= 0 && kth.distance <= missed.distance) return std::nullopt;
  // With it, the last of the k found is none of the k nearest.
  const auto others = nearest.first(nearest.size() - 1);
  const bool last =
      others.empty() || (others.back().image >= 0 && others.back().distance <= missed.distance);
  const Neighbour& farthest = last ? missed : others.back();
  const double weight = Weight(missed, Yardstick({&farthest, 1}, farthest_yardstick));
  if (weight == 0) return std::nullopt;
  return Correspondence{.row = missed.row,
                        .distance = missed.distance,
                        .weight = static_cast<float>(weight),
                        .rarity = Rarity(others, missed)};
}

}  // namespace siftsearch::vote
