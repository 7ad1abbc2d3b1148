#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "siftsearch/types.h"

/// Layout of a segment file, described byte by byte in schema/segment.md.
namespace siftsearch::segment {

inline constexpr std::array<std::uint8_t, 8> kHeaderMagic = {'S', 'I', 'F', 'T',
                                                             'S', 'E', 'G', '\n'};
inline constexpr std::array<std::uint8_t, 8> kFooterMagic = {'S', 'I', 'F', 'T',
                                                             'E', 'N', 'D', '\n'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kFooterBytes = 128;
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kChunkBytes = 1 << 20;
inline constexpr std::size_t kKeypointBytes = 8;
inline constexpr std::size_t kContentEntryBytes = 32;

using HeaderBytes = std::array<std::uint8_t, kHeaderBytes>;
using FooterBytes = std::array<std::uint8_t, kFooterBytes>;

/// The fields of the footer that are known only at the end of writing.
struct Footer {
  std::uint64_t contents = 0;
  std::uint64_t rows = 0;
  std::uint64_t keypoints_offset = 0;
  std::uint64_t contents_offset = 0;
  std::uint64_t checksums_offset = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t contents_checksum = 0;
  std::uint64_t checksums_checksum = 0;
  std::uint64_t header_checksum = 0;
};

HeaderBytes EncodeHeader(std::uint64_t settings_digest);
FooterBytes EncodeFooter(const Footer& footer);

/// Side of the grid, in pixels, to which positions are rounded in a picture of this size: the
/// power of two, at least 1/256, for which the longer side is at most 65,535 steps.
double PositionQuantum(int width, int height);

using PackedKeypoint = std::array<std::uint8_t, kKeypointBytes>;

/// Rounds a keypoint of finite values to 8 bytes. Positions off the picture are moved to the grid.
PackedKeypoint PackKeypoint(const Keypoint& keypoint, double quantum);
Keypoint UnpackKeypoint(const std::uint8_t* packed, double quantum);

/// Little-endian integers at any address.
inline std::uint32_t LoadU32(const std::uint8_t* from) {
  return std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8 | std::uint32_t{from[2]} << 16 |
         std::uint32_t{from[3]} << 24;
}
inline std::uint64_t LoadU64(const std::uint8_t* from) {
  return LoadU32(from) | std::uint64_t{LoadU32(from + 4)} << 32;
}
void StoreU16(std::uint16_t value, std::uint8_t* to);
void StoreU32(std::uint32_t value, std::uint8_t* to);
void StoreU64(std::uint64_t value, std::uint8_t* to);

}  // namespace siftsearch::segment
