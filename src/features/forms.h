#pragma once

#include <span>

#include "siftsearch/types.h"

namespace siftsearch::features {

/// What a copy may have done to a picture beyond what SIFT ignores.
struct Form {
  bool mirrored = false;  ///< Left and right exchanged; with rotations, any mirroring.
  bool inverted = false;  ///< Light and dark exchanged.
};

/// All forms, the picture itself first.
std::span<const Form> AllForms();

/// The features that the picture would have in another form, without pixels: the first
/// `max_features` of them, which are the strongest. OpenCV's SIFT has bin o of cell (row, column)
/// at (4·row + column)·8 + o; mirroring moves it to cell (3 − row, column), bin −o mod 8, and
/// inverting to cell (3 − row, 3 − column). Keypoints move to x' = width − 1 − x and turn to 180° −
/// angle; inverting turns them by 180°. Pure.
FeatureSet InForm(const FeatureSet& features, Form form, std::size_t max_features);

/// Where a point of the picture lies in its form, and the other way round.
inline Point InForm(Point point, int width, Form form) {
  return form.mirrored ? Point{width - 1 - point.x, point.y} : point;
}

}  // namespace siftsearch::features
