#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

constexpr std::size_t kFileHeaderBytes = 14;
/// Sizes of the header behind the file's: OS/2's first, Windows' own, OS/2's second.
constexpr std::uint32_t kOs2Bytes = 12;
constexpr std::uint32_t kWindowsBytes = 40;
constexpr std::uint32_t kAlphaInsideBytes = 56;
constexpr std::uint32_t kOs2LongBytes = 64;

enum Compression : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kAlphaMasks = 6 };

std::uint32_t Little(std::span<const std::uint8_t> bytes, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = 0; i < size; ++i) value |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

struct Header {
  std::uint32_t bytes = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool from_top = false;  ///< The first row stored is the uppermost.
  std::int64_t bits = 0;  ///< A pixel.
  std::uint32_t compression = kPlain;
  std::int64_t data_offset = 0;
  std::array<std::uint32_t, 4> masks{};  ///< Of red, green, blue and alpha in a pixel.
  std::size_t colours_offset = 0;        ///< Of the colour table.

  std::int64_t RowBytes() const { return (width * bits + 31) / 32 * 4; }
};

/// Where a channel's bits lie; of 16 and 32 bits without masks in the usual places.
Status ReadMasks(std::span<const std::uint8_t> bytes, Header& header) {
  const bool given = header.compression == kMasks || header.compression == kAlphaMasks;
  if (!given) {
    if (header.bits == 16) header.masks = {0x7C00, 0x03E0, 0x001F, 0};
    if (header.bits == 32) header.masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
    return Status();
  }
  const bool alpha = header.compression == kAlphaMasks || header.bytes >= kAlphaInsideBytes;
  const std::size_t count = alpha ? 4 : 3;
  const std::size_t at = kFileHeaderBytes + kWindowsBytes;
  if (bytes.size() < at + 4 * count) return CutShort();
  for (std::size_t i = 0; i < count; ++i) header.masks[i] = Little(bytes, at + 4 * i, 4);
  if (header.bytes == kWindowsBytes) header.colours_offset += 4 * count;
  return Status();
}

/// What is compressed in another way than by runs of bytes.
Status CheckKind(const Header& header) {
  const std::uint32_t compression = header.compression;
  const std::int64_t bits = header.bits;
  const bool os2 = header.bytes == kOs2LongBytes;
  const bool known_compression = compression <= kRle4 || (compression == kMasks && !os2) ||
                                 (compression == kAlphaMasks && !os2);
  if (!known_compression) {
    const bool inside = !os2 && (compression == 4 || compression == 5);
    return Status(StatusCode::kUnsupported,
                  inside ? "BMP pictures with a JPEG or PNG inside are not supported"
                         : "BMP pictures of compression " + std::to_string(compression) +
                               " are not supported");
  }
  const bool indexed = bits == 1 || bits == 4 || bits == 8;
  if (!indexed && bits != 16 && bits != 24 && bits != 32) {
    return Status(StatusCode::kUnsupported,
                  "BMP pictures of " + std::to_string(bits) + " bits a pixel are not supported");
  }
  const bool fits = (compression != kRle8 || bits == 8) && (compression != kRle4 || bits == 4) &&
                    (compression < kMasks || bits == 16 || bits == 32);
  return fits ? Status() : Damaged("its compression does not fit its bits a pixel");
}

Result<Header> ReadHeader(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kFileHeaderBytes + kOs2Bytes) return CutShort();
  Header header;
  header.data_offset = Little(bytes, 10, 4);
  header.bytes = Little(bytes, 14, 4);
  header.colours_offset = kFileHeaderBytes + header.bytes;
  if (bytes.size() < header.colours_offset) return CutShort();
  if (header.bytes == kOs2Bytes) {
    header.width = Little(bytes, 18, 2);
    header.height = Little(bytes, 20, 2);
    header.bits = Little(bytes, 24, 2);
  } else {
    header.width = static_cast<std::int32_t>(Little(bytes, 18, 4));
    header.height = static_cast<std::int32_t>(Little(bytes, 22, 4));
    header.from_top = header.height < 0;
    if (header.from_top) header.height = -header.height;
    header.bits = Little(bytes, 28, 2);
    header.compression = Little(bytes, 30, 4);
  }
  SIFTSEARCH_RETURN_IF_ERROR(CheckKind(header));
  SIFTSEARCH_RETURN_IF_ERROR(ReadMasks(bytes, header));
  if (header.data_offset < static_cast<std::int64_t>(header.colours_offset)) {
    return Damaged("its pixels begin inside its header");
  }
  if (header.data_offset > static_cast<std::int64_t>(bytes.size())) return CutShort();
  return header;
}

