#pragma once

#include <cstddef>
#include <cstdint>
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
  std::vector<std::uint8_t> pixels;

  std::uint8_t* At(int x, int y) {
    return pixels.data() + (static_cast<std::size_t>(y) * width + x) * channels;
  }
};

/// What a format's decoder is asked for.
struct DecodeRequest {
  std::span<const std::uint8_t> bytes;
  DecodeLimits limits;
  int channels = 1;  ///< 1: grey, 3: RGB.
  int min_side = 0;  ///< Of DecodeGrey.
};

/// kLimitExceeded or kCorrupt unless a picture of this size may be decoded. Called with the
/// header's numbers before memory is taken for pixels.
Status CheckSize(std::int64_t width, std::int64_t height, const DecodeLimits& limits);

/// A white raster; throws std::bad_alloc, which DecodeGrey and DecodeRgb turn into a Status.
Raster MakeRaster(int width, int height, int channels);

Status CutShort();
Status Damaged(const std::string& detail);
Status OutOfMemory();

/// Convert one pixel to `channels` values at `out`; alpha is laid over white.
void StoreGrey(std::uint8_t grey, int channels, std::uint8_t* out);
void StoreRgb(const std::uint8_t* rgb, int channels, std::uint8_t* out);
void StoreRgba(const std::uint8_t* rgba, int channels, std::uint8_t* out);

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
