#pragma once

#include <array>
#include <cstddef>

#include "image/decode.h"
#include "siftsearch/types.h"

namespace siftsearch::features {

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

/// Quality below which a hash says little.
inline constexpr int kLeastQuality = 50;

/// Where a turned picture shows a place of the picture; both are the square from (0, 0) to (1, 1).
Transform OnUnitSquare(Turn turn);

/// The hashes of the picture in all turns, without turning it: each is that of the turned picture
/// but for a few bits whose frequencies lie next to the median. All of quality 0 where a side is
/// shorter than 5 pixels. Thread-safe.
std::array<Pdq, kTurns> PdqInAllTurns(const image::GreyImage& picture);

/// The first of them.
inline Pdq PdqOf(const image::GreyImage& picture) { return PdqInAllTurns(picture)[0]; }

/// The hashes of the turned pictures from that of one: but for bits whose frequencies lie next to
/// the median, those of PdqInAllTurns.
std::array<Pdq, kTurns> Turned(const Pdq& hash);

}  // namespace siftsearch::features
