#include "engine/near_duplicates.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/confirm.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

constexpr int kMostLeaders = 4;
/// One of two near-duplicates lies in the other by this much, in percent.
constexpr double kInTheOther = 80;
/// Their pixels agree by this much all over the shared region, and of the keypoints of each this
/// share has a pair; charts of one template and pages of one layout are below.
constexpr double kPixelsAgreeAllOver = 0.75;
constexpr double kPointsFound = 0.3;

/// A stored picture as a query.
struct Leader {
  QueryForm form;
  image::GreyImage preview;
};

Result<bool> SamePicture(const FeaturesOfContent& features_of, const Leader& leader,
                         const VerifiedContent& first, const VerifiedContent& other) {
  VerifiedContent pair;
  pair.content = other.content;
  pair.image_from_form =
      verify::Product(other.image_from_form, verify::Inverse(first.image_from_form));
  SIFTSEARCH_RETURN_IF_ERROR(Confirm(features_of, leader.form, leader.preview, false, false, pair));
  const Match& match = pair.match;
  return std::max(match.query_overlap_percent, match.image_overlap_percent) >= kInTheOther &&
         match.evidence.pixels_coherent >= kPixelsAgreeAllOver &&
         std::min(match.evidence.query_found, match.evidence.image_found) >= kPointsFound;
}

}  // namespace

Result<std::vector<std::vector<std::size_t>>> NearDuplicates(
    const FeaturesOfContent& features_of, std::span<const VerifiedContent> matches,
    std::span<const std::size_t> which, int threads) {
  std::vector<std::size_t> left(which.begin(), which.end());
  std::vector<std::vector<std::size_t>> groups;
  for (int leaders = 0; leaders < kMostLeaders && left.size() > 1; ++leaders) {
    const VerifiedContent& first = matches[left.front()];
    auto features = features_of(first.content);
    Leader leader;
    if (features.ok()) {
      if (auto preview = image::DecodeGrey(features->preview, {}); preview.ok()) {
        leader.preview = std::move(preview).value();
      }
      leader.form.features = std::move(features).value();
    } else if (features.status().code() != StatusCode::kNotFound) {  // Else removed meanwhile.
      return features.status();
    }
    std::vector<char> same(left.size(), false);
    same[0] = true;
    std::vector<Status> statuses(left.size());
    ParallelFor(left.size() - 1, threads, [&](std::size_t i) {
      const VerifiedContent& other = matches[left[i + 1]];
      if (other.form != first.form || leader.preview.pixels.empty()) return;
      const auto answer = SamePicture(features_of, leader, first, other);
      statuses[i + 1] = answer.status();
      same[i + 1] = answer.ok() && *answer;
    });
    for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
    std::vector<std::size_t> group, rest;
    for (std::size_t i = 0; i < left.size(); ++i) (same[i] ? group : rest).push_back(left[i]);
    if (group.size() > 1) groups.push_back(std::move(group));
    left = std::move(rest);
  }
  return groups;
}

}  // namespace siftsearch::engine
