#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "image_test_util.h"

namespace siftsearch::image {

/// Little-endian and big-endian numbers behind each other.
inline void PutLittle(Bytes& out, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
inline void PutBig(Bytes& out, std::uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
inline void Append(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}

/// A directory of a TIFF: entries of SHORTs (LONGs above 65,535), its one strip (or tile, or one
/// for each plane) of pixels, and sub-directories.
struct TiffDirectory {
  std::vector<std::pair<int, std::vector<std::uint32_t>>> entries;
  std::vector<Bytes> strips;
  bool tiled = false;
  std::vector<TiffDirectory> inner = {};
  std::string make = {};
};

/// Entries of a plain picture.
inline TiffDirectory TiffPicture(int width, int height, int samples, int bits, Bytes pixels) {
  const auto number = [](int n) {
    return std::vector<std::uint32_t>{static_cast<std::uint32_t>(n)};
  };
  return {.entries = {{256, number(width)},
                      {257, number(height)},
                      {258, std::vector<std::uint32_t>(static_cast<std::size_t>(samples),
                                                       static_cast<std::uint32_t>(bits))},
                      {259, number(1)},
                      {262, number(samples >= 3 ? 2 : 1)},
                      {277, number(samples)},
                      {278, number(height)}},
          .strips = {std::move(pixels)}};
}

/// Sets an entry, also one that is there already.
inline void SetEntry(TiffDirectory& directory, int tag, std::vector<std::uint32_t> values) {
  std::erase_if(directory.entries, [&](const auto& entry) { return entry.first == tag; });
  directory.entries.emplace_back(tag, std::move(values));
}

/// Writes a directory and what it points to; returns where it begins. `next` follows it.
inline std::uint32_t PutTiffDirectory(TiffDirectory directory, std::uint32_t next, Bytes& out) {
  std::vector<std::uint32_t> offsets, sizes, inner;
  for (const Bytes& strip : directory.strips) {
    offsets.push_back(static_cast<std::uint32_t>(out.size()));
    sizes.push_back(static_cast<std::uint32_t>(strip.size()));
    Append(out, strip);
    if (out.size() % 2 != 0) out.push_back(0);
  }
  if (!offsets.empty()) {
    SetEntry(directory, directory.tiled ? 324 : 273, offsets);
    SetEntry(directory, directory.tiled ? 325 : 279, sizes);
  }
  for (const TiffDirectory& sub : directory.inner) inner.push_back(PutTiffDirectory(sub, 0, out));
  if (!inner.empty()) SetEntry(directory, 330, inner);
  if (!directory.make.empty()) {
    directory.make.resize(std::max<std::size_t>(directory.make.size() + 1, 5));
    SetEntry(directory, 271, {directory.make.begin(), directory.make.end()});
  }
  std::sort(directory.entries.begin(), directory.entries.end());
  Bytes table, behind;
  const auto begin = static_cast<std::uint32_t>(out.size());
  const std::size_t table_bytes = 2 + 12 * directory.entries.size() + 4;
  PutLittle(table, directory.entries.size(), 2);
  for (const auto& [tag, values] : directory.entries) {
    const bool text = tag == 271;
    const bool wide =
        std::any_of(values.begin(), values.end(), [](auto v) { return v > 65'535; }) ||
        tag == 273 || tag == 279 || tag == 324 || tag == 325 || tag == 330;
    const int size = text ? 1 : wide ? 4 : 2;
    PutLittle(table, static_cast<std::uint64_t>(tag), 2);
    PutLittle(table, text ? 2 : wide ? 4 : 3, 2);
    PutLittle(table, values.size(), 4);
    Bytes data;
    for (const std::uint32_t value : values) PutLittle(data, value, size);
    if (data.size() > 4) {
      PutLittle(table, begin + table_bytes + behind.size(), 4);
      Append(behind, data);
      if (behind.size() % 2 != 0) behind.push_back(0);
    } else {
      data.resize(4);
      Append(table, data);
    }
  }
  PutLittle(table, next, 4);
  Append(out, table);
  Append(out, behind);
  return begin;
}

/// A little-endian TIFF of such pages.
inline Bytes Tiff(const std::vector<TiffDirectory>& pages) {
  Bytes out = {'I', 'I', 42, 0, 0, 0, 0, 0};
  std::uint32_t next = 0;
  for (std::size_t i = pages.size(); i-- > 0;) next = PutTiffDirectory(pages[i], next, out);
  for (int i = 0; i < 4; ++i) out[4 + i] = static_cast<std::uint8_t>(next >> (8 * i));
  return out;
}

/// A chunk of a PNG with its checksum (ISO 3309).
inline void PutPngChunk(const std::string& kind, const Bytes& data, Bytes& out) {
  PutBig(out, data.size(), 4);
  const std::size_t begin = out.size();
  out.insert(out.end(), kind.begin(), kind.end());
  Append(out, data);
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = begin; i < out.size(); ++i) {
    crc ^= out[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
  }
  PutBig(out, ~crc, 4);
}

/// The data of all chunks of one kind in a PNG.
inline Bytes PngData(const Bytes& png, const std::string& kind) {
  Bytes data;
  for (std::size_t at = 8; at + 12 <= png.size();) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | png[at + i];
    const auto begin = png.begin() + static_cast<std::ptrdiff_t>(at) + 8;
    if (std::equal(kind.begin(), kind.end(), begin - 4)) {
      data.insert(data.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
    }
    at += size + 12;
  }
  return data;
}

inline const Bytes kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

/// An 8-bit RGBA PNG of stored (not compressed) data.
inline Bytes RgbaPng(int width, int height, const Bytes& rgba) {
  Bytes rows;
  for (int y = 0; y < height; ++y) {
    rows.push_back(0);
    const auto row = rgba.begin() + std::ptrdiff_t{4} * width * y;
    rows.insert(rows.end(), row, row + std::ptrdiff_t{4} * width);
  }
  Bytes zlib = {0x78, 0x01};
  std::uint32_t a = 1, b = 0;
  for (std::size_t at = 0; at < rows.size(); at += 65'535) {
    const std::size_t size = std::min<std::size_t>(65'535, rows.size() - at);
    zlib.push_back(at + size == rows.size() ? 1 : 0);
    PutLittle(zlib, size, 2);
    PutLittle(zlib, ~size, 2);
    for (std::size_t i = at; i < at + size; ++i) {
      zlib.push_back(rows[i]);
      a = (a + rows[i]) % 65'521;
      b = (b + a) % 65'521;
    }
  }
  PutBig(zlib, b << 16 | a, 4);
  Bytes png = kPngSignature, header;
  PutBig(header, static_cast<std::uint64_t>(width), 4);
  PutBig(header, static_cast<std::uint64_t>(height), 4);
  Append(header, {8, 6, 0, 0, 0});
  PutPngChunk("IHDR", header, png);
  PutPngChunk("IDAT", zlib, png);
  PutPngChunk("IEND", {}, png);
  return png;
}

/// A frame of an animation.
struct ApngFrame {
  Bytes png;  ///< Whose pixels it has.
  int x = 0;
  int y = 0;
  int width = 20;
  int height = 10;
};

/// An APNG; with `hidden` the first picture is no frame of the animation.
inline Bytes Apng(const std::vector<ApngFrame>& frames, bool hidden) {
  Bytes out = kPngSignature, count;
  PutPngChunk("IHDR", PngData(frames[0].png, "IHDR"), out);
  PutBig(count, frames.size() - (hidden ? 1 : 0), 4);
  PutBig(count, 0, 4);
  PutPngChunk("acTL", count, out);
  std::uint32_t sequence = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const ApngFrame& frame = frames[i];
    if (i > 0 || !hidden) {
      Bytes control;
      PutBig(control, sequence++, 4);
      for (const int n : {frame.width, frame.height, frame.x, frame.y}) {
        PutBig(control, static_cast<std::uint64_t>(n), 4);
      }
      Append(control, {0, 1, 0, 10, 0, 0});
      PutPngChunk("fcTL", control, out);
    }
    const Bytes data = PngData(frame.png, "IDAT");
    // In two chunks.
    const auto middle = data.begin() + static_cast<std::ptrdiff_t>(data.size() / 2);
    for (const Bytes& part : {Bytes(data.begin(), middle), Bytes(middle, data.end())}) {
      Bytes chunk;
      if (i > 0) PutBig(chunk, sequence++, 4);
      Append(chunk, part);
      PutPngChunk(i > 0 ? "fdAT" : "IDAT", chunk, out);
    }
  }
  PutPngChunk("IEND", {}, out);
  return out;
}

/// A GIF of frames of colour numbers 0 to 127 (greys of twice that), each as large as the picture.
inline Bytes Gif(int width, int height, const std::vector<Bytes>& frames, int transparent = -1) {
  Bytes out = {'G', 'I', 'F', '8', '9', 'a'};
  PutLittle(out, static_cast<std::uint64_t>(width), 2);
  PutLittle(out, static_cast<std::uint64_t>(height), 2);
  Append(out, {0xF6, 0, 0});  // A table of 128 colours.
  for (int i = 0; i < 128; ++i) Append(out, Bytes(3, static_cast<std::uint8_t>(2 * i)));
  for (const Bytes& frame : frames) {
    const bool holes = transparent >= 0;
    Append(out, {0x21, 0xF9, 4, static_cast<std::uint8_t>(holes ? 1 : 0), 5, 0,
                 static_cast<std::uint8_t>(holes ? transparent : 0), 0});
    Append(out, {0x2C, 0, 0, 0, 0});
    PutLittle(out, static_cast<std::uint64_t>(width), 2);
    PutLittle(out, static_cast<std::uint64_t>(height), 2);
    Append(out, {0, 7});
    // Codes of 8 bits: a clear code before each hundred pixels keeps them that long.
    Bytes codes;
    for (std::size_t i = 0; i < frame.size(); ++i) {
      if (i % 100 == 0) codes.push_back(128);
      codes.push_back(frame[i]);
    }
    codes.push_back(129);
    for (std::size_t at = 0; at < codes.size(); at += 255) {
      const std::size_t size = std::min<std::size_t>(255, codes.size() - at);
      out.push_back(static_cast<std::uint8_t>(size));
      const auto begin = codes.begin() + static_cast<std::ptrdiff_t>(at);
      out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
    }
    out.push_back(0);
  }
  out.push_back(0x3B);
  return out;
}

/// A BMP of `bits` a pixel with a header of `header_bytes`.
inline Bytes Bmp(int header_bytes, int width, int height, int bits, int compression,
                 const Bytes& behind, const Bytes& colours, const Bytes& pixels) {
  Bytes out = {'B', 'M'};
  const std::size_t offset = 14 + static_cast<std::size_t>(header_bytes) + colours.size() +
                             (header_bytes == 40 ? behind.size() : 0);
  PutLittle(out, offset + pixels.size(), 4);
  PutLittle(out, 0, 4);
  PutLittle(out, offset, 4);
  PutLittle(out, static_cast<std::uint64_t>(header_bytes), 4);
  PutLittle(out, static_cast<std::uint64_t>(width), 4);
  PutLittle(out, static_cast<std::uint64_t>(height), 4);
  PutLittle(out, 1, 2);
  PutLittle(out, static_cast<std::uint64_t>(bits), 2);
  PutLittle(out, static_cast<std::uint64_t>(compression), 4);
  Append(out, Bytes(20, 0));
  Append(out, behind);
  if (header_bytes > 40) out.resize(14 + static_cast<std::size_t>(header_bytes));
  Append(out, colours);
  Append(out, pixels);
  return out;
}

/// Greys 16 i as colour i.
inline Bytes GreyTable(int count) {
  Bytes table;
  for (int i = 0; i < count; ++i) {
    const auto grey = static_cast<std::uint8_t>(16 * i);
    Append(table, {grey, grey, grey, 0});
  }
  return table;
}

}  // namespace siftsearch::image
