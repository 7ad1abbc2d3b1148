#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "siftsearch/types.h"
#include "verify/verify.h"
#include "verify/warp.h"

namespace siftsearch::verify {

/// What refining a fit found.
struct Refinement {
  Transform image_from_query{};  ///< Similarity, affine map or homography, as the points ask for.
  Warp warp;                     ///< Of the image, on top of it; empty unless more points agree so.
  std::vector<std::pair<std::int32_t, std::int32_t>>
      pairs;         ///< (query row, image row), one to one.
  int distinct = 0;  ///< Pairs at positions of their own in both pictures.
  double query_found =
      0;  ///< Share of the query's keypoints in the shared region that have a pair.
  double image_found = 0;  ///< The same of the image's.
  /// How far pairs lie off the transform together with their neighbours: the root of the mean
  /// product of their offsets, in 1/640 of the image's longer side. Noise puts each off on its own
  /// (near 0); depth, moved parts and bent paper put neighbours off alike. 0 for fewer than 12
  /// pairs.
  double parallax = 0;
  double residual = 0;      ///< Median distance of pairs from the transform, in the same unit.
  double scale_spread = 0;  ///< Median of |log2| of the pairs' scale ratios over the transform's.
  double angle_spread = 0;  ///< Median of how far the pairs' turns are off it, in degrees.
  double descriptor_distance = 0;  ///< Median L2 distance of the pairs' descriptors.
};

/// An upright rectangle in the image's pixels.
struct ImageRegion {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// Fills in the shares found, of the keypoints in a part of the shared region.
void CountFound(const FeatureSet& query, const FeatureSet& image, const ImageRegion& region,
                Refinement& refinement);

/// How unevenly the keypoints of the shared region agree, 0 to 1: the intraclass correlation of
/// "has a pair" in square cells, 24 along the image's longer side, in the picture where it is
/// smaller. A worn copy loses keypoints everywhere; of two forms of one print all keypoints of the
/// print agree and none of what is written. Only keypoints at places of the image count for which
/// `counts` is true.
double Unevenness(const FeatureSet& query, const FeatureSet& image, const Refinement& refinement,
                  const std::function<bool(Point)>& counts);

/// Guided matching: with a first transform known, every keypoint of the query is looked for near
/// where the transform puts it, among the image's keypoints of fitting scale, angle and descriptor;
/// pairs are one to one, nearest descriptors first. The transform is fitted anew to the pairs by
/// least squares, as an affine map from 6 distinct pairs on, as a homography (Hartley and
/// Zisserman, Multiple View Geometry, 2004, 4.1, normalised) from 12 on, as long as it stays a
/// plausible view of the shared region (no fold, area scale within a factor of 12), and the search
/// is repeated; where few keypoints are found, from farther off, too. A keypoint counts as "in the
/// shared region" if the other picture has pixels there and could show it at its scale. `tolerance`
/// is a share of the image's longer side. Where the pairs lie off the transform together with their
/// neighbours, a smooth warp is fitted on top of it, and stays where more points agree with both.
/// Pure.
Refinement Refine(const FeatureSet& query, const FeatureSet& image,
                  const Transform& image_from_query, double tolerance = 4.0 / 640);

}  // namespace siftsearch::verify
