#pragma once

#include "image/decode.h"
#include "siftsearch/results.h"
#include "siftsearch/status.h"

namespace siftsearch::draw {

struct DrawOptions {
  int panel_side = 640;  ///< Longer side of each picture in the drawing, in pixels.
  int max_lines = 60;    ///< Inlier lines drawn, spread evenly over the inliers.
};

/// Both pictures side by side (query left), the shared region outlined in each and lines between
/// agreeing keypoints, a caption below. `query` and `image` are the decoded, upright pictures whose
/// sizes `match` was computed for. kOutOfMemory when the canvas can't be had.
Result<image::RgbImage> DrawMatch(const image::RgbImage& query, const image::RgbImage& image,
                                  const Match& match, const DrawOptions& options);

}  // namespace siftsearch::draw
