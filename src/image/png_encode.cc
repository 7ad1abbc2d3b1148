#include <spng.h>

#include <cstdlib>
#include <memory>

#include "image/raster.h"

namespace siftsearch::image {

Result<std::vector<std::uint8_t>> EncodePng(const RgbImage& image) {
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(SPNG_CTX_ENCODER),
                                                                    spng_ctx_free);
  if (context == nullptr) return OutOfMemory();
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;

  int error = spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  if (error == SPNG_OK) error = spng_set_ihdr(context.get(), &header);
  if (error == SPNG_OK) {
    error = spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_PNG,
                              SPNG_ENCODE_FINALIZE);
  }
  std::size_t size = 0;
  std::unique_ptr<void, decltype(&std::free)> buffer(nullptr, std::free);
  if (error == SPNG_OK) buffer.reset(spng_get_png_buffer(context.get(), &size, &error));
  if (error == SPNG_EMEM) return OutOfMemory();
  if (error != SPNG_OK || buffer == nullptr) {
    return Status(StatusCode::kInternal,
                  std::string("writing the PNG failed: ") + spng_strerror(error));
  }
  const auto* bytes = static_cast<const std::uint8_t*>(buffer.get());
  return std::vector<std::uint8_t>(bytes, bytes + size);
}

}  // namespace siftsearch::image
