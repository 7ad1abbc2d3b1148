#pragma once

#include "siftsearch/results.h"

namespace siftsearch::verify {

/// The shares of the two pictures that the shared region covers.
struct RegionShares {
  double larger = 0;
  double smaller = 0;
};

/// Log10 of the number of false alarms below which agreement is no chance.
inline constexpr double kSurelyNoChance = -14;
/// `Evidence::pixels_inside` below which the pixels deny what the points say.
inline constexpr double kDeniedPixels = 0.26;

/// Natural logarithm of the odds that two pictures share copied content: a logistic model. For a
/// copy speak agreement of points beyond chance as far as the pixels agree, too, descriptors that
/// few other images have, keypoints found again, and a region that is a large part of either
/// picture. Against it speaks what only strangers that share a template, a font or a scene have:
/// points that agree as exactly as in a clean copy, and many for the chance they stand for, where
/// the pixels do not, and that other images have as well; and parallax. Agreement in a small part
/// of both pictures that many images have (a watermark), or in a tiny one that some have, is never
/// a copy's, whatever its pixels; nor is one of many points that other images have over pixels that
/// differ; nor one whose many points hardly voted, since the same in other images is nearer (a
/// form), unless the pixels agree all over, or one on a background of its own (a caption); nor are
/// points that chance could have put there over pixels that differ. How much rarity and points
/// count depends on the shares of the pictures that agree. Pure.
double LogOdds(const Evidence& evidence, int inliers, RegionShares region);

/// The same where there are no pixels to compare: the points alone decide, weighed by
/// rarity, since without it points that many images have made the only sure strangers.
double LogOddsOfPoints(const Evidence& evidence);

/// The same of a place of a picture that repeats another one: the points decide, and the pixels of
/// the block that agrees. Chosen by hand, not fitted.
double LogOddsOfRepetition(const Evidence& evidence);

/// 1 / (1 + e^−x).
double ScoreFromLogOdds(double log_odds);

/// What a match of these odds seems to be.
MatchKind KindOf(const Evidence& evidence, double score, double region_share);

}  // namespace siftsearch::verify
