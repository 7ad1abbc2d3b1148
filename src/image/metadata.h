#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace siftsearch::image {

/// When a JPEG says it was taken (EXIF DateTimeOriginal): "2019-05-01 12:30:00" without a time
/// zone; empty where it doesn't say.
std::string ExifDate(std::span<const std::uint8_t> jpeg);

/// The quality, 1 to 100, at which the IJG library would have written a JPEG with such quantisation
/// of its brightness (ITU T.81 annex K.1, scaled as jpeg_set_quality does); none for other files.
std::optional<int> JpegQuality(std::span<const std::uint8_t> jpeg);

}  // namespace siftsearch::image
