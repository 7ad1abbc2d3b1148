#pragma once

#include <span>
#include <vector>

#include "siftsearch/types.h"
#include "verify/verify.h"

namespace siftsearch::verify {

/// How far a picture is bent: a smooth field of displacements over it, for what no homography is
/// (lens distortion, waves, curved paper). Nodes of a regular grid, between them bilinear.
/// Positions and displacements are in the picture's pixels. Immutable but by assignment.
class Warp {
 public:
  /// Displaces nothing.
  Warp() = default;

  /// The field that local affine maps of the offsets make: at each node the least squares of
  /// constant and gradient over the points around it, nearer ones weighing more, with a prior of no
  /// displacement, which rules where there are no points (local linear regression; Fan and Gijbels,
  /// 1996, 2.3, with a ridge). `places` and `offsets` belong together; `reach` is how far a point
  /// counts, as a share of the longer side.
  static Warp Smooth(Size picture, double reach, std::span<const Point> places,
                     std::span<const Point> offsets);

  /// Adds a field for a picture of the same size.
  void Add(const Warp& other);

  bool empty() const { return nodes_.empty(); }
  /// The displacement at a place; outside the picture that of its edge.
  Point At(Point place) const;
  /// Root of the mean square of the nodes' displacements.
  double Rms() const;
  /// The same field for the picture in other units: positions and displacements are multiplied.
  Warp Scaled(double x, double y) const;

 private:
  int columns_ = 0;
  int rows_ = 0;
  double step_x_ = 1;  ///< Pixels from one node to the next.
  double step_y_ = 1;
  std::vector<Point> nodes_;  ///< Displacements, row by row.
};

}  // namespace siftsearch::verify
