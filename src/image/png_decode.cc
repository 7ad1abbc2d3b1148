#include <spng.h>

#include <memory>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// Texts, profiles and the like: in one chunk, and all together.
constexpr std::size_t kMaxChunkBytes = 32 << 20;
constexpr std::size_t kMaxChunksBytes = 64 << 20;

/// First column and column distance of Adam7's passes.
constexpr int kPassStart[] = {0, 4, 0, 2, 0, 1, 0};
constexpr int kPassStep[] = {8, 8, 4, 4, 2, 2, 1};

using Context = std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)>;

Status PngError(int error) {
  switch (error) {
    case SPNG_OK:
      return Status();
    case SPNG_IO_EOF:
    case SPNG_EIDAT_TOO_SHORT:
      return CutShort();
    case SPNG_EMEM:
      return OutOfMemory();
    case SPNG_ECHUNK_LIMITS:
      return Status(StatusCode::kLimitExceeded, "the PNG's texts or profiles are too large");
    default:
      return Damaged(spng_strerror(error));
  }
}

Status Prepare(spng_ctx* context, std::span<const std::uint8_t> bytes) {
  int error = spng_set_chunk_limits(context, kMaxChunkBytes, kMaxChunksBytes);
  if (error == SPNG_OK) {
    // A wrong checksum matters only in what the pixels need.
    error = spng_set_crc_action(context, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  }
  if (error == SPNG_OK) error = spng_set_png_buffer(context, bytes.data(), bytes.size());
  return PngError(error);
}

/// Rows come as RGBA; of an interlaced picture only the columns of the row's pass count.
Status ReadRows(spng_ctx* context, bool interlaced, Raster& raster) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(raster.width) * 4);
  int error = SPNG_OK;
  while (error == SPNG_OK) {
    spng_row_info info{};
    error = spng_get_row_info(context, &info);
    if (error != SPNG_OK) break;
    error = spng_decode_row(context, row.data(), row.size());
    if (error != SPNG_OK && error != SPNG_EOI) break;
    const int start = interlaced ? kPassStart[info.pass] : 0;
    const int step = interlaced ? kPassStep[info.pass] : 1;
    for (int x = start; x < raster.width; x += step) {
      StoreRgba(&row[static_cast<std::size_t>(x) * 4], raster.channels,
                raster.At(x, static_cast<int>(info.row_num)));
    }
  }
  return error == SPNG_EOI ? Status() : PngError(error);
}

int Orientation(spng_ctx* context) {
  spng_exif exif{};
  if (spng_get_exif(context, &exif) != SPNG_OK) return 1;
  return ExifOrientation({reinterpret_cast<const std::uint8_t*>(exif.data), exif.length});
}

}  // namespace

Result<Raster> DecodePng(const DecodeRequest& request) {
  const Context context(spng_ctx_new(0), spng_ctx_free);
  if (context == nullptr) return OutOfMemory();
  SIFTSEARCH_RETURN_IF_ERROR(Prepare(context.get(), request.bytes));
  spng_ihdr header{};
  SIFTSEARCH_RETURN_IF_ERROR(PngError(spng_get_ihdr(context.get(), &header)));
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(header.width, header.height, request.limits));

  SIFTSEARCH_RETURN_IF_ERROR(PngError(spng_decode_image(
      context.get(), nullptr, 0, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE)));
  Raster raster =
      MakeRaster(static_cast<int>(header.width), static_cast<int>(header.height), request.channels);
  SIFTSEARCH_RETURN_IF_ERROR(
      ReadRows(context.get(), header.interlace_method != SPNG_INTERLACE_NONE, raster));
  // The EXIF block may follow the pixels, and only the end says that the file is whole.
  SIFTSEARCH_RETURN_IF_ERROR(PngError(spng_decode_chunks(context.get())));
  raster.orientation = Orientation(context.get());
  return raster;
}

}  // namespace siftsearch::image
