#include "engine/near_duplicates.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/confirm.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

/// A picture that is stored often is among the next best candidates again; pictures that share but
/// a watermark make as many groups as there are pictures.
constexpr std::size_t kFirstLook = 8;
constexpr int kMostAlone = 2;
/// One of two near-duplicates lies in the other by this much, in percent.
constexpr double kInTheOther = 80;
/// Their pixels agree by this much all over the shared region, and of the keypoints of each this
/// share has a pair: of 342 pairs of versions of one picture (half a, --duplicates) 292 are so, of
/// 2,380 other pairs of candidates 6.
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
    if (auto preview = image::DecodeGrey(features->preview, {}); preview.ok()) {
      picture.preview_ = std::move(preview).value();
    }
    picture.form_.features = std::move(features).value();
    return picture;
  }

  Result<bool> IsSame(const VerifiedContent& other) const {
    if (other.form != leader_.form || preview_.pixels.empty()) return false;
    VerifiedContent pair;
    pair.content = other.content;
    pair.image_from_form =
        verify::Product(other.image_from_form, verify::Inverse(leader_.image_from_form));
    SIFTSEARCH_RETURN_IF_ERROR(Confirm(features_of_, form_, preview_, false, false, pair));
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
  image::GreyImage preview_;
};

/// Appends those of `candidates` that show the leader's picture to `group`, the others to `rest`.
Status Divide(std::span<const VerifiedContent> matches, const LeaderPicture& leader,
              std::span<const std::size_t> candidates, int threads, std::vector<std::size_t>& group,
              std::vector<std::size_t>& rest) {
  std::vector<std::optional<Result<bool>>> same(candidates.size());
  ParallelFor(candidates.size(), threads,
              [&](std::size_t i) { same[i] = leader.IsSame(matches[candidates[i]]); });
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool is_same, std::move(*same[i]));
    (is_same ? group : rest).push_back(candidates[i]);
  }
  return {};
}

}  // namespace

Result<std::vector<std::vector<std::size_t>>> NearDuplicates(
    const FeaturesOfContent& features_of, std::span<const VerifiedContent> matches,
    std::span<const std::size_t> which, int threads) {
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> left(which.begin(), which.end());
  for (int alone = 0; alone < kMostAlone && left.size() > 1;) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const LeaderPicture leader,
                                LeaderPicture::With(features_of, matches[left.front()]));
    std::vector<std::size_t> group = {left.front()}, rest;
    const std::span<const std::size_t> others(left.begin() + 1, left.end());
    const auto next = others.first(std::min(kFirstLook, others.size()));
    const auto further = others.subspan(next.size());
    SIFTSEARCH_RETURN_IF_ERROR(Divide(matches, leader, next, threads, group, rest));
    if (group.size() > 1) {
      SIFTSEARCH_RETURN_IF_ERROR(Divide(matches, leader, further, threads, group, rest));
      groups.push_back(std::move(group));
    } else {
      rest.insert(rest.end(), further.begin(), further.end());
      ++alone;
    }
    left = std::move(rest);
  }
  return groups;
}

}  // namespace siftsearch::engine
