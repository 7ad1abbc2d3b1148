#pragma once

#include <array>
#include <string_view>

namespace siftsearch {

/// What a score rests on: the numbers of one candidate, kEvidenceTerms names them all. "Shared
/// region": what both pictures show where the transform lays one over the other, cut to the block
/// of it whose pixels agree. "Unit": 1/640 of the image's longer side.
struct Evidence {
  double log10_false_alarms = 0;  ///< log10 of the chance agreements as good that were expected.
  double inliers = 0;             ///< Agreeing keypoints at distinct positions.
  double larger_share = 0;        ///< Of the two pictures, the larger share that the region covers.
  double smaller_share = 0;       ///< The smaller one.
  double query_found = 0;  ///< Share of the query's keypoints in the shared region that agree.
  double image_found = 0;  ///< The same of the image's.
  double closeness = 0;    ///< How near the agreeing descriptors are, 0 to 1 (mean vote).
  /// Mean over agreeing points of 1 / (1 + other images with such a descriptor); of images that
  /// show the same picture all may count as one.
  double rarity = 0;
  double residual = 0;      ///< Median distance of agreeing points from the transform, in units.
  double scale_spread = 0;  ///< Median factor, as log2, between their scales and the transform's.
  double angle_spread = 0;  ///< Median angle between their directions and the transform's, degrees.
  double descriptor_distance = 0;  ///< Median distance of their descriptors, 0 to 724.
  /// How far the points lie off the transform together with their neighbours, in units: near 0 for
  /// a copy, more for another view of a scene.
  double parallax = 0;
  /// How far the image is bent, in units: the root mean square of the smooth displacements on top
  /// of the transform without which fewer points agree; 0 for most. What else is measured follows
  /// it.
  double warp = 0;
  /// How unevenly the keypoints agree where the pixels do, 0 to 1: 0 where as many agree
  /// everywhere, 1 where all or none do, place by place, in either picture.
  double unevenness = 0;
  double hull_share = 0;         ///< Share of the overlap that the points' convex hull takes up.
  double pixel_correlation = 0;  ///< Of the pixels where one lies over the other, −1 to 1.
  double pixels_coherent = 0;    ///< Share of the pixels there that one agreeing block explains.
  double pixels_inside = 0;      ///< How well the pixels inside that block agree, 0 to 1.
  /// Share of the shared region, 0 to 1, in the one block of it whose pixels disagree: something is
  /// laid over one of the two.
  double pixels_covered = 0;
  double pixels_at_points = 0;  ///< Mean correlation of the pixels around agreeing points, 0 to 1.
  double pixels_in_hull = 0;    ///< Share of the textured windows in the points' hull that agree.
  double pixels_agreeing = 0;   ///< The same share of all textured windows of the overlap.
  /// Share of them that neither agree nor disagree: much where two exposures show one thing, little
  /// where something with a border is laid over a copy.
  double pixels_between = 0;
  double pixels_best = 0;  ///< Correlation that a fifth of the textured windows exceed, 0 to 1.
  /// Share of the textured windows that disagree since one picture lacks what the other has there,
  /// of the picture where they are fewer: little where something is laid over a copy, more where
  /// both were filled in.
  double extra_in_both = 0;
  double solid_share = 0;     ///< Share of the textured windows in the largest part that agrees.
  double solid_attained = 0;  ///< Mean of the correlation that its windows attain, 0 to 1.
  /// Share of the textured windows about which half agrees, away from what disagrees.
  double unsettled = 0;
  double textured = 0;  ///< Share of the overlap's windows that have texture.
  /// Bits, 0 to 256, between the PDQ of the whole image and the nearest one of the query turned and
  /// mirrored (light and dark exchanged where the match is); 128 where either picture varies too
  /// little for one.
  double pdq_distance = 128;
  /// How much more of the shared region than of the rest of either picture has the region's
  /// commonest tone, 0 to 1: a caption stands on a background of its own.
  double own_background = 0;
};

/// One number of the evidence.
struct EvidenceTerm {
  std::string_view name;  ///< In JSON and in models.
  double Evidence::*value;
  double least;  ///< Smallest value there can be.
  double most;   ///< Largest one that says more than a smaller one.
  /// 1: a larger value never lowers the score, all else equal; −1: never raises it; 0: either (a
  /// template agrees more exactly than a worn copy does).
  int direction;
};

inline constexpr std::array kEvidenceTerms = {
    EvidenceTerm{"log10_false_alarms", &Evidence::log10_false_alarms, -3000, 10, -1},
    EvidenceTerm{"inliers", &Evidence::inliers, 0, 3000, 1},
    EvidenceTerm{"larger_share", &Evidence::larger_share, 0, 1, 1},
    EvidenceTerm{"smaller_share", &Evidence::smaller_share, 0, 1, 0},
    EvidenceTerm{"query_found", &Evidence::query_found, 0, 1, 1},
    EvidenceTerm{"image_found", &Evidence::image_found, 0, 1, 1},
    EvidenceTerm{"closeness", &Evidence::closeness, 0, 1, 0},
    EvidenceTerm{"rarity", &Evidence::rarity, 0, 1, 1},
    EvidenceTerm{"residual", &Evidence::residual, 0, 4, 0},
    EvidenceTerm{"scale_spread", &Evidence::scale_spread, 0, 1, 0},
    EvidenceTerm{"angle_spread", &Evidence::angle_spread, 0, 30, 0},
    EvidenceTerm{"descriptor_distance", &Evidence::descriptor_distance, 0, 724, 0},
    EvidenceTerm{"parallax", &Evidence::parallax, 0, 12, -1},
    EvidenceTerm{"warp", &Evidence::warp, 0, 40, 0},
    EvidenceTerm{"unevenness", &Evidence::unevenness, 0, 1, 0},
    EvidenceTerm{"hull_share", &Evidence::hull_share, 0, 1, 1},
    EvidenceTerm{"pixel_correlation", &Evidence::pixel_correlation, -1, 1, 1},
    EvidenceTerm{"pixels_coherent", &Evidence::pixels_coherent, 0, 1, 1},
    EvidenceTerm{"pixels_inside", &Evidence::pixels_inside, 0, 1, 1},
    EvidenceTerm{"pixels_covered", &Evidence::pixels_covered, 0, 1, 0},
    EvidenceTerm{"pixels_at_points", &Evidence::pixels_at_points, 0, 1, 1},
    EvidenceTerm{"pixels_in_hull", &Evidence::pixels_in_hull, 0, 1, 1},
    EvidenceTerm{"pixels_agreeing", &Evidence::pixels_agreeing, 0, 1, 1},
    EvidenceTerm{"pixels_between", &Evidence::pixels_between, 0, 1, 0},
    EvidenceTerm{"pixels_best", &Evidence::pixels_best, 0, 1, 1},
    EvidenceTerm{"extra_in_both", &Evidence::extra_in_both, 0, 0.5, 0},
    EvidenceTerm{"solid_share", &Evidence::solid_share, 0, 1, 1},
    EvidenceTerm{"solid_attained", &Evidence::solid_attained, 0, 1, 1},
    EvidenceTerm{"unsettled", &Evidence::unsettled, 0, 1, 0},
    EvidenceTerm{"textured", &Evidence::textured, 0, 1, 0},
    EvidenceTerm{"pdq_distance", &Evidence::pdq_distance, 0, 256, -1},
    EvidenceTerm{"own_background", &Evidence::own_background, 0, 1, -1},
};

}  // namespace siftsearch
