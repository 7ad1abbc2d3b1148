#include "vote/alike.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace siftsearch::vote {

AlikeFinder::AlikeFinder(std::span<const AlikeQuery> queries, int most)
    : queries_(queries), most_(most), found_(queries.size()) {}

void AlikeFinder::Visit(std::int64_t content, const Pdq& signature) {
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    if (queries_[i].exclude_content == content) continue;
    AlikeContent nearest{.content = content, .distance = most_ + 1};
    for (std::size_t turn = 0; turn < queries_[i].turns.size(); ++turn) {
      const int distance = PdqDistance(queries_[i].turns[turn], signature);
      if (distance >= nearest.distance) continue;
      nearest.distance = distance;
      nearest.turn = static_cast<int>(turn);
    }
    if (nearest.distance <= most_) found_[i].push_back(nearest);
  }
}

std::vector<std::vector<AlikeContent>> AlikeFinder::Take() {
  for (auto& of_query : found_) {
    std::sort(of_query.begin(), of_query.end(), [](const auto& a, const auto& b) {
      return std::tie(a.distance, a.content) < std::tie(b.distance, b.content);
    });
  }
  return std::move(found_);
}

}  // namespace siftsearch::vote
