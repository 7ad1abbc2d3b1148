// As a system header, so that its warnings are not ours.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#include <stb/stb_image.h>

#include <cstring>
#include <limits>
#include <memory>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

std::uint32_t Little(std::span<const std::uint8_t> bytes, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = 0; i < size; ++i) value |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

struct Header {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t bits_per_pixel = 0;
  std::int64_t data_offset = 0;
  std::uint32_t compression = 0;
};

Result<Header> ReadHeader(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kOldHeaderBytes = 26;
  constexpr std::size_t kHeaderBytes = 34;
  const bool old = bytes.size() > 14 && bytes[14] == 12;
  if (bytes.size() < (old ? kOldHeaderBytes : kHeaderBytes)) return CutShort();
  Header header;
  header.data_offset = Little(bytes, 10, 4);
  if (old) {
    header.width = Little(bytes, 18, 2);
    header.height = Little(bytes, 20, 2);
    header.bits_per_pixel = Little(bytes, 24, 2);
    return header;
  }
  header.width = static_cast<std::int32_t>(Little(bytes, 18, 4));
  header.height = static_cast<std::int32_t>(Little(bytes, 22, 4));
  if (header.height < 0) header.height = -header.height;  // Rows from top to bottom.
  header.bits_per_pixel = Little(bytes, 28, 2);
  header.compression = Little(bytes, 30, 4);
  return header;
}

/// stb_image takes missing bytes for zeros, so the length is checked here.
Status CheckData(const Header& header, std::size_t file_bytes) {
  constexpr std::uint32_t kPlain = 0;
  constexpr std::uint32_t kBitFields = 3;
  if (header.compression != kPlain && header.compression != kBitFields) {
    return Status(StatusCode::kUnsupported, "compressed BMP pictures are not supported");
  }
  const std::int64_t row_bytes = (header.width * header.bits_per_pixel + 31) / 32 * 4;
  const std::int64_t left = static_cast<std::int64_t>(file_bytes) - header.data_offset;
  return left < 0 || row_bytes > left / header.height ? CutShort() : Status();
}

}  // namespace

Result<Raster> DecodeBmp(const DecodeRequest& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Header header, ReadHeader(request.bytes));
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(header.width, header.height, request.limits));
  SIFTSEARCH_RETURN_IF_ERROR(CheckData(header, request.bytes.size()));
  if (request.bytes.size() > std::numeric_limits<int>::max()) {
    return Status(StatusCode::kLimitExceeded, "BMP files of 2 GiB or more are not read");
  }
  int width = 0;
  int height = 0;
  int kind = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> rgba(
      stbi_load_from_memory(request.bytes.data(), static_cast<int>(request.bytes.size()), &width,
                            &height, &kind, STBI_rgb_alpha),
      stbi_image_free);
  if (rgba == nullptr) {
    const std::string reason = stbi_failure_reason();
    return reason == "outofmem" ? OutOfMemory() : Damaged(reason);
  }
  Raster raster = MakeRaster(width, height, request.channels);
  const std::uint8_t* in = rgba.get();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x, in += 4) {
      StoreRgba(in, raster.channels, raster.At(x, y));
    }
  }
  return raster;
}

}  // namespace siftsearch::image
