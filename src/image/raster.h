#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "image/decode.h"
#include "siftsearch/status.h"

namespace siftsearch::image {

/// Pixels as the file holds them, before its orientation is applied: grey (1 channel) or RGB (3).
struct Raster {
  int width = 0;
  int height = 0;
  int channels = 1;
  int orientation = 1;  ///< EXIF orientation, 1 to 8.
  int full_width = 0;   ///< Where it was decoded at a reduced size; else 0.
  int full_height = 0;
  int pages = 1;             ///< In the file: pages, or frames of an animation.
  int page = 0;              ///< The one that this is, from 0.
  bool animated = false;     ///< They are frames.
  bool transparent = false;  ///< It may have pixels that DecodeRequest::ground shows through.
  int used_bits = 16;        ///< Of samples of 16 bits; see UsedBits.
  std::string remark;        ///< Of GreyImage, but for pages.
  std::vector<std::uint8_t> pixels;

  std::uint8_t* At(int x, int y) {
    return pixels.data() + (static_cast<std::size_t>(y) * width + x) * channels;
  }
};

/// What a format's decoder is asked for.
struct DecodeRequest {
  std::span<const std::uint8_t> bytes;
  DecodeLimits limits;
  int channels = 1;           ///< 1: grey, 3: RGB.
  int min_side = 0;           ///< Of DecodeGrey and DecodeRgb.
  std::uint8_t ground = 255;  ///< Grey on which what is transparent is laid.
  int used_bits = 16;         ///< Samples of 16 bits hold this many; the lowest ones.
};

/// kLimitExceeded or kCorrupt unless a picture of this size may be decoded. Called with the
/// header's numbers before memory is taken for pixels.
Status CheckSize(std::int64_t width, std::int64_t height, const DecodeLimits& limits);

/// A raster of one grey; throws std::bad_alloc, which DecodeGrey and DecodeRgb turn into a Status.
Raster MakeRaster(int width, int height, int channels, std::uint8_t ground = 255);

Status CutShort();
Status Damaged(const std::string& detail);
Status Unsupported(const std::string& what);  ///< "…, which is not supported".
Status OutOfMemory();

/// Convert one pixel to `channels` values at `out`; alpha is laid over `ground`.
void StoreGrey(std::uint8_t grey, int channels, std::uint8_t* out);
void StoreRgb(const std::uint8_t* rgb, int channels, std::uint8_t* out);
void StoreRgba(const std::uint8_t* rgba, std::uint8_t ground, int channels, std::uint8_t* out);

/// The smallest and the largest grey of a raster.
struct GreyRange {
  std::uint8_t least = 255;
  std::uint8_t most = 0;

  int Contrast() const { return most - least; }
};
GreyRange RangeOf(const Raster& raster);

/// True where a picture shows nothing: its greys differ by less than what noise makes.
bool IsBlank(const Raster& raster);

/// How many bits samples of 16 bits use when the largest is `most`: 8, 10, 12, 14 or 16.
int UsedBits(int most);

/// Decodes one page of a file, from 0, as asked.
using PageDecoder = std::function<Result<Raster>(const DecodeRequest&, int page)>;

/// The first of `pages` pages that shows something, of at most the first 16; the first one where
/// none does. Errors of later pages count as nothing shown. Samples of 16 bits are stretched and
/// transparency is laid on white or black as DecodeGrey says, by decoding once more where that is
/// needed. Sets `pages` and `page` of the raster.
Result<Raster> DecodePages(const DecodeRequest& request, int pages, const PageDecoder& decode);

/// Orientation in an EXIF block (with or without its "Exif\0\0" prefix), 1 when it says none.
int ExifOrientation(std::span<const std::uint8_t> exif);

Result<Raster> DecodeJpeg(const DecodeRequest& request);
Result<Raster> DecodePng(const DecodeRequest& request);
Result<Raster> DecodeWebp(const DecodeRequest& request);
Result<Raster> DecodeTiff(const DecodeRequest& request);
Result<Raster> DecodeGif(const DecodeRequest& request);
Result<Raster> DecodeBmp(const DecodeRequest& request);
Result<Raster> DecodePnm(const DecodeRequest& request);

Result<std::vector<std::uint8_t>> EncodePng(const RgbImage& image);
Result<std::vector<std::uint8_t>> EncodeJpeg(const RgbImage& image, int quality);

}  // namespace siftsearch::image
