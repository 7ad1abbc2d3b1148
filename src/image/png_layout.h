#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace siftsearch::image {

/// A frame of an APNG.
struct PngFrame {
  std::size_t control = 0;  ///< Offset of its fcTL chunk.
  std::uint32_t x = 0;      ///< Of the frame in the picture.
  std::uint32_t y = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

/// The chunks of a PNG as far as it matters beside its pixels. No memory grows with the file.
struct PngLayout {
  bool crushed = false;      ///< It begins with CgBI, as iPhone apps have it: other pixel data.
  bool has_end = false;      ///< It ends with a sound IEND.
  bool end_missing = false;  ///< It doesn't, and no pixels need be missing for that.
  std::size_t end = 0;       ///< Where IEND begins, or should.
  std::size_t pixels = 0;    ///< Where the first IDAT begins.
  bool hidden = false;       ///< The picture in IDAT is no frame of the animation.
  int frame_count = 1;
  std::vector<PngFrame> frames;  ///< The first 16 of an animation; empty where it is none.
};

/// Never fails: of what is no PNG nothing is found.
PngLayout ReadPngLayout(std::span<const std::uint8_t> bytes);

/// The bytes of a PNG that holds one frame, and a sound IEND, made of those of the file.
class PngSource {
 public:
  PngSource(std::span<const std::uint8_t> bytes, const PngLayout& layout, int frame);
  PngSource(const PngSource&) = delete;
  PngSource& operator=(const PngSource&) = delete;

  /// Left upper corner of the frame in the whole picture, and the size of that.
  PngFrame Place() const;

  /// Fills `out`; false where there are fewer bytes.
  bool Read(std::span<std::uint8_t> out);

 private:
  enum class Stage { kHead, kBetween, kChunk, kData, kChecksum, kEnd, kDone };

  std::span<const std::uint8_t> NextPart();
  std::span<const std::uint8_t> NextHead();
  std::span<const std::uint8_t> NextFrameChunk();

  const std::span<const std::uint8_t> bytes_;
  const PngLayout& layout_;
  const PngFrame* frame_ = nullptr;  ///< Null: the picture in IDAT.
  Stage stage_ = Stage::kHead;
  std::span<const std::uint8_t> part_;
  std::size_t at_ = 0;                  ///< Of the next chunk of the frame.
  std::span<const std::uint8_t> data_;  ///< Of the chunk under way.
  std::array<std::uint8_t, 33> own_{};  ///< Bytes that are not the file's.
  std::array<std::uint8_t, 4> checksum_{};
};

}  // namespace siftsearch::image