/// The top `n` bits of a channel as 8, its bits repeated where there are fewer.
std::uint8_t Channel(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int n = std::popcount(mask);
  const std::uint32_t value = (pixel & mask) >> std::countr_zero(mask);
  if (n >= 8) return static_cast<std::uint8_t>(value >> (n - 8));
  std::uint32_t repeated = value << (8 - n);
  for (int shift = n; shift < 8; shift += n) repeated |= (value << (8 - n)) >> shift;
  return static_cast<std::uint8_t>(repeated);
}

class BmpReader {
 public:
  BmpReader(const DecodeRequest& request, const Header& header)
      : request_(request), header_(header) {}

  Result<Raster> Read() {
    raster_ = MakeRaster(static_cast<int>(header_.width), static_cast<int>(header_.height),
                         request_.channels);
    ReadColours();
    const bool runs = header_.compression == kRle8 || header_.compression == kRle4;
    SIFTSEARCH_RETURN_IF_ERROR(runs ? ReadRuns() : ReadRows());
    return std::move(raster_);
  }

 private:
  std::span<const std::uint8_t> Data() const {
    return request_.bytes.subspan(static_cast<std::size_t>(header_.data_offset));
  }

  /// The colour table reaches to the pixels, whatever number of colours the header gives.
  void ReadColours() {
    const std::size_t entry = header_.bytes == kOs2Bytes ? 3 : 4;
    const std::size_t room = static_cast<std::size_t>(header_.data_offset) - header_.colours_offset;
    const std::size_t count = std::min<std::size_t>(room / entry, colours_.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = header_.colours_offset + i * entry;
      for (std::size_t c = 0; c < 3; ++c) colours_[i][c] = request_.bytes[at + 2 - c];
    }
  }

  std::uint8_t* Place(std::int64_t x, std::int64_t row) {
    const std::int64_t y = header_.from_top ? row : header_.height - 1 - row;
    return raster_.At(static_cast<int>(x), static_cast<int>(y));
  }

  void StoreColour(std::size_t index, std::int64_t x, std::int64_t row) {
    StoreRgb(colours_[index].data(), raster_.channels, Place(x, row));
  }

  Status ReadRows() {
    const std::int64_t row_bytes = header_.RowBytes();
    if (row_bytes > static_cast<std::int64_t>(Data().size()) / header_.height) return CutShort();
    const bool alpha = HasAlpha();
    raster_.transparent = alpha;
    for (std::int64_t row = 0; row < header_.height; ++row) {
      const std::uint8_t* in = Data().data() + row * row_bytes;
      for (std::int64_t x = 0; x < header_.width; ++x) {
        if (header_.bits <= 8) {
          const std::int64_t bit = x * header_.bits;
          const int shift = static_cast<int>(8 - header_.bits - bit % 8);
          StoreColour(in[bit / 8] >> shift & ((1 << header_.bits) - 1), x, row);
        } else if (header_.bits == 24) {
          const std::uint8_t rgb[] = {in[3 * x + 2], in[3 * x + 1], in[3 * x]};
          StoreRgb(rgb, raster_.channels, Place(x, row));
        } else {
          StoreMasked(Pixel(in, x), alpha, x, row);
        }
      }
    }
    return Status();
  }

  std::uint32_t Pixel(const std::uint8_t* row, std::int64_t x) const {
    const auto size = static_cast<std::size_t>(header_.bits / 8);
    return Little({row + static_cast<std::size_t>(x) * size, size}, 0, static_cast<int>(size));
  }

