#include "verify/score.h"

#include <algorithm>
#include <cmath>

#include "verify/decision_model.h"
#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

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

double LogOdds(const Evidence& evidence) { return DecisionModel::Shipped().LogOdds(evidence); }

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
