#include "verify/score.h"

#include <algorithm>
#include <cmath>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

/// Beyond this a smaller number of false alarms says nothing more: two views of one building or two
/// charts of one program agree by hundreds of points.
constexpr double kMostPowersOfTen = 60;
constexpr double kSmallestShare = 1e-3;

/// Fitted by logistic regression to the candidates of three sets of copybench's half a
/// (bench/README.md).
constexpr double kConstant = -5.27;
constexpr double kPerRarity = 6.01;
constexpr double kPerCloseWithoutPixels = -5.43;
constexpr double kPerRegionLog = 3.72;
constexpr double kPerCoherentPowers = 1.84;
constexpr double kPerFoundWithoutPixels = -11.9;
constexpr double kPerCommonWithoutPixels = -4.55;
constexpr double kPerFound = 3.11;

constexpr double kPerRepeatedInside = 20;
constexpr double kRepeatedInsideAtHalf = 0.48;

/// Log10 of the number of false alarms below which agreement is no chance.
constexpr double kSurelyNoChance = -14;
/// Agreement that other images have, too, on average four of them, in less than a quarter of both
/// pictures is an overlay; that which more than thirty have says nothing without the pixels.
constexpr double kOverlayRarity = 0.2;
constexpr double kOverlayShare = 0.25;
constexpr double kCommonRarity = 0.03;
constexpr double kCoherentAllOver = 0.85;
constexpr double kOverlayLogOdds = -0.5;
/// More than any but one of 865 copies of half a has (0.20; one of JPEG quality 3, 0.74); views of
/// one scene have up to 2.
constexpr double kMostParallax = 0.25;
constexpr double kPerParallax = -10;
constexpr double kSceneShare = 0.4;
constexpr double kSceneRarity = 0.5;

bool IsOverlay(const Evidence& evidence, double region_share) {
  return (evidence.rarity < kOverlayRarity && region_share < kOverlayShare) ||
         (evidence.rarity < kCommonRarity && evidence.pixels_coherent < kCoherentAllOver);
}

double FittedLogOdds(const Evidence& evidence, int inliers, double region_share) {
  const double powers = std::clamp(-evidence.log10_false_alarms, 0.0, kMostPowersOfTen);
  const double disagreeing = 1 - evidence.pixels_inside;
  const double votes = evidence.closeness * inliers, rare = evidence.rarity * inliers;
  return kConstant + kPerRarity * evidence.rarity +
         kPerCloseWithoutPixels * evidence.closeness * disagreeing +
         kPerRegionLog * std::log10(std::clamp(region_share, kSmallestShare, 1.0)) +
         kPerCoherentPowers * evidence.pixels_coherent * powers / 10 +
         kPerFoundWithoutPixels * std::min(evidence.query_found, evidence.image_found) *
             disagreeing +
         kPerCommonWithoutPixels * std::log10((1 + votes) / (1 + rare)) *
             (1 - evidence.pixels_coherent) +
         kPerFound * std::max(evidence.query_found, evidence.image_found);
}

}  // namespace

double LogOdds(const Evidence& evidence, int inliers, double region_share) {
  const double fitted = FittedLogOdds(evidence, inliers, region_share) +
                        kPerParallax * std::max(0.0, evidence.parallax - kMostParallax);
  return IsOverlay(evidence, region_share) ? std::min(fitted, kOverlayLogOdds) : fitted;
}

double LogOddsOfPoints(const Evidence& evidence) {
  const double score = ScoreFromFalseAlarms(evidence.log10_false_alarms);
  return std::clamp(std::log(score / (1 - score)), -30.0, 30.0);
}

double LogOddsOfRepetition(const Evidence& evidence) {
  return std::min(LogOddsOfPoints(evidence),
                  kPerRepeatedInside * (evidence.pixels_inside - kRepeatedInsideAtHalf));
}

double ScoreFromLogOdds(double log_odds) { return 1 / (1 + std::exp(-log_odds)); }

MatchKind KindOf(const Evidence& evidence, double score, double region_share) {
  if (score >= kCopyThreshold) return MatchKind::kCopy;
  if (evidence.log10_false_alarms > kSurelyNoChance) return MatchKind::kUnclear;
  const bool all_over = region_share >= kSceneShare && evidence.rarity >= kSceneRarity;
  return all_over || evidence.parallax > kMostParallax ? MatchKind::kSameScene
                                                       : MatchKind::kSharedOverlay;
}

}  // namespace siftsearch::verify
