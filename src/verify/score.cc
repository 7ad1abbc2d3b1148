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

/// Fitted by logistic regression to the candidates of eight sets of copybench's half a
/// (bench/accuracy/README.md).
constexpr double kConstant = -12.18;
constexpr double kPerRarity = 13.67;
constexpr double kPerCloseWithoutPixels = -16.79;
constexpr double kPerCoherentPowers = 1.95;
constexpr double kPerFoundWithoutPixels = -34.34;
constexpr double kPerFound = 6.28;
constexpr double kPerPowersWithoutPixels = 29.63;
constexpr double kPerInliersWithoutPixels = -31.02;
constexpr double kPerRareRegionLog = 8.22;
constexpr double kPerSmallerRegionLog = -20.44;
constexpr double kPerOwnBackground = -8.4;

constexpr double kPerRepeatedInside = 20;
constexpr double kRepeatedInsideAtHalf = 0.52;

/// Of 2,939 copies of half a none would be called one for points that chance could give, over
/// pixels that agree less.
constexpr double kPixelsAgree = 0.54;
/// Agreement that other images have, too, on average four of them, is an overlay in less than a
/// quarter of both pictures; and everywhere where many points agree that hardly voted, since the
/// same in other images is nearer, unless the pixels agree all over: of 2,939 copies of half a five
/// are like that, blends at 30 %, of pairs with one watermark or on one form nearly all.
constexpr double kOverlayRarity = 0.2;
constexpr double kOverlayShare = 0.25;
constexpr double kOutvotedCloseness = 0.08;
constexpr double kManyAgree = -40;
/// So is what one other image has in less than an eighth of both pictures: copies that share so
/// little of either are rarer. And many points that four others have where pixels differ: of the
/// copies of half a six are like that, blends at 30 %, five of them of pictures stored many times.
constexpr double kSmallOverlayRarity = 0.6;
constexpr double kSmallOverlayShare = 0.125;
constexpr double kDeniedRarity = 0.22;
constexpr double kManyDenied = -50;
/// A part on a background that the rest of neither picture has is a caption, a label, a title bar;
/// of 2,500 copies of half a one has more (bench/accuracy/README.md).
constexpr double kMostOwnBackground = 0.5;
constexpr double kCoherentAllOver = 0.93;
/// The most that a rule which says that it is no copy leaves.
constexpr double kNoCopysLogOdds = -0.5;
/// More than any but one of 865 copies of half a has (0.20; one of JPEG quality 3, 0.74); views of
/// one scene have up to 2.
constexpr double kMostParallax = 0.25;
constexpr double kPerParallax = -10;
constexpr double kSceneShare = 0.4;
constexpr double kSceneRarity = 0.5;

/// Points that chance could have put there, over pixels that differ.
bool IsChance(const Evidence& evidence) {
  return evidence.log10_false_alarms > kSurelyNoChance && evidence.pixels_inside < kPixelsAgree;
}

bool IsOverlay(const Evidence& evidence, double region_share) {
  return evidence.own_background > kMostOwnBackground ||
         (evidence.rarity < kOverlayRarity && region_share < kOverlayShare) ||
         (evidence.rarity < kSmallOverlayRarity && region_share < kSmallOverlayShare) ||
         (evidence.rarity < kDeniedRarity && evidence.pixels_inside < kDeniedPixels &&
          evidence.log10_false_alarms < kManyDenied) ||
         (evidence.rarity < kOverlayRarity && evidence.closeness < kOutvotedCloseness &&
          evidence.log10_false_alarms < kManyAgree && evidence.pixels_coherent < kCoherentAllOver);
}

double LogOddsOfFalseAlarms(double log10_false_alarms) {
  const double score = ScoreFromFalseAlarms(log10_false_alarms);
  return std::clamp(std::log(score / (1 - score)), -30.0, 30.0);
}

double FittedLogOdds(const Evidence& evidence, int inliers, RegionShares region) {
  const double all_powers = std::max(0.0, -evidence.log10_false_alarms);
  const double powers = std::min(all_powers, kMostPowersOfTen);
  const double powers_log = std::log10(1 + all_powers);
  const double region_log = std::log10(std::clamp(region.larger, kSmallestShare, 1.0));
  const double disagreeing = 1 - evidence.pixels_inside;
  return kConstant + kPerRarity * evidence.rarity +
         kPerCloseWithoutPixels * evidence.closeness * disagreeing +
         kPerCoherentPowers * evidence.pixels_coherent * powers / 10 +
         kPerFoundWithoutPixels * std::min(evidence.query_found, evidence.image_found) *
             disagreeing +
         kPerFound * std::max(evidence.query_found, evidence.image_found) +
         kPerPowersWithoutPixels * powers_log * disagreeing +
         kPerInliersWithoutPixels * std::log10(1.0 + inliers) * disagreeing +
         kPerRareRegionLog * evidence.rarity * region_log +
         kPerSmallerRegionLog * region.smaller * region_log +
         kPerOwnBackground * evidence.own_background;
}

}  // namespace

double LogOdds(const Evidence& evidence, int inliers, RegionShares region) {
  const double fitted = FittedLogOdds(evidence, inliers, region) +
                        kPerParallax * std::max(0.0, evidence.parallax - kMostParallax);
  const bool no_copys = IsOverlay(evidence, region.larger) || IsChance(evidence);
  return no_copys ? std::min(fitted, kNoCopysLogOdds) : fitted;
}

double LogOddsOfPoints(const Evidence& evidence) {
  return LogOddsOfFalseAlarms(evidence.log10_false_alarms * evidence.rarity);
}

double LogOddsOfRepetition(const Evidence& evidence) {
  return std::min(LogOddsOfFalseAlarms(evidence.log10_false_alarms),
                  kPerRepeatedInside * (evidence.pixels_inside - kRepeatedInsideAtHalf));
}

double ScoreFromLogOdds(double log_odds) { return 1 / (1 + std::exp(-log_odds)); }

MatchKind KindOf(const Evidence& evidence, double score, double region_share) {
  if (score >= kCopyThreshold) return MatchKind::kCopy;
  if (evidence.log10_false_alarms > kSurelyNoChance) return MatchKind::kUnclear;
  if (evidence.own_background > kMostOwnBackground) return MatchKind::kSharedOverlay;
  const bool all_over = region_share >= kSceneShare && evidence.rarity >= kSceneRarity;
  return all_over || evidence.parallax > kMostParallax ? MatchKind::kSameScene
                                                       : MatchKind::kSharedOverlay;
}

}  // namespace siftsearch::verify
