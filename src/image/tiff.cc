#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// The file in memory, and the first thing that libtiff said went wrong.
struct Source {
  std::span<const std::uint8_t> bytes;
  std::uint64_t at = 0;
  std::string error;
};

tmsize_t ReadBytes(thandle_t handle, void* out, tmsize_t size) {
  auto& source = *static_cast<Source*>(handle);
  if (source.at >= source.bytes.size() || size <= 0) return 0;
  const std::size_t count =
      std::min<std::size_t>(static_cast<std::size_t>(size), source.bytes.size() - source.at);
  std::memcpy(out, source.bytes.data() + source.at, count);
  source.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t WriteBytes(thandle_t, void*, tmsize_t) { return 0; }

toff_t Seek(thandle_t handle, toff_t offset, int whence) {
  auto& source = *static_cast<Source*>(handle);
  if (whence == SEEK_CUR) offset += source.at;
  if (whence == SEEK_END) offset += source.bytes.size();
  return source.at = offset;
}

toff_t Size(thandle_t handle) { return static_cast<Source*>(handle)->bytes.size(); }

int Close(thandle_t) { return 0; }

int OnError(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof(text), format, arguments);
  // The caller's buffer keeps the message, as no exception may cross libtiff's frames.
  auto& error = static_cast<Source*>(user)->error;
  if (error.empty()) error.assign(text, std::min(std::strlen(text), error.capacity()));
  return 1;
}

int OnWarning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

using Tiff = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Tiff Open(Source& source, const DecodeLimits& limits) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  if (options == nullptr) throw std::bad_alloc();
  // One strip or tile may hold the whole picture, at most 8 bytes a pixel.
  constexpr std::int64_t kMaxPixels = std::int64_t{1} << 40;
  TIFFOpenOptionsSetMaxSingleMemAlloc(
      options.get(),
      static_cast<tmsize_t>(std::min(limits.max_pixels, kMaxPixels) * 8 + (std::int64_t{1} << 20)));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), OnError, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), OnWarning, nullptr);
  // "m": no memory map.
  return Tiff(TIFFClientOpenExt("picture", "rm", &source, ReadBytes, WriteBytes, Seek, Close, Size,
                                nullptr, nullptr, options.get()),
              TIFFClose);
}

Status TiffError(const Source& source) {
  return Status(StatusCode::kCorrupt, "the picture is cut short or damaged: " + source.error);
}

template <typename Value>
Value Field(TIFF* tiff, std::uint32_t tag) {
  Value value{};
  TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

/// True when every strip or tile lies inside the file; some decoders fill in what is missing.
bool IsWhole(TIFF* tiff, std::size_t file_bytes) {
  const std::uint32_t count =
      TIFFIsTiled(tiff) != 0 ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t offset = TIFFGetStrileOffset(tiff, i);
    if (offset > file_bytes || TIFFGetStrileByteCount(tiff, i) > file_bytes - offset) return false;
  }
  return true;
}

/// True for the common kinds, read row by row: grey or RGB in strips, 8 or 16 bits, no alpha.
bool ReadsByRow(TIFF* tiff) {
  const auto bits = Field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE);
  const auto samples = Field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL);
  const auto photometric = Field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC);
  const bool grey = samples == 1 && (photometric == PHOTOMETRIC_MINISBLACK ||
                                     photometric == PHOTOMETRIC_MINISWHITE);
  const bool rgb = samples == 3 && photometric == PHOTOMETRIC_RGB;
  return (grey || rgb) && (bits == 8 || bits == 16) && TIFFIsTiled(tiff) == 0 &&
         Field<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_CONTIG &&
         Field<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT) == SAMPLEFORMAT_UINT;
}

