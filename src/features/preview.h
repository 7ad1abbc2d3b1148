#pragma once

#include <cstdint>
#include <vector>

#include "image/decode.h"
#include "siftsearch/status.h"

namespace siftsearch::features {

/// Longer side of a preview in pixels.
inline constexpr int kPreviewSide = 192;

/// The picture reduced (area averaging) so that its longer side is at most kPreviewSide, as grey
/// JPEG of quality 75: some 4 kB. Thread-safe.
Result<std::vector<std::uint8_t>> MakePreview(const image::GreyImage& picture);

}  // namespace siftsearch::features
