#pragma once

#include <cstdint>
#include <vector>

#include "image/decode.h"
#include "siftsearch/status.h"

namespace siftsearch::features {

/// Longer side of a preview in pixels.
inline constexpr int kPreviewSide = 192;
inline constexpr int kStoredPreviewQuality = 75;  ///< Some 4 kB.
/// A query may be fainter than its original, and is not kept.
inline constexpr int kQueryPreviewQuality = 100;

/// The picture reduced (area averaging) so that its longer side is at most kPreviewSide, as grey
/// JPEG of `quality`. Thread-safe.
Result<std::vector<std::uint8_t>> MakePreview(const image::GreyImage& picture, int quality);

}  // namespace siftsearch::features
