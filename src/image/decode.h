#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::image {

struct DecodeLimits {
  std::int64_t max_pixels =
      268'435'456;  ///< Width × height, read from the header before memory is taken.
  std::int64_t max_file_bytes = 1'073'741'824;
};

/// 8-bit grey picture, upright, rows without padding. The first pixel's centre is (0, 0).
struct GreyImage {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  ///< width × height.
  int full_width = 0;  ///< Of the picture that these pixels stand for; 0: of these pixels.
  int full_height = 0;
};

/// 8-bit RGB picture, upright, rows without padding.
struct RgbImage {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  ///< width × height × 3.
};

/// What the first bytes say a file is: "jpeg", "png", "webp", "tiff", "bmp", "gif", "pnm", and,
/// recognised but not read, "heic", "avif", "jpeg-xl", "jpeg-2000", "pdf", "svg", "video", "psd",
/// "raw", …; "empty" for no bytes, "text" for text, "unknown" otherwise.
std::string_view Sniff(std::span<const std::uint8_t> bytes);

/// True for the formats that Decode reads.
bool IsReadable(std::string_view format);

/// True for a name that ends as picture files do (.jpg, .png, .heic …), in any case.
bool HasImageExtension(std::string_view path);

/// Decodes to upright grey: EXIF orientation applied, 16 bit reduced to 8, alpha laid over white,
/// CMYK and YCCK converted, the first frame or page of several. Grey is 0.299 R + 0.587 G + 0.114 B
/// (JPEG: its own luma). Errors say the cause without the file's name, which the caller adds:
/// kUnsupported (naming what the file is), kLimitExceeded (with the sizes), kCorrupt (a cut or
/// damaged file, also where a decoder would fill in the rest), kOutOfMemory. Thread-safe; nothing
/// is printed. With `min_side` above 0, a format that can (JPEG) is decoded at 1/2, 1/4 or 1/8 of
/// its size, each pixel the mean of those it stands for, as long as the longer side has at least
/// `min_side` pixels.
Result<GreyImage> DecodeGrey(std::span<const std::uint8_t> bytes, const DecodeLimits& limits,
                             int min_side = 0);

/// The same in colour.
Result<RgbImage> DecodeRgb(std::span<const std::uint8_t> bytes, const DecodeLimits& limits);

/// Encodes RGB as "png" or "jpeg" (quality 1 to 100, ignored for PNG).
Result<std::vector<std::uint8_t>> Encode(const RgbImage& image, std::string_view format,
                                         int quality);

}  // namespace siftsearch::image
