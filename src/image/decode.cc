#include "image/decode.h"

#include <new>
#include <utility>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

Status NotAPicture(std::string_view format) {
  struct Sentence {
    std::string_view format;
    std::string_view text;
  };
  static constexpr Sentence kSentences[] = {
      {"empty", "is empty"},
      {"text", "is text, not a picture"},
      {"pdf", "is a PDF document, not a picture"},
      {"postscript", "is a PostScript document, not a picture"},
      {"video", "is a video, not a picture"},
      {"zip", "is a ZIP archive, not a picture"},
      {"heic", "HEIC pictures are not supported"},
      {"avif", "AVIF pictures are not supported"},
      {"jpeg-xl", "JPEG XL pictures are not supported"},
      {"jpeg-2000", "JPEG 2000 pictures are not supported"},
      {"svg", "SVG drawings are not supported"},
      {"psd", "Photoshop (PSD) pictures are not supported"},
      {"xcf", "GIMP (XCF) pictures are not supported"},
      {"ico", "icon (ICO) files are not supported"},
      {"raw", "is a raw camera picture, of which only a preview could be read"},
      {"jpeg-xr", "JPEG XR pictures are not supported"},
      {"mng", "MNG animations are not supported"},
      {"openexr", "OpenEXR pictures are not supported"},
      {"dicom", "DICOM pictures are not supported"},
  };
  for (const Sentence& sentence : kSentences) {
    if (sentence.format == format) {
      return Status(StatusCode::kUnsupported, std::string(sentence.text));
    }
  }
  return Status(StatusCode::kUnsupported, "is not in a known picture format");
}

Result<Raster> DecodeFormat(std::string_view format, const DecodeRequest& request) {
  if (format == "jpeg") return DecodeJpeg(request);
  if (format == "png") return DecodePng(request);
  if (format == "webp") return DecodeWebp(request);
  if (format == "tiff") return DecodeTiff(request);
  if (format == "gif") return DecodeGif(request);
  if (format == "bmp") return DecodeBmp(request);
  if (format == "pnm") return DecodePnm(request);
  return NotAPicture(format);
}

/// The picture turned and flipped as its orientation asks.
Raster Upright(Raster stored) {
  const int orientation = stored.orientation;
  if (orientation == 1) return stored;
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Raster upright = MakeRaster(transposed ? stored.height : stored.width,
                              transposed ? stored.width : stored.height, stored.channels);
  upright.pages = stored.pages;
  upright.remark = std::move(stored.remark);
  upright.full_width = transposed ? stored.full_height : stored.full_width;
  upright.full_height = transposed ? stored.full_width : stored.full_height;
  std::uint8_t* out = upright.pixels.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x) {
      const int column = transposed ? y : x;
      const int row = transposed ? x : y;
      const std::uint8_t* in = stored.At(from_right ? stored.width - 1 - column : column,
                                         from_bottom ? stored.height - 1 - row : row);
      for (int c = 0; c < stored.channels; ++c) *out++ = in[c];
    }
  }
  return upright;
}

/// Says which of several pages a raster is.
void AddPageRemark(Raster& raster) {
  if (raster.pages <= 1) return;
  const std::string of =
      " of " + std::to_string(raster.pages) + (raster.animated ? " frames" : " pages");
  const std::string which = raster.page == 0 ? "first" + of
                                             : "number " + std::to_string(raster.page + 1) + of +
                                                   ", those before it are blank";
  raster.remark = raster.remark.empty() ? which : which + "; " + raster.remark;
}

Result<Raster> Decode(const DecodeRequest& request) {
  const std::span<const std::uint8_t> bytes = request.bytes;
  const DecodeLimits& limits = request.limits;
  if (static_cast<std::int64_t>(bytes.size()) > limits.max_file_bytes) {
    return Status(StatusCode::kLimitExceeded, "the file has " + std::to_string(bytes.size()) +
                                                  " bytes, more than the limit of " +
                                                  std::to_string(limits.max_file_bytes));
  }
  try {
    SIFTSEARCH_ASSIGN_OR_RETURN(Raster stored, DecodeFormat(Sniff(bytes), request));
    AddPageRemark(stored);
    return Upright(std::move(stored));
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

}  // namespace

Result<GreyImage> DecodeGrey(std::span<const std::uint8_t> bytes, const DecodeLimits& limits,
                             int min_side) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Raster raster,
      Decode({.bytes = bytes, .limits = limits, .channels = 1, .min_side = min_side}));
  return GreyImage{.width = raster.width,
                   .height = raster.height,
                   .pixels = std::move(raster.pixels),
                   .full_width = raster.full_width,
                   .full_height = raster.full_height,
                   .pages = raster.pages,
                   .remark = std::move(raster.remark)};
}

Result<RgbImage> DecodeRgb(std::span<const std::uint8_t> bytes, const DecodeLimits& limits,
                           int min_side) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Raster raster,
      Decode({.bytes = bytes, .limits = limits, .channels = 3, .min_side = min_side}));
  return RgbImage{.width = raster.width,
                  .height = raster.height,
                  .pixels = std::move(raster.pixels),
                  .full_width = raster.full_width,
                  .full_height = raster.full_height,
                  .pages = raster.pages,
                  .remark = std::move(raster.remark)};
}

}  // namespace siftsearch::image
