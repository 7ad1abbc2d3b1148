#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "base/status_macros.h"
#include "image/raster.h"
#include "image/tiff_layout.h"

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

/// libtiff's words tell what it does not read from what is damaged.
Status TiffError(const Source& source) {
  for (const char* words : {"nsupported", "not supported", "not configured", "not implemented",
                            "an not handle", "annot handle"}) {
    if (source.error.find(words) == std::string::npos) continue;
    return Status(StatusCode::kUnsupported, "this kind of TIFF is not read: " + source.error);
  }
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

/// Bands that a pixel's colours take; 0 for kinds that SampleReader does not read.
int ColourBands(TIFF* tiff) {
  switch (Field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC)) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
      return 1;
    case PHOTOMETRIC_RGB:
      return 3;
    default:
      return 0;
  }
}

/// True where a band beyond the colours is alpha. Where nothing says what it is, a single one
/// beside RGB is taken for alpha, as libtiff does: old writers left that out.
bool HasAlpha(TIFF* tiff, int extras, bool names_extras) {
  if (extras > 0 && !names_extras) return extras == 1 && ColourBands(tiff) == 3;
  std::uint16_t count = 0;
  const std::uint16_t* kinds = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) != 1) return false;
  return std::any_of(kinds, kinds + count,
                     [](std::uint16_t kind) { return kind != EXTRASAMPLE_UNSPECIFIED; });
}

/// True for grey and RGB of 8 or 16 bits without alpha.
bool IsPlain(TIFF* tiff, bool names_extras) {
  const auto bits = Field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE);
  const int extras = Field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL) - ColourBands(tiff);
  return ColourBands(tiff) > 0 && extras >= 0 && !HasAlpha(tiff, extras, names_extras) &&
         (bits == 8 || bits == 16) &&
         Field<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT) == SAMPLEFORMAT_UINT;
}

