#pragma once

#include "image/decode.h"
#include "siftsearch/status.h"

namespace siftsearch::draw {

/// The picture reduced by area averaging so that its longer side is at most `side` pixels; smaller
/// ones as they are.
Result<image::RgbImage> Thumbnail(const image::RgbImage& picture, int side);

}  // namespace siftsearch::draw
