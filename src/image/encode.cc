#include <new>

#include "image/raster.h"

namespace siftsearch::image {
namespace {

Status Invalid(const std::string& message) { return Status(StatusCode::kInvalidArgument, message); }

Status CheckImage(const RgbImage& image) {
  if (image.width <= 0 || image.height <= 0) return Invalid("a picture to encode has no pixels");
  if (image.pixels.size() != static_cast<std::size_t>(image.width) * image.height * 3) {
    return Invalid("a picture to encode must have width x height x 3 bytes");
  }
  return Status();
}

}  // namespace

Result<std::vector<std::uint8_t>> Encode(const RgbImage& image, std::string_view format,
                                         int quality) {
  if (Status status = CheckImage(image); !status.ok()) return status;
  try {
    if (format == "png") return EncodePng(image);
    if (format != "jpeg") return Invalid("pictures are written as png or jpeg only");
    if (quality < 1 || quality > 100) return Invalid("the JPEG quality must be from 1 to 100");
    return EncodeJpeg(image, quality);
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

}  // namespace siftsearch::image
