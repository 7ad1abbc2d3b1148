#pragma once

#include "verify/pixels.h"

namespace siftsearch::verify {

/// What speaks for and against two pictures sharing copied content.
struct Evidence {
  double log10_false_alarms = 0;  ///< Of the voting points (verify.h).
  double query_found = 0;         ///< Shares of the keypoints in the shared region (refine.h).
  double image_found = 0;
  PixelAgreement pixels;
};

/// Natural logarithm of the odds that the two share copied content: a logistic model of how far
/// the agreement of points is beyond chance, of how much of what could agree does, and of how well
/// the pixels correlate. The last two tell a copy from a stranger that shares a template, a font or
/// a scene. Where there are no pixels to compare, the points alone decide.
double LogOdds(const Evidence& evidence);

/// 1 / (1 + e^−x).
double ScoreFromLogOdds(double log_odds);

}  // namespace siftsearch::verify