Status ReadRows(TIFF* tiff, const Source& source, Raster& raster) {
  const bool wide = Field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE) == 16;
  const int samples = Field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL);
  const bool white_is_zero =
      Field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_MINISWHITE;
  const std::size_t row_samples = static_cast<std::size_t>(raster.width) * samples;
  const tmsize_t row_bytes = TIFFScanlineSize(tiff);
  if (row_bytes < static_cast<tmsize_t>(row_samples * (wide ? 2 : 1))) return TiffError(source);
  std::vector<std::uint16_t> words((static_cast<std::size_t>(row_bytes) + 1) / 2);
  auto* row = reinterpret_cast<std::uint8_t*>(words.data());
  for (int y = 0; y < raster.height; ++y) {
    if (TIFFReadScanline(tiff, words.data(), static_cast<std::uint32_t>(y)) != 1) {
      return TiffError(source);
    }
    for (std::size_t i = 0; wide && i < row_samples; ++i) {
      row[i] = static_cast<std::uint8_t>(words[i] >> 8);
    }
    for (int x = 0; x < raster.width; ++x) {
      const std::uint8_t* in = row + static_cast<std::size_t>(x) * samples;
      if (samples == 3) {
        StoreRgb(in, raster.channels, raster.At(x, y));
      } else {
        StoreGrey(white_is_zero ? 255 - in[0] : in[0], raster.channels, raster.At(x, y));
      }
    }
  }
  return Status();
}

/// Every other kind, by libtiff's own conversion, which needs 4 bytes a pixel.
Status ReadRgba(TIFF* tiff, const Source& source, Raster& raster) {
  char reason[1024] = "";
  TIFFRGBAImage image;
  if (TIFFRGBAImageOK(tiff, reason) == 0 || TIFFRGBAImageBegin(&image, tiff, 1, reason) == 0) {
    return Status(StatusCode::kUnsupported,
                  std::string("this kind of TIFF is not read: ") + reason);
  }
  const std::unique_ptr<TIFFRGBAImage, decltype(&TIFFRGBAImageEnd)> end(&image, TIFFRGBAImageEnd);
  // No turning there: the orientation is applied as for all formats.
  image.orientation = ORIENTATION_TOPLEFT;
  image.req_orientation = ORIENTATION_TOPLEFT;
  std::vector<std::uint32_t> pixels(static_cast<std::size_t>(raster.width) * raster.height);
  if (TIFFRGBAImageGet(&image, pixels.data(), static_cast<std::uint32_t>(raster.width),
                       static_cast<std::uint32_t>(raster.height)) == 0) {
    return TiffError(source);
  }
  std::size_t at = 0;
  for (int y = 0; y < raster.height; ++y) {
    for (int x = 0; x < raster.width; ++x) {
      // The colours come multiplied by alpha, so white needs only adding.
      const std::uint32_t abgr = pixels[at++];
      const int white = 255 - static_cast<int>(TIFFGetA(abgr));
      const std::uint8_t rgb[] = {
          static_cast<std::uint8_t>(std::min(255, static_cast<int>(TIFFGetR(abgr)) + white)),
          static_cast<std::uint8_t>(std::min(255, static_cast<int>(TIFFGetG(abgr)) + white)),
          static_cast<std::uint8_t>(std::min(255, static_cast<int>(TIFFGetB(abgr)) + white))};
      StoreRgb(rgb, raster.channels, raster.At(x, y));
    }
  }
  return Status();
}

}  // namespace

Result<Raster> DecodeTiff(const DecodeRequest& request) {
  Source source{.bytes = request.bytes, .error = {}};
  source.error.reserve(256);
  const Tiff tiff = Open(source, request.limits);
  if (tiff == nullptr) return TiffError(source);
  const auto width = Field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGEWIDTH);
  const auto height = Field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGELENGTH);
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request.limits));
  constexpr int kMaxSamples = 16;
  if (Field<std::uint16_t>(tiff.get(), TIFFTAG_SAMPLESPERPIXEL) > kMaxSamples) {
    return Status(StatusCode::kUnsupported, "TIFF pictures of many channels are not supported");
  }
  if (!IsWhole(tiff.get(), request.bytes.size())) return CutShort();

  Raster raster = MakeRaster(static_cast<int>(width), static_cast<int>(height), request.channels);
  const int orientation = Field<std::uint16_t>(tiff.get(), TIFFTAG_ORIENTATION);
  if (orientation >= 1 && orientation <= 8) raster.orientation = orientation;
  SIFTSEARCH_RETURN_IF_ERROR(ReadsByRow(tiff.get()) ? ReadRows(tiff.get(), source, raster)
                                                    : ReadRgba(tiff.get(), source, raster));
  return raster;
}

}  // namespace siftsearch::image
