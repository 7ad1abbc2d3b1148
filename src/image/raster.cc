#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point.
std::uint8_t Luma(int r, int g, int b) {
  return static_cast<std::uint8_t>((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
}

}  // namespace

Status CheckSize(std::int64_t width, std::int64_t height, const DecodeLimits& limits) {
  if (width < 1 || height < 1) return Damaged("its header gives no size");
  // Dividing instead of multiplying keeps any two numbers from overflowing.
  if (width > INT32_MAX || height > INT32_MAX || width > limits.max_pixels / height) {
    return {StatusCode::kLimitExceeded,
            "the picture has " + std::to_string(width) + " × " + std::to_string(height) +
                " pixels, more than the limit of " + std::to_string(limits.max_pixels)};
  }
  return {};
}

Raster MakeRaster(int width, int height, int channels) {
  Raster raster;
  raster.width = width;
  raster.height = height;
  raster.channels = channels;
  raster.pixels.assign(static_cast<std::size_t>(width) * height * channels, 255);
  return raster;
}

Status CutShort() { return {StatusCode::kCorrupt, "is cut short: its data ends early"}; }

Status Damaged(const std::string& detail) {
  return {StatusCode::kCorrupt, "is damaged: " + detail};
}

Status OutOfMemory() {
  return {StatusCode::kOutOfMemory, "there is not enough memory to decode it"};
}

void StoreGrey(std::uint8_t grey, int channels, std::uint8_t* out) {
  for (int c = 0; c < channels; ++c) out[c] = grey;
}

void StoreRgb(const std::uint8_t* rgb, int channels, std::uint8_t* out) {
  if (channels == 1) {
    out[0] = Luma(rgb[0], rgb[1], rgb[2]);
    return;
  }
  for (int c = 0; c < 3; ++c) out[c] = rgb[c];
}

void StoreRgba(const std::uint8_t* rgba, int channels, std::uint8_t* out) {
  const int alpha = rgba[3];
  std::uint8_t rgb[3];
  for (int c = 0; c < 3; ++c) {
    rgb[c] = static_cast<std::uint8_t>((rgba[c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
  StoreRgb(rgb, channels, out);
}

}  // namespace siftsearch::image
