#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "siftsearch/types.h"

namespace siftsearch::verify {

/// A voting pair of keypoints, each in the pixels of its own picture.
struct PointPair {
  Keypoint query;
  Keypoint image;
  float weight = 1;
};

struct VerifyOptions {
  double tolerance =
      4.0 / 640;  ///< Largest transfer error of an inlier, as a share of the image's longer side.
  double max_scale_factor =
      2.0;  ///< A pair's own scale ratio may differ from the transform's by this factor.
  double max_angle_degrees = 30;  ///< … and its own rotation by this much.
  double images_searched = 1;     ///< Pictures in the database, for the number of false alarms.
};

struct Verification {
  Transform image_from_query{};       ///< Similarity, maps query pixels to image pixels.
  std::vector<std::int32_t> inliers;  ///< Indices of the agreeing pairs, ascending.
  int distinct_inliers = 0;           ///< Inliers at distinct positions in both pictures.
  double log10_false_alarms = 0;  ///< log10 of the expected number of chance agreements as good.
  double score = 0;               ///< Confidence in [0, 1], monotonic in the false alarms.
};

struct Size {
  int width = 0;
  int height = 0;
};

/// Fits one similarity (scale, rotation, translation) to the pairs by RANSAC with hypotheses from
/// single matches (Philbin et al., CVPR 2007: a keypoint pair with scale and angle fixes all four
/// unknowns), each promising one refined by least squares on its inliers. Every pair is tried once
/// (best weight first, at most 1000), so the result is deterministic. Several pairs at one position
/// (keypoints with several orientations) and many-to-one pairs count as one piece of evidence.
/// The number of false alarms follows Moisan and Stival (IJCV 2004): images × pairs × binomial
/// tail. `score` is 0 when fewer than 4 distinct inliers agree. Pure; no errors.
Verification FitSimilarity(std::span<const PointPair> pairs, Size query, Size image,
                           const VerifyOptions& options);

/// Score in [0, 1] from log10 of the number of false alarms; 0.5 at the default decision threshold.
double ScoreFromFalseAlarms(double log10_false_alarms);

/// Corners of the query picture's outline, clipped to where the transform lands inside the image,
/// in query pixels (convex, clockwise as seen); empty when nothing overlaps. Pure.
std::vector<Point> OverlapInQuery(const Transform& image_from_query, Size query, Size image);

Point Apply(const Transform& transform, Point point);
double PolygonArea(std::span<const Point> polygon);

}  // namespace siftsearch::verify
