#include "verify/score.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

/// Beyond this a smaller number of false alarms says nothing more: two views of one building or two
/// charts of one program agree by hundreds of points.
constexpr double kMostPowersOfTen = 60;

/// Fitted by logistic regression to 877 candidates of 425 queries: 285 copies of 90 photographs by
/// 19 attacks, and strangers: photographs, charts of one program, views of one building, blood
/// cells.
constexpr double kConstant = -11.181;
constexpr double kPerFalseAlarmLog = 4.995;
constexpr double kPerShareFound = 2.754;
constexpr double kPerCorrelation = 5.440;

}  // namespace

double LogOdds(const Evidence& evidence) {
  if (evidence.pixels.windows == 0) {
    const double score = ScoreFromFalseAlarms(evidence.log10_false_alarms);
    return std::clamp(std::log(score / (1 - score)), -30.0, 30.0);
  }
  const double powers = std::clamp(-evidence.log10_false_alarms, 0.0, kMostPowersOfTen);
  return kConstant + kPerFalseAlarmLog * std::log10(1 + powers) +
         kPerShareFound * std::max(evidence.query_found, evidence.image_found) +
         kPerCorrelation * evidence.pixels.correlation;
}

double ScoreFromLogOdds(double log_odds) { return 1 / (1 + std::exp(-log_odds)); }

}  // namespace siftsearch::verify
