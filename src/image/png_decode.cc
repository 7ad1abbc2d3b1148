#include <spng.h>

#include <algorithm>
#include <memory>

#include "base/status_macros.h"
#include "image/png_layout.h"
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
    case SPNG_ECHUNK_UNKNOWN_CRITICAL:
    case SPNG_ECOMPRESSION_METHOD:
    case SPNG_EFILTER_METHOD:
    case SPNG_EINTERLACE_METHOD:
      return Status(StatusCode::kUnsupported,
                    std::string("this kind of PNG is not read: ") + spng_strerror(error));
    default:
      return Damaged(spng_strerror(error));
  }
}

int ReadBytes(spng_ctx*, void* user, void* out, std::size_t size) {
  const std::span<std::uint8_t> bytes(static_cast<std::uint8_t*>(out), size);
  return static_cast<PngSource*>(user)->Read(bytes) ? 0 : SPNG_IO_EOF;
}

Status Prepare(spng_ctx* context, PngSource& source) {
  int error = spng_set_chunk_limits(context, kMaxChunkBytes, kMaxChunksBytes);
  if (error == SPNG_OK) {
    // A wrong checksum matters only in what the pixels need.
    error = spng_set_crc_action(context, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  }
  if (error == SPNG_OK) error = spng_set_png_stream(context, ReadBytes, &source);
  return PngError(error);
}

/// Reads the rows of a picture into a raster at (left, top).
class RowReader {
 public:
  RowReader(spng_ctx* context, const spng_ihdr& header, const DecodeRequest& request, int left,
            int top, Raster& raster)
      : context_(context), request_(request), left_(left), top_(top), raster_(raster) {
    width_ = static_cast<int>(header.width);
    interlaced_ = header.interlace_method != SPNG_INTERLACE_NONE;
    wide_ = header.bit_depth == 16;
  }

  /// Rows come as RGBA; of an interlaced picture only the columns of the row's pass count.
  Status Read() {
    const int format = wide_ ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
    int error =
        spng_decode_image(context_, nullptr, 0, format, SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE);
    std::vector<std::uint16_t> row(static_cast<std::size_t>(width_) * (wide_ ? 4 : 2));
    while (error == SPNG_OK) {
      spng_row_info info{};
      error = spng_get_row_info(context_, &info);
      if (error != SPNG_OK) break;
      error = spng_decode_row(context_, row.data(), row.size() * sizeof(std::uint16_t));
      if (error == SPNG_OK || error == SPNG_EOI) Store(row, info);
    }
    if (wide_ && most_ > least_) raster_.used_bits = UsedBits(most_);
    return error == SPNG_EOI ? Status() : PngError(error);
  }

 private:
  void Store(const std::vector<std::uint16_t>& row, const spng_row_info& info) {
    const int start = interlaced_ ? kPassStart[info.pass] : 0;
    const int step = interlaced_ ? kPassStep[info.pass] : 1;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(row.data());
    for (int x = start; x < width_; x += step) {
      std::uint8_t narrow[4];
      const std::uint8_t* rgba = bytes + static_cast<std::size_t>(x) * 4;
      if (wide_) {
        Narrow(&row[static_cast<std::size_t>(x) * 4], narrow);
        rgba = narrow;
      }
      StoreRgba(rgba, request_.ground, raster_.channels,
                raster_.At(left_ + x, top_ + static_cast<int>(info.row_num)));
    }
  }

  /// Colours of 16 bits, of which the lower `used_bits` are used; alpha has all of them.
  void Narrow(const std::uint16_t* wide, std::uint8_t* rgba) {
    for (int c = 0; c < 3; ++c) {
      least_ = std::min(least_, wide[c]);
      most_ = std::max(most_, wide[c]);
      rgba[c] = static_cast<std::uint8_t>(wide[c] >> (request_.used_bits - 8));
    }
    rgba[3] = static_cast<std::uint8_t>(wide[3] >> 8);
  }

  spng_ctx* const context_;
  const DecodeRequest& request_;
  const int left_;
  const int top_;
  Raster& raster_;
  int width_ = 0;
  bool interlaced_ = false;
  bool wide_ = false;
  std::uint16_t least_ = 65535;
  std::uint16_t most_ = 0;
};

int Orientation(spng_ctx* context) {
  spng_exif exif{};
  if (spng_get_exif(context, &exif) != SPNG_OK) return 1;
  return ExifOrientation({reinterpret_cast<const std::uint8_t*>(exif.data), exif.length});
}

bool HasTransparency(spng_ctx* context, const spng_ihdr& header) {
  spng_trns transparency{};
  return header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
         header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ||
         spng_get_trns(context, &transparency) == SPNG_OK;
}

/// The picture, or a frame of the animation at its place in it.
Result<Raster> DecodeFrame(const DecodeRequest& request, const PngLayout& layout, int n) {
  PngSource source(request.bytes, layout, n);
  const Context context(spng_ctx_new(0), spng_ctx_free);
  if (context == nullptr) return OutOfMemory();
  SIFTSEARCH_RETURN_IF_ERROR(Prepare(context.get(), source));
  spng_ihdr header{};
  SIFTSEARCH_RETURN_IF_ERROR(PngError(spng_get_ihdr(context.get(), &header)));
  const PngFrame place = source.Place();
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(place.width, place.height, request.limits));
  if (header.width > place.width || place.x > place.width - header.width ||
      header.height > place.height || place.y > place.height - header.height) {
    return Damaged("the PNG's frame reaches out of its picture");
  }
  Raster raster = MakeRaster(static_cast<int>(place.width), static_cast<int>(place.height),
                             request.channels, request.ground);
  RowReader rows(context.get(), header, request, static_cast<int>(place.x),
                 static_cast<int>(place.y), raster);
  SIFTSEARCH_RETURN_IF_ERROR(rows.Read());
  // The EXIF block may follow the pixels, and only the end says that the file is whole.
  SIFTSEARCH_RETURN_IF_ERROR(PngError(spng_decode_chunks(context.get())));
  raster.transparent = HasTransparency(context.get(), header) || header.width < place.width ||
                       header.height < place.height;
  raster.orientation = Orientation(context.get());
  return raster;
}

}  // namespace

Result<Raster> DecodePng(const DecodeRequest& request) {
  const PngLayout layout = ReadPngLayout(request.bytes);
  if (layout.crushed) {
    return Status(StatusCode::kUnsupported,
                  "PNG pictures in the form of iPhone apps (CgBI) are not supported");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(Raster raster, DecodePages(request, layout.frame_count,
                                                         [&](const DecodeRequest& asked, int n) {
                                                           return DecodeFrame(asked, layout, n);
                                                         }));
  raster.animated = true;
  if (layout.end_missing) raster.remark = "its end is missing or damaged";
  return raster;
}

}  // namespace siftsearch::image
