#include "verify/score.h"

#include <algorithm>
#include <cmath>

#include "verify/decision_model.h"
#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

/// Two views of one scene have more parallax than a warp explains.
constexpr double kMostParallax = 0.25;
constexpr double kPerParallax = -10;
/// A part on a background that the rest of neither picture has is a caption, a label, a title bar:
/// the more of one, the less the log-odds can be; 0 at the first.
constexpr double kOwnBackgroundAtHalf = 0.5;
constexpr double kMostPerOwnBackground = -60;
constexpr double kPerRepeatedInside = 20;
constexpr double kRepeatedInsideAtHalf = 0.52;

/// Of the look of pictures of few descriptors.
constexpr double kPerBit = -0.1;
constexpr double kBitsAtHalf = 31.5;

double LogOddsOfFalseAlarms(double log10_false_alarms) {
  const double score = ScoreFromFalseAlarms(log10_false_alarms);
  return std::clamp(std::log(score / (1 - score)), -30.0, 30.0);
}

}  // namespace

double LogOdds(const Evidence& evidence) {
  const double by_model = DecisionModel::Shipped().LogOdds(evidence);
  const double parallax = kPerParallax * std::max(0.0, evidence.parallax - kMostParallax);
  const double most = kMostPerOwnBackground * (evidence.own_background - kOwnBackgroundAtHalf);
  return std::min(by_model + parallax, most);
}

double LogOddsOfPoints(const Evidence& evidence) {
  return LogOddsOfFalseAlarms(evidence.log10_false_alarms * evidence.rarity);
}

double LogOddsOfRepetition(const Evidence& evidence) {
  return std::min(LogOddsOfFalseAlarms(evidence.log10_false_alarms),
                  kPerRepeatedInside * (evidence.pixels_inside - kRepeatedInsideAtHalf));
}

double LogOddsOfLook(int bits) { return kPerBit * (bits - kBitsAtHalf); }

double ScoreFromLogOdds(double log_odds) { return 1 / (1 + std::exp(-log_odds)); }

MatchKind KindOf(const Evidence& evidence, double score) {
  if (score >= kCopyThreshold) return MatchKind::kCopy;
  if (evidence.log10_false_alarms > kSurelyNoChance) return MatchKind::kUnclear;
  return DecisionModel::Shipped().SceneLogOdds(evidence) >= 0 ? MatchKind::kSameScene
                                                              : MatchKind::kSharedOverlay;
}

}  // namespace siftsearch::verify
