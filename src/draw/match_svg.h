#pragma once

#include <string>

#include "draw/match_picture.h"

namespace siftsearch::draw {

/// The layout of a drawing, in pixels: between the pictures, and below them.
inline constexpr int kGap = 8;
inline constexpr int kCaptionHeight = 28;

/// The same as DrawMatch as an SVG file: the pictures as JPEG inside it, outlines and lines as
/// shapes.
Result<std::string> DrawMatchSvg(const image::RgbImage& query, const image::RgbImage& image,
                                 const Match& match, const DrawOptions& options);

/// What a drawing says below the pictures: relation, score, agreeing points.
std::string CaptionOf(const Match& match);

}  // namespace siftsearch::draw
