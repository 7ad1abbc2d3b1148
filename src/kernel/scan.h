#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/nearest_rows.h"
#include "kernel/topk.h"

namespace siftsearch::kernel {

/// Queries are handled in groups of this many; the last group is filled up with lanes that accept
/// no row.
inline constexpr std::size_t kLanes = 16;

/// Queries laid out as one variant reads them; borrowed.
struct PackedQueries {
  const void* values = nullptr;
  const std::int32_t* norms = nullptr;  ///< |q|² of groups × kLanes queries.
  std::size_t groups = 0;
  std::size_t count = 0;
  std::size_t dim = 0;
  const std::uint8_t* bytes = nullptr;  ///< The queries themselves, one after another.
  /// For a variant that screens rows: each query q as step·q' with q' ≤ 127, interleaved as 8-bit
  /// values of 4 dimensions, and |q'| small enough for x·q' ≤ 32,767 while |x| is at most
  /// kMostScreenedLength. Of each query 2·step, and 2·|q − step·q'|.
  const std::int8_t* coarse = nullptr;
  const float* steps = nullptr;
  const float* rests = nullptr;
};

/// Rows and queries up to this length can be screened. OpenCV's SIFT makes descriptors of 512.
inline constexpr float kMostScreenedLength = 544;

/// Consecutive rows of one span.
struct RowRun {
  const std::uint8_t* rows = nullptr;
  std::size_t count = 0;
  std::int64_t first_row = 0;
};

using Scan = void(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);

// Each variant computes the squared distances of all rows of a run to all queries and inserts the
// near ones. Called by many threads at once, each with its own `nearest`; none allocates or throws.
//
// The files of the variants are compiled for processors that the program may not be running on.
// They use nothing from the standard library that the compiler may leave out of line: the linker
// would keep one copy for the whole program, possibly theirs.

/// Values: 16-bit, query after query.
void ScanPortable(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);
/// Values: 16-bit; for each group and each pair of dimensions, the pair of each of the 16 queries.
/// Screens rows.
void ScanAvx2(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);
/// Values: q − 128 in 8 bits (modulo 256); for each group and each 4 dimensions, the 4 of each of
/// the 16 queries.
void ScanAvx512Vnni(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);
/// Values: bytes; for each group and each 4 dimensions, zeros up to PaddedToTiles(dim), the 4 of
/// each of the 16 queries.
void ScanAmx(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);
/// Values: bytes; for each group and each 4 dimensions, the 4 of each of the 16 queries.
void ScanNeonDotprod(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);

// Squared distances of single pairs, under the same rules.
Distance DistancePortable;
Distance DistanceAvx2;
Distance DistanceAvx512Vnni;

// Squared distances of one from many, under the same rules.
MeasureRows MeasureRowsPortable;
MeasureRows MeasureRowsAvx2;

// Near signatures, under the same rules.
SelectNear SelectNearPortable;
SelectNear SelectNearAvx2;
SelectNear SelectNearAvx512;

/// Dimensions up to whole tiles of 64 bytes.
constexpr std::size_t PaddedToTiles(std::size_t dim) { return (dim + 63) / 64 * 64; }

}  // namespace siftsearch::kernel
