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
  /// Pages of the file, or frames of the animation; those of them that are reduced versions or
  /// masks of others do not count.
  int pages = 1;
  /// What is odd about a file that is read all the same ("its end is missing"), and which of
  /// several pages this is ("first of 12 pages"); mostly empty.
  std::string remark = {};
};

/// 8-bit RGB picture, upright, rows without padding.
struct RgbImage {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  ///< width × height × 3.
  int full_width = 0;                ///< As of GreyImage, like those below.
  int full_height = 0;
  int pages = 1;
  std::string remark = {};
};

/// What the first bytes say a file is: "jpeg", "png", "webp", "tiff", "bmp", "gif", "pnm", and,
/// recognised but not read, "heic", "avif", "jpeg-xl", "jpeg-2000", "pdf", "svg", "video", "psd",
/// "raw", …; "empty" for no bytes, "text" for text, "unknown" otherwise.
std::string_view Sniff(std::span<const std::uint8_t> bytes);

/// True for the formats that Decode reads.
bool IsReadable(std::string_view format);

/// True for a name that ends as picture files do (.jpg, .png, .heic …), in any case.
bool HasImageExtension(std::string_view path);

/// Decodes to upright grey: EXIF orientation applied, 16 bit reduced to 8, CMYK and YCCK converted.
/// Grey is 0.299 R + 0.587 G + 0.114 B (JPEG: its own luma). What decides which pixels a file has:
/// - Of several pages or frames the first that shows something (whose greys differ by 16 or more)
///   counts, of at most 16; the first one where none does. A frame is laid on the ground alone, as
///   if there were none before it.
/// - Transparency is laid on white; where that leaves no grey below 224, and black leaves
///   something, on black (a white drawing).
/// - Samples of 16 bits (of PNG; of TIFF in grey or RGB without alpha) of which the largest is
///   below 2^8, 2^10, 2^12 or 2^14 hold that many bits, the smallest that suffice, and are
///   stretched to 8 accordingly; a TIFF's MaxSampleValue counts as a sample. A picture of one value
///   is left as it is.
/// - Bands of a TIFF that are no alpha are ignored.
/// Errors say the cause without the file's name, which the caller adds: kUnsupported (naming what
/// the file is; also a file of which only a stand-in could be decoded, as a raw camera picture's
/// thumbnail), kLimitExceeded (with the sizes), kCorrupt (a cut or damaged file, also where a
/// decoder would fill in the rest), kOutOfMemory. A file that lacks only its end, with all its
/// pixels, is read with a remark. Thread-safe; nothing is printed. With `min_side` above 0, a
/// format that can (JPEG) is decoded at 1/2, 1/4 or 1/8 of its size, each pixel the mean of those
/// it stands for, as long as the longer side has at least `min_side` pixels.
Result<GreyImage> DecodeGrey(std::span<const std::uint8_t> bytes, const DecodeLimits& limits,
                             int min_side = 0);

/// The same in colour.
Result<RgbImage> DecodeRgb(std::span<const std::uint8_t> bytes, const DecodeLimits& limits,
                           int min_side = 0);

/// Encodes RGB as "png" or "jpeg" (quality 1 to 100, ignored for PNG).
Result<std::vector<std::uint8_t>> Encode(const RgbImage& image, std::string_view format,
                                         int quality);

}  // namespace siftsearch::image
