#include "engine/alike.h"

#include <algorithm>

#include "base/status_macros.h"
#include "engine/confirm.h"
#include "features/pdq.h"
#include "verify/score.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

/// Descriptors from which they decide alone.
constexpr std::size_t kFewDescriptors = 50;

/// Where a turned picture of one size shows a place of the picture, in the other size.
Transform WholeToWhole(features::Turn turn, const FeatureSet& query, const FeatureSet& image) {
  const double w = query.width, h = query.height;
  // From pixels to the unit square and from there to pixels; a pixel's centre is at (0, 0).
  const Transform to_unit = {1 / w, 0, 0.5 / w, 0, 1 / h, 0.5 / h, 0, 0, 1};
  const Transform to_pixels = {
      double(image.width), 0, -0.5, 0, double(image.height), -0.5, 0, 0, 1};
  return verify::Product(verify::Product(to_pixels, features::OnUnitSquare(turn)), to_unit);
}

/// The match that a look gives.
VerifiedContent Seen(const AlikeContent& alike, const FeatureSet& query, const FeatureSet& image) {
  VerifiedContent seen;
  seen.content = alike.content;
  Match& match = seen.match;
  match.image_from_query = WholeToWhole(static_cast<features::Turn>(alike.turn), query, image);
  const Transform& t = match.image_from_query;
  match.mirrored = t[0] * t[4] - t[1] * t[3] < 0;
  DescribeRegion(query, image, std::nullopt, match);
  match.evidence.pdq_distance = alike.distance;
  match.evidence.larger_share = match.evidence.smaller_share = 1;
  seen.log_odds = verify::LogOddsOfLook(alike.distance);
  match.score = verify::ScoreFromLogOdds(seen.log_odds);
  match.copy = match.score >= kCopyThreshold;
  match.kind = match.copy ? MatchKind::kCopy : MatchKind::kUnclear;
  return seen;
}

}  // namespace

AlikeQuery LookOf(const FeatureSet& query, std::int64_t content) {
  if (query.size() >= kFewDescriptors || query.pdq.quality < features::kLeastQuality) return {};
  const auto turns = features::Turned(query.pdq);
  return {.turns = {turns.begin(), turns.end()}, .exclude_content = content};
}

Status AddAlike(const FeaturesOfContent& features_of, const FeatureSet& query,
                std::span<const AlikeContent> alike, std::vector<VerifiedContent>& verified) {
  for (const AlikeContent& one : alike) {
    const auto image = features_of(one.content);
    if (image.status().code() == StatusCode::kNotFound) continue;  // Removed meanwhile.
    SIFTSEARCH_RETURN_IF_ERROR(image.status());
    if (image->pdq.quality < features::kLeastQuality) continue;
    const VerifiedContent seen = Seen(one, query, *image);
    const auto known = std::find_if(verified.begin(), verified.end(),
                                    [&](const auto& v) { return v.content == one.content; });
    if (known == verified.end()) {
      verified.push_back(seen);
    } else if (!known->match.copy && seen.match.score > known->match.score) {
      *known = seen;
    }
  }
  std::stable_sort(verified.begin(), verified.end(),
                   [](const auto& a, const auto& b) { return a.match.score > b.match.score; });
  return {};
}

}  // namespace siftsearch::engine
