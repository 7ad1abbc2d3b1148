#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "siftsearch/types.h"
#include "verify/warp.h"

namespace siftsearch::verify {

/// Grey pixels, rows without padding; borrowed.
struct GreyView {
  int width = 0;
  int height = 0;
  std::span<const std::uint8_t> pixels;
};

/// Where pixels agree: square cells of the image.
struct AgreeingCells {
  double side = 0;  ///< In pixels.
  int columns = 0;
  std::vector<char> agrees;  ///< Row by row; flat ones do.

  bool Holds(Point p) const;
};

/// How the pixels of two aligned pictures compare.
struct PixelAgreement {
  double correlation = 0;  ///< −1 to 1; see CompareAligned.
  double coherent = 0;     ///< Of what the textured windows could agree, how much one agreeing
                           ///< rectangle holds, 0 to 1.
  double inside = 0;       ///< The same, of the textured windows inside that rectangle only.
  int windows = 0;         ///< Textured windows compared; too few say nothing: 0, and 0 above.
  /// That rectangle, widened to where something disagrees, in image pixels: left, top, right,
  /// bottom.
  std::array<double, 4> rectangle{};
  double own_background = 0;  ///< 0 to 1; see CompareAligned.
  double covered = 0;         ///< 0 to 1; see CompareAligned.
  double at_points = 0;       ///< Mean over `points` of what the windows there attain, 0 to 1.
  double in_hull = 0;   ///< Share of the textured windows in the points' convex hull that agree.
  double agreeing = 0;  ///< Share of all textured windows that agree.
  double between = 0;   ///< Share that neither agrees nor disagrees.
  double best = 0;      ///< What a fifth of the textured windows attain, 0 to 1.
  double extra_in_both = 0;   ///< 0 to 0.5; see CompareAligned.
  double solid_share = 0;     ///< Share of the textured windows in the largest solid part.
  double solid_attained = 0;  ///< Mean of what these attain, 0 to 1.
  double unsettled = 0;       ///< 0 to 1; see CompareAligned.
  AgreeingCells cells;        ///< That agree in the mean or are flat.
  double textured = 0;        ///< Share of the windows that both pictures have which is textured.
};

/// Compares two pictures where `image_from_query` (in their pixels) lays one over the other, by the
/// normalised cross-correlation in windows of 7 × 7. `correlation` is its mean, weighted by how
/// much texture the richer of the two has in the window. Flat windows say nothing and are passed
/// over. Where the query has less contrast than the image, its noise is taken to be less, too.
/// `rectangle` is the block of the image, upright in it, that has the largest sum of (correlation −
/// 0.3) over its textured windows (Bentley, "Programming Pearls", CACM 1984, in two dimensions),
/// and `coherent` that sum over what it would be if all of the shared region agreed: a window of
/// variance v correlates with itself by v / (v + noise), which is little where there is little
/// texture. A picture of which a part is covered agrees in one block, pictures of one template
/// agree in many small ones. Both pictures are sampled at the coarser one's resolution.
///
/// `own_background`: the share of the pixels in the rectangle that lie within 12 grey levels of the
/// rectangle's commonest tone, less that share of the pixels outside it, of the picture where the
/// difference is smaller; 0 where less than a seventh of a picture is outside. A caption, a title
/// bar or a label under two different pictures stands on a background that neither of them has;
/// what is left of a covered picture rarely does.
///
/// `covered`: the share of `rectangle` that one block takes up whose textured windows correlate by
/// less than 0.2 in the mean: the block of the largest sum of (0.2 − correlation). There something
/// is laid over one of the two. 0 where that block holds less than a fiftieth of the windows.
///
/// A window attains a share of the correlation that one of its texture has with itself; it agrees
/// from 0.6 of that on and disagrees below 0.2. `points`: where keypoints agree, in image pixels.
///
/// `extra_in_both`: of the windows that disagree, some have texture in the query where the image is
/// flat, and some the other way round; the fewer of the two, as a share of all textured windows. A
/// copy gained what is laid over it or lost what was blurred; two forms were each filled in.
///
/// Solid is a connected part of square cells (48 along the longer side) that agree in the mean or
/// are flat. `unsettled`: share of the textured windows in cells that neither agree nor disagree in
/// the mean and touch none that disagrees: between a copy and what covers it there is a border, two
/// exposures agree half everywhere.
///
/// `warp`: of the image, on top of the transform. Pure.
PixelAgreement CompareAligned(const GreyView& query, const GreyView& image,
                              const Transform& image_from_query, std::span<const Point> points = {},
                              const Warp& warp = {});

}  // namespace siftsearch::verify
