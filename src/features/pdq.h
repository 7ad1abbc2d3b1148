#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "image/decode.h"

namespace siftsearch::features {

/// PDQ, a hash of a whole picture (Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ
/// image-hashing algorithm", 2019, section 4): the picture's 16 × 16 lowest frequencies but the
/// mean, each compared with the median of all. Copies of a whole picture, re-encoded, reduced, with
/// other tones, are mostly at most 31 bits apart; strangers some 128.
struct Pdq {
  std::array<std::uint8_t, 32> bits{};  ///< As in the text, the first digit highest.
  int quality = 0;  ///< 0 to 100: how much the picture varies. Below 50 the bits say little.

  bool operator==(const Pdq&) const = default;
};

/// How a picture was turned before it was hashed.
enum class Turn {
  kNone,
  kRotated90,  ///< Counterclockwise, like those below.
  kRotated180,
  kRotated270,
  kMirrored,    ///< Left and right change places.
  kFlipped,     ///< Top and bottom change places.
  kTransposed,  ///< Along the diagonal from the top left.
  kAntiTransposed,
};
inline constexpr std::size_t kTurns = 8;

/// The hashes of the picture in all turns, without turning it: each is that of the turned picture
/// but for a few bits whose frequencies lie next to the median. All of quality 0 where a side is
/// shorter than 5 pixels. Thread-safe.
std::array<Pdq, kTurns> PdqInAllTurns(const image::GreyImage& picture);

/// The first of them.
inline Pdq PdqOf(const image::GreyImage& picture) { return PdqInAllTurns(picture)[0]; }

/// Bits that differ.
int PdqDistance(const Pdq& a, const Pdq& b);

}  // namespace siftsearch::features
