#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "siftsearch/types.h"

namespace siftsearch::verify {

/// Longer side in pixels of the picture that features come from, unless another `max-side` is set.
inline constexpr double kWorkingSide = 640;

/// A voting pair of keypoints, each in the pixels of its own picture.
struct PointPair {
  Keypoint query;
  Keypoint image;
  float weight = 1;
};

struct VerifyOptions {
  double tolerance = 4.0 / kWorkingSide;  ///< Largest transfer error of an inlier, as a share of
                                          ///< the image's longer side.
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
/// unknowns), each promising one refined by least squares on its inliers. The pairs are tried best
/// weight first, at most 1000, without those the best model so far explains; nothing is drawn at
/// random and the order of `pairs` does not matter. Pairs whose positions in either picture lie
/// within a pixel of the working size (keypoints with several orientations, many-to-one pairs)
/// count as one piece of evidence. The number of false alarms follows Moisan and Stival (IJCV
/// 2004): images × pairs × binomial tail, with the chance that an unrelated pair agrees from the
/// tolerance disc's share of the image and the rotation window's share of the circle. Pairs with
/// values that no picture has (scale ≤ 0, NaN, infinite) are ignored. `score` is 0, and nothing
/// else is filled, when fewer than 4 distinct inliers agree or a size is not positive. Pure; no
/// errors.
Verification FitSimilarity(std::span<const PointPair> pairs, Size query, Size image,
                           const VerifyOptions& options);

/// Where the score is one half. Far below 0, since pairs that share a structure (print, chain mail,
/// brick) agree more often than independent chance, which the number of false alarms counts.
inline constexpr double kLog10FalseAlarmsAtHalf = -14;

/// Score in [0, 1] from log10 of the number of false alarms: a logistic curve with 0.5 at
/// kLog10FalseAlarmsAtHalf and odds that change tenfold with every four powers of ten, so that
/// 0.9999 is reached at −30.
double ScoreFromFalseAlarms(double log10_false_alarms);

/// Corners of the query picture's outline, clipped to where the transform lands inside the image,
/// in query pixels (convex, clockwise as seen). A picture reaches half a pixel beyond the centres
/// of its outer pixels. Empty when nothing, or no more than an edge, overlaps. Pure.
std::vector<Point> OverlapInQuery(const Transform& image_from_query, Size query, Size image);

/// The part of a convex polygon inside an upright rectangle. Pure.
std::vector<Point> ClipToRectangle(std::vector<Point> polygon, double left, double top,
                                   double right, double bottom);

inline Point Apply(const Transform& t, Point p) {
  const double w = t[6] * p.x + t[7] * p.y + t[8];
  return {(t[0] * p.x + t[1] * p.y + t[2]) / w, (t[3] * p.x + t[4] * p.y + t[5]) / w};
}
Transform Inverse(const Transform& transform);
Transform Product(const Transform& a, const Transform& b);
/// ∂(x', y') / ∂(x, y) at a point, by rows.
std::array<double, 4> JacobianAt(const Transform& transform, Point point);
double PolygonArea(std::span<const Point> polygon);
/// Corners of the smallest convex polygon around points, clockwise as seen; of fewer than three
/// places, or places on one line, it has no area (Andrew's monotone chain, 1979). Pure.
std::vector<Point> ConvexHull(std::vector<Point> points);
/// Whether a convex polygon of at least three corners, clockwise as seen, holds a point. Pure.
bool Holds(std::span<const Point> polygon, Point point);

}  // namespace siftsearch::verify