/// Reads the colours of plain pictures, in strips or tiles, by pixel or by plane; other bands are
/// passed over.
class SampleReader {
 public:
  SampleReader(TIFF* tiff, const Source& source, const DecodeRequest& request, Raster& raster)
      : tiff_(tiff), source_(source), request_(request), raster_(raster) {
    colours_ = ColourBands(tiff);
    wide_ = Field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE) == 16;
    white_is_zero_ = Field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_MINISWHITE;
    by_plane_ = Field<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
    stride_ = by_plane_ ? 1 : Field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL);
  }

  Status Read() {
    // Planes come together in colour before they become grey.
    const bool gathered = by_plane_ && colours_ == 3 && raster_.channels == 1;
    if (gathered) planes_ = MakeRaster(raster_.width, raster_.height, 3);
    for (int plane = 0; plane < (by_plane_ ? colours_ : 1); ++plane) {
      SIFTSEARCH_RETURN_IF_ERROR(TIFFIsTiled(tiff_) != 0 ? ReadTiles(plane) : ReadRows(plane));
    }
    for (std::size_t i = 0; gathered && i < raster_.pixels.size(); ++i) {
      StoreRgb(&planes_.pixels[3 * i], 1, &raster_.pixels[i]);
    }
    if (wide_ && most_ > least_) raster_.used_bits = UsedBits(std::max<int>(most_, LargestGiven()));
    return Status();
  }

 private:
  std::size_t PixelBytes() const { return static_cast<std::size_t>(stride_) * (wide_ ? 2 : 1); }

  Status ReadRows(int plane) {
    const auto row_bytes = static_cast<std::size_t>(TIFFScanlineSize(tiff_));
    if (row_bytes < static_cast<std::size_t>(raster_.width) * PixelBytes()) {
      return TiffError(source_);
    }
    std::vector<std::uint16_t> row((row_bytes + 1) / 2);
    for (int y = 0; y < raster_.height; ++y) {
      if (TIFFReadScanline(tiff_, row.data(), static_cast<std::uint32_t>(y),
                           static_cast<std::uint16_t>(plane)) != 1) {
        return TiffError(source_);
      }
      Store(row.data(), raster_.width, plane, 0, y);
    }
    return Status();
  }

  Status ReadTiles(int plane) {
    const auto width = static_cast<std::int64_t>(Field<std::uint32_t>(tiff_, TIFFTAG_TILEWIDTH));
    const auto height = static_cast<std::int64_t>(Field<std::uint32_t>(tiff_, TIFFTAG_TILELENGTH));
    SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request_.limits));
    const auto tile_bytes = static_cast<std::size_t>(TIFFTileSize(tiff_));
    const std::size_t row_bytes = static_cast<std::size_t>(width) * PixelBytes();
    if (tile_bytes < row_bytes * static_cast<std::size_t>(height)) return TiffError(source_);
    std::vector<std::uint16_t> tile((tile_bytes + 1) / 2);
    for (int top = 0; top < raster_.height; top += static_cast<int>(height)) {
      for (int left = 0; left < raster_.width; left += static_cast<int>(width)) {
        if (TIFFReadTile(tiff_, tile.data(), static_cast<std::uint32_t>(left),
                         static_cast<std::uint32_t>(top), 0,
                         static_cast<std::uint16_t>(plane)) < 0) {
          return TiffError(source_);
        }
        const int rows = std::min(static_cast<int>(height), raster_.height - top);
        const int count = std::min(static_cast<int>(width), raster_.width - left);
        for (int y = 0; y < rows; ++y) {
          const auto* bytes = reinterpret_cast<const std::uint8_t*>(tile.data());
          Store(bytes + static_cast<std::size_t>(y) * row_bytes, count, plane, left, top + y);
        }
      }
    }
    return Status();
  }

  /// The first `count` pixels of a row of samples go to (left, y).
  void Store(const void* row, int count, int plane, int left, int y) {
    for (int x = 0; x < count; ++x) {
      const std::size_t first = static_cast<std::size_t>(x) * static_cast<std::size_t>(stride_);
      std::uint8_t* out = raster_.At(left + x, y);
      if (colours_ == 1) {
        StoreGrey(Narrow(row, first), raster_.channels, out);
      } else if (by_plane_) {
        (planes_.pixels.empty() ? raster_ : planes_).At(left + x, y)[plane] = Narrow(row, first);
      } else {
        const std::uint8_t rgb[] = {Narrow(row, first), Narrow(row, first + 1),
                                    Narrow(row, first + 2)};
        StoreRgb(rgb, raster_.channels, out);
      }
    }
  }

  /// A sample in 8 bits.
  std::uint8_t Narrow(const void* row, std::size_t index) {
    std::uint8_t value = 0;
    if (wide_) {
      const std::uint16_t sample = static_cast<const std::uint16_t*>(row)[index];
      least_ = std::min(least_, sample);
      most_ = std::max(most_, sample);
      value = static_cast<std::uint8_t>(sample >> (request_.used_bits - 8));
    } else {
      value = static_cast<const std::uint8_t*>(row)[index];
    }
    return white_is_zero_ ? static_cast<std::uint8_t>(255 - value) : value;
  }

  /// The largest sample that the file says it may have; 0 where it says nothing.
  int LargestGiven() const {
    std::uint16_t largest = 0;
    double exact = 0;
    if (TIFFGetField(tiff_, TIFFTAG_MAXSAMPLEVALUE, &largest) == 1) return largest;
    if (TIFFGetField(tiff_, TIFFTAG_SMAXSAMPLEVALUE, &exact) != 1) return 0;
    return exact > 0 && exact < 65'535 ? static_cast<int>(exact) : 0;
  }

  TIFF* const tiff_;
  const Source& source_;
  const DecodeRequest& request_;
  Raster& raster_;
  Raster planes_;
  int colours_ = 0;
  int stride_ = 1;  ///< Samples from a pixel's to the next one's.
  bool wide_ = false;
  bool white_is_zero_ = false;
  bool by_plane_ = false;
  std::uint16_t least_ = 65535;
  std::uint16_t most_ = 0;
};

/// Every other kind, by libtiff's own conversion, which needs 4 bytes a pixel.
Status ReadRgba(TIFF* tiff, const Source& source, std::uint8_t ground, Raster& raster) {
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
      // The colours come multiplied by alpha, so the ground needs only adding.
      const std::uint32_t abgr = pixels[at++];
      const int uncovered = 255 - static_cast<int>(TIFFGetA(abgr));
      const int under = ground * uncovered / 255;
      raster.transparent = raster.transparent || uncovered > 0;
      const std::uint8_t rgb[] = {
          static_cast<std::uint8_t>(std::min(255, static_cast<int>(TIFFGetR(abgr)) + under)),
          static_cast<std::uint8_t>(std::min(255, static_cast<int>(TIFFGetG(abgr)) + under)),
          static_cast<std::uint8_t>(std::min(255, static_cast<int>(TIFFGetB(abgr)) + under))};
      StoreRgb(rgb, raster.channels, raster.At(x, y));
    }
  }
  return Status();
}

