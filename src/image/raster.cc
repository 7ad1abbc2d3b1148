#include "image/raster.h"

#include <algorithm>

namespace siftsearch::image {
namespace {

/// A picture without a darker grey is lost on white.
constexpr int kNearWhite = 224;

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

Raster MakeRaster(int width, int height, int channels, std::uint8_t ground) {
  Raster raster;
  raster.width = width;
  raster.height = height;
  raster.channels = channels;
  raster.pixels.assign(static_cast<std::size_t>(width) * height * channels, ground);
  return raster;
}

Status CutShort() { return {StatusCode::kCorrupt, "is cut short: its data ends early"}; }

Status Damaged(const std::string& detail) {
  return {StatusCode::kCorrupt, "is damaged: " + detail};
}

Status Unsupported(const std::string& what) {
  return {StatusCode::kUnsupported, what + ", which is not supported"};
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

void StoreRgba(const std::uint8_t* rgba, std::uint8_t ground, int channels, std::uint8_t* out) {
  const int alpha = rgba[3];
  std::uint8_t rgb[3];
  for (int c = 0; c < 3; ++c) {
    rgb[c] = static_cast<std::uint8_t>((rgba[c] * alpha + ground * (255 - alpha) + 127) / 255);
  }
  StoreRgb(rgb, channels, out);
}

GreyRange RangeOf(const Raster& raster) {
  GreyRange range;
  for (std::size_t i = 0; i < raster.pixels.size(); i += raster.channels) {
    const std::uint8_t* in = raster.pixels.data() + i;
    const std::uint8_t grey = raster.channels == 1 ? *in : Luma(in[0], in[1], in[2]);
    range.least = std::min(range.least, grey);
    range.most = std::max(range.most, grey);
  }
  return range;
}

bool IsBlank(const Raster& raster) {
  constexpr int kNoise = 16;
  return RangeOf(raster).Contrast() < kNoise;
}

int UsedBits(int most) {
  for (const int bits : {8, 10, 12, 14}) {
    if (most >> bits == 0) return bits;
  }
  return 16;
}

namespace {

/// Decodes again; the memory of what was decoded goes first.
void Again(const PageDecoder& decode, const DecodeRequest& request, int page,
           Result<Raster>& raster) {
  raster = Status(StatusCode::kInternal, "is not decoded");
  raster = decode(request, page);
}

Result<Raster> DecodePage(DecodeRequest request, int page, const PageDecoder& decode) {
  Result<Raster> raster = decode(request, page);
  if (raster.ok() && raster->used_bits < request.used_bits) {
    request.used_bits = raster->used_bits;
    Again(decode, request, page, raster);
  }
  const auto is_lost = [&] { return raster->transparent && RangeOf(*raster).least >= kNearWhite; };
  if (!raster.ok() || !is_lost()) return raster;
  request.ground = 0;
  Again(decode, request, page, raster);
  if (!raster.ok() || !IsBlank(*raster)) return raster;
  request.ground = 255;
  Again(decode, request, page, raster);
  return raster;
}

}  // namespace

Result<Raster> DecodePages(const DecodeRequest& request, int pages, const PageDecoder& decode) {
  constexpr int kMostLookedAt = 16;
  const int looked_at = std::min(pages, kMostLookedAt);
  Result<Raster> raster = DecodePage(request, 0, decode);
  if (!raster.ok()) return raster;
  int page = 0;
  while (looked_at > 1 && (!raster.ok() || IsBlank(*raster))) {
    page = (page + 1) % looked_at;
    raster = Status(StatusCode::kInternal, "is not decoded");  // Its memory goes first.
    raster = DecodePage(request, page, decode);
    if (page == 0) break;
  }
  if (!raster.ok()) return raster;
  raster->pages = pages;
  raster->page = page;
  return raster;
}

}  // namespace siftsearch::image
