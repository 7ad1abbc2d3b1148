#include "engine/near_duplicates.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/confirm.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

/// A picture that is stored often is among the next best candidates again. After two that are not
/// the search ends: pictures that share but a watermark make as many groups as there are pictures.
constexpr std::size_t kFirstLook = 8;
constexpr int kMostAlone = 2;
/// One of two near-duplicates lies in the other by this much, in percent.
constexpr double kInTheOther = 80;
/// Their pixels agree by this much all over the shared region, and of the keypoints of each this
/// share has a pair: most versions of one picture do, hardly any other pairs
/// (bench/EXPERIMENTS.md).
constexpr double kPixelsAgreeAllOver = 0.75;
constexpr double kPointsFound = 0.3;

/// The stored picture that others are compared with, as if it were the query.
class LeaderPicture {
 public:
  static Result<LeaderPicture> With(const FeaturesOfContent& features_of,
                                    const VerifiedContent& leader) {
    LeaderPicture picture(features_of, leader);
    auto features = features_of(leader.content);
    if (features.status().code() == StatusCode::kNotFound) return picture;  // Removed meanwhile.
    SIFTSEARCH_RETURN_IF_ERROR(features.status());
    picture.look_ = QueryLook::Of(features->preview);
    picture.form_.features = std::move(features).value();
    return picture;
  }

  Result<bool> IsSame(const VerifiedContent& other) const {
    if (other.form != leader_.form || other.content == leader_.content) return false;
    if (look_.preview.pixels.empty()) return false;
    VerifiedContent pair;
    pair.content = other.content;
    pair.image_from_form =
        verify::Product(other.image_from_form, verify::Inverse(leader_.image_from_form));
    SIFTSEARCH_RETURN_IF_ERROR(Confirm(features_of_, form_, look_, false, false, pair));
    const Match& match = pair.match;
    return std::max(match.query_overlap_percent, match.image_overlap_percent) >= kInTheOther &&
           match.evidence.pixels_coherent >= kPixelsAgreeAllOver &&
           std::min(match.evidence.query_found, match.evidence.image_found) >= kPointsFound;
  }

 private:
  LeaderPicture(const FeaturesOfContent& features_of, const VerifiedContent& leader)
      : features_of_(features_of), leader_(leader) {}

  const FeaturesOfContent& features_of_;
  const VerifiedContent& leader_;
  QueryForm form_;
  QueryLook look_;
};

/// Which of `others` show the leader's picture.
Result<std::vector<char>> AreSame(std::span<const VerifiedContent> matches,
                                  const LeaderPicture& leader, std::span<const std::size_t> others,
                                  int threads) {
  std::vector<char> same(others.size());
  std::vector<Status> statuses(others.size());
  ParallelFor(others.size(), threads, [&](std::size_t i) {
    const Result<bool> is_same = leader.IsSame(matches[others[i]]);
    statuses[i] = is_same.status();
    same[i] = is_same.ok() && *is_same;
  });
  for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
  return same;
}

/// The same, of none where the first few do not.
Result<std::vector<char>> FindSame(std::span<const VerifiedContent> matches,
                                   const LeaderPicture& leader, std::span<const std::size_t> others,
                                   int threads) {
  const auto next = others.first(std::min(kFirstLook, others.size()));
  SIFTSEARCH_ASSIGN_OR_RETURN(std::vector<char> same, AreSame(matches, leader, next, threads));
  if (std::find(same.begin(), same.end(), true) == same.end()) {
    return std::vector<char>(others.size(), false);
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<char> further,
                              AreSame(matches, leader, others.subspan(next.size()), threads));
  same.insert(same.end(), further.begin(), further.end());
  return same;
}

}  // namespace

Result<std::vector<std::vector<std::size_t>>> NearDuplicates(
    const FeaturesOfContent& features_of, std::span<const VerifiedContent> matches,
    std::span<const std::size_t> leaders, std::span<const std::size_t> others, int threads) {
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> left(leaders.begin(), leaders.end());
  std::size_t leading = left.size();
  left.insert(left.end(), others.begin(), others.end());
  for (int alone = 0; alone < kMostAlone && leading > 0;) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const LeaderPicture leader,
                                LeaderPicture::With(features_of, matches[left.front()]));
    const std::span<const std::size_t> candidates(left.begin() + 1, left.end());
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<char> same,
                                FindSame(matches, leader, candidates, threads));
    std::vector<std::size_t> group = {left.front()}, rest;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      (same[i] ? group : rest).push_back(candidates[i]);
    }
    leading -=
        1 + static_cast<std::size_t>(std::count(
                same.begin(), same.begin() + static_cast<std::ptrdiff_t>(leading - 1), true));
    if (group.size() == 1) {
      ++alone;
    } else {
      groups.push_back(std::move(group));
    }
    left = std::move(rest);
  }
  return groups;
}

}  // namespace siftsearch::engine