/// kUnsupported, with its name, for a compression that libtiff was built without or does not know.
Status CheckCompression(TIFF* tiff) {
  struct Name {
    std::uint16_t compression;
    const char* name;
  };
  static constexpr Name kNames[] = {
      {33003, "JPEG 2000"}, {33005, "JPEG 2000"},  {34712, "JPEG 2000"}, {34933, "PNG"},
      {34934, "JPEG XR"},   {22610, "JPEG XR"},    {50002, "JPEG XL"},   {52546, "JPEG XL"},
      {50000, "Zstandard"}, {34926, "Zstandard"},  {50001, "WebP"},      {34927, "WebP"},
      {34887, "LERC"},      {34892, "lossy JPEG"}, {34661, "JBIG"},      {34715, "JBIG2"},
      {34677, "SGILog24"},  {34676, "SGILog"},     {6, "old-style JPEG"}};
  const auto compression = Field<std::uint16_t>(tiff, TIFFTAG_COMPRESSION);
  if (TIFFIsCODECConfigured(compression) != 0) return Status();
  const auto* known = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const Name& n) { return n.compression == compression; });
  const std::string name = known != std::end(kNames) ? std::string(known->name)
                                                     : "compression " + std::to_string(compression);
  return Status(StatusCode::kUnsupported,
                "TIFF pictures with " + name + " inside are not supported");
}

Result<Raster> DecodePage(const DecodeRequest& request, const TiffPage* page) {
  Source source{.bytes = request.bytes, .error = {}};
  source.error.reserve(256);
  const Tiff tiff = Open(source, request.limits);
  if (tiff == nullptr) return TiffError(source);
  if (page != nullptr && TIFFCurrentDirOffset(tiff.get()) != page->offset &&
      TIFFSetSubDirectory(tiff.get(), page->offset) != 1) {
    return TiffError(source);
  }
  const auto width = Field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGEWIDTH);
  const auto height = Field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGELENGTH);
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request.limits));
  constexpr int kMaxSamples = 16;
  if (Field<std::uint16_t>(tiff.get(), TIFFTAG_SAMPLESPERPIXEL) > kMaxSamples) {
    return Status(StatusCode::kUnsupported, "TIFF pictures of many channels are not supported");
  }
  SIFTSEARCH_RETURN_IF_ERROR(CheckCompression(tiff.get()));
  if (!IsWhole(tiff.get(), request.bytes.size())) return CutShort();

  Raster raster = MakeRaster(static_cast<int>(width), static_cast<int>(height), request.channels);
  const int orientation = Field<std::uint16_t>(tiff.get(), TIFFTAG_ORIENTATION);
  if (orientation >= 1 && orientation <= 8) raster.orientation = orientation;
  SIFTSEARCH_RETURN_IF_ERROR(IsPlain(tiff.get(), page != nullptr && page->names_extras)
                                 ? SampleReader(tiff.get(), source, request, raster).Read()
                                 : ReadRgba(tiff.get(), source, request.ground, raster));
  return raster;
}

}  // namespace

Result<Raster> DecodeTiff(const DecodeRequest& request) {
  const TiffLayout layout = ReadTiffLayout(request.bytes);
  if (!layout.raw.empty()) {
    return Status(StatusCode::kUnsupported, "is a raw camera picture (" + layout.raw +
                                                "), of which only a preview could be read");
  }
  if (layout.in_sub_directory) {
    return Status(StatusCode::kUnsupported,
                  "is a TIFF with its picture in a sub-directory, of which only a preview could be "
                  "read");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Raster raster,
      DecodePages(request, layout.page_count, [&](const DecodeRequest& asked, int n) {
        const bool known = static_cast<std::size_t>(n) < layout.pages.size();
        return DecodePage(asked, known ? &layout.pages[static_cast<std::size_t>(n)] : nullptr);
      }));
  if (layout.only_reduced) {
    raster.remark = "by its own words a reduced version of a picture that it does not hold";
  }
  return raster;
}

}  // namespace siftsearch::image
