#include "engine/picture_look.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/status_macros.h"
#include "draw/thumbnail.h"
#include "engine/picture_file.h"
#include "image/decode.h"
#include "image/metadata.h"

namespace siftsearch::engine {
namespace {

constexpr int kThumbnailSide = 320;
constexpr int kThumbnailQuality = 80;

void Measure(const image::RgbImage& picture, PictureLook& look) {
  double sum = 0, squares = 0;
  const std::size_t count = picture.pixels.size() / 3;
  for (std::size_t i = 0; i < count; ++i) {
    const int r = picture.pixels[3 * i], g = picture.pixels[3 * i + 1],
              b = picture.pixels[3 * i + 2];
    const double grey = 0.299 * r + 0.587 * g + 0.114 * b;
    sum += grey;
    squares += grey * grey;
  }
  const double n = static_cast<double>(std::max<std::size_t>(1, count));
  look.brightness = sum / n;
  look.contrast = std::sqrt(std::max(0.0, squares / n - look.brightness * look.brightness));
}

Status Look(const std::string& path, const InputLimits& limits, PictureLook& look) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const PictureFile file, ReadPictureFile(path, limits));
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const image::RgbImage picture,
      image::DecodeRgb(file.bytes, {limits.max_pixels, limits.max_file_bytes}));
  look.jpeg_quality = image::JpegQuality(file.bytes);
  look.taken = image::ExifDate(file.bytes);
  look.pixels = Checksum(picture.pixels) ^ static_cast<std::uint64_t>(picture.width);
  SIFTSEARCH_ASSIGN_OR_RETURN(const image::RgbImage small,
                              draw::Thumbnail(picture, kThumbnailSide));
  Measure(small, look);
  look.colours = ColoursOf(picture);
  look.thumbnail_width = small.width;
  look.thumbnail_height = small.height;
  SIFTSEARCH_ASSIGN_OR_RETURN(look.thumbnail, image::Encode(small, "jpeg", kThumbnailQuality));
  return {};
}

}  // namespace

PictureLook LookAt(const std::string& path, const InputLimits& limits) {
  PictureLook look;
  const Status status = Look(path, limits, look);
  if (!status.ok()) {
    look = {};
    // What is no absolute path (an URL, standard input) never was a file.
    look.gone = status.code() == StatusCode::kNotFound && path.starts_with('/');
    look.problem = status.message();
  }
  return look;
}

}  // namespace siftsearch::engine
