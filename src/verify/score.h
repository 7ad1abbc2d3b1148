#pragma once

#include "siftsearch/results.h"

namespace siftsearch::verify {

/// Log10 of the number of false alarms below which agreement is no chance.
inline constexpr double kSurelyNoChance = -14;
/// `Evidence::pixels_inside` below which the pixels deny what the points say.
inline constexpr double kDeniedPixels = 0.26;

/// Natural logarithm of the odds that two pictures share copied content: those of the shipped model
/// (decision_model.h). Pure.
double LogOdds(const Evidence& evidence);

/// The same where there are no pixels to compare: the points alone decide, weighed by
/// rarity, since without it points that many images have made the only sure strangers.
double LogOddsOfPoints(const Evidence& evidence);

/// The same of a place of a picture that repeats another one: the points decide, and the pixels of
/// the block that agrees. Chosen by hand, not fitted.
double LogOddsOfRepetition(const Evidence& evidence);

/// The same where descriptors say nothing and PDQ, of pictures of few descriptors, differs in so
/// many bits.
double LogOddsOfLook(int bits);

/// 1 / (1 + e^−x).
double ScoreFromLogOdds(double log_odds);

/// What a match of this score seems to be: a copy by the score, unclear where chance could give the
/// points; else the shipped model tells the same scene from a shared overlay.
MatchKind KindOf(const Evidence& evidence, double score);

}  // namespace siftsearch::verify