  /// An alpha that is 0 everywhere is none: many writers leave those bits empty.
  bool HasAlpha() const {
    if (header_.masks[3] == 0 || header_.bits <= 8 || header_.bits == 24) return false;
    for (std::int64_t row = 0; row < header_.height; ++row) {
      const std::uint8_t* in = Data().data() + row * header_.RowBytes();
      for (std::int64_t x = 0; x < header_.width; ++x) {
        if ((Pixel(in, x) & header_.masks[3]) != 0) return true;
      }
    }
    return false;
  }

  void StoreMasked(std::uint32_t pixel, bool alpha, std::int64_t x, std::int64_t row) {
    std::uint8_t rgba[4];
    for (std::size_t c = 0; c < 4; ++c) rgba[c] = Channel(pixel, header_.masks[c]);
    if (!alpha) rgba[3] = 255;
    StoreRgba(rgba, request_.ground, raster_.channels, Place(x, row));
  }

  /// Runs of pixels. What they pass over has the first colour; what leads out of a row is dropped.
  Status ReadRuns() {
    for (std::int64_t row = 0; row < header_.height; ++row) {
      for (std::int64_t x = 0; x < header_.width; ++x) StoreColour(0, x, row);
    }
    RunState at;
    while (at.row < header_.height && !at.ended) {
      // The last row may end the file without saying so.
      if (Data().size() - at.byte < 2) {
        const bool all = at.row + 1 == header_.height && at.x >= header_.width;
        return all ? Status() : CutShort();
      }
      SIFTSEARCH_RETURN_IF_ERROR(ReadRun(at));
    }
    return Status();
  }

  /// Where the runs have come to.
  struct RunState {
    std::int64_t x = 0;
    std::int64_t row = 0;
    std::size_t byte = 0;
    bool ended = false;
  };

  Status ReadRun(RunState& at) {
    constexpr std::uint8_t kEndOfRow = 0, kEndOfPicture = 1, kMove = 2;
    const std::uint8_t count = Data()[at.byte], value = Data()[at.byte + 1];
    at.byte += 2;
    if (count > 0) {
      for (int i = 0; i < count; ++i) StoreRun(value, i, at.x++, at.row);
    } else if (value == kEndOfRow) {
      at.x = 0;
      ++at.row;
    } else if (value == kEndOfPicture) {
      at.ended = true;
    } else if (value == kMove) {
      if (Data().size() - at.byte < 2) return CutShort();
      at.x += Data()[at.byte];
      at.row += Data()[at.byte + 1];
      at.byte += 2;
    } else {
      return ReadLiteral(value, at);
    }
    return Status();
  }

  /// `count` pixels as they are, filled up to an even number of bytes.
  Status ReadLiteral(int count, RunState& at) {
    const std::size_t size = (static_cast<std::size_t>(count) * header_.bits + 15) / 16 * 2;
    if (Data().size() - at.byte < size) return CutShort();
    const int pixels_a_byte = static_cast<int>(8 / header_.bits);
    for (int i = 0; i < count; ++i)
      StoreRun(Data()[at.byte + static_cast<std::size_t>(i / pixels_a_byte)], i, at.x++, at.row);
    at.byte += size;
    return Status();
  }

  /// Pixel `i` of a run: of 4 bits the upper and the lower half of the byte take turns.
  void StoreRun(std::uint8_t byte, int i, std::int64_t x, std::int64_t row) {
    if (x >= header_.width) return;
    const std::size_t index = header_.bits == 8 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15;
    StoreColour(index, x, row);
  }

  const DecodeRequest& request_;
  const Header& header_;
  std::array<std::array<std::uint8_t, 3>, 256> colours_{};
  Raster raster_;
};

}  // namespace

Result<Raster> DecodeBmp(const DecodeRequest& request) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Header header, ReadHeader(request.bytes));
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(header.width, header.height, request.limits));
  return DecodePages(
      request, 1, [&](const DecodeRequest& asked, int) { return BmpReader(asked, header).Read(); });
}

}  // namespace siftsearch::image
