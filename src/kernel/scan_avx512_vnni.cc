// Compiled with AVX-512 VNNI: called only where the processor and the system have it.
#include <immintrin.h>

#include <cstring>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

// vpdpbusd multiplies unsigned by signed bytes, so queries are stored as q − 128:
// x·q = x·(q − 128) + 128·Σx, and with it |x − q|² = (|x|² − 256·Σx) + |q|² − 2 x·(q − 128).
constexpr std::size_t kBlockBytes = 16 * 1024;  // A third of L1, beside a tile of queries.
constexpr std::size_t kMaxBlockRows = 128;
constexpr std::size_t kTileRows = 4;  // 4 × 5 sums, 5 queries and a row: 26 of the 32 registers.
constexpr std::size_t kTileGroups = 5;

/// Rows of a block with their |x|² − 256·Σx.
struct Block {
  const std::uint8_t* rows;
  const std::int32_t* terms;
  std::size_t count;
  std::int64_t first_row;
};

std::int32_t RowTerm(const std::uint8_t* row, std::size_t dim) {
  std::int32_t term = 0;
  for (std::size_t j = 0; j < dim; ++j) term += std::int32_t{row[j]} * (row[j] - 256);
  return term;
}

/// _mm512_dpbusd_epi32 in place: given the intrinsic, GCC 12 copies the sums from register to
/// register and spills them in the innermost loop.
[[gnu::always_inline]] inline void MultiplyAdd(__m512i& sum, __m512i row, __m512i query) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(row), "v"(query));
}

__attribute__((noinline)) void InsertLanes(__m512i distance, unsigned lanes, std::size_t query,
                                           std::int64_t row, NearestRows& nearest) {
  alignas(64) std::int32_t distances[kLanes];
  _mm512_store_si512(distances, distance);
  for (; lanes != 0; lanes &= lanes - 1) {
    const int lane = __builtin_ctz(lanes);
    nearest.Insert(query + lane, distances[lane], row);
  }
}

template <std::size_t kRows, std::size_t kGroups>
void Tile(const PackedQueries& queries, std::size_t group, const Block& block, std::size_t first,
          NearestRows& nearest) {
  const std::size_t stride = queries.dim * kLanes;
  const auto* values = static_cast<const std::int8_t*>(queries.values) + group * stride;
  const std::uint8_t* rows = block.rows + first * queries.dim;
  __m512i dots[kRows][kGroups];
#pragma GCC unroll 8
  for (auto& row : dots) {
#pragma GCC unroll 8
    for (auto& dot : row) dot = _mm512_setzero_si512();
  }
  for (std::size_t j = 0; j < queries.dim; j += 4) {
    __m512i query[kGroups];
#pragma GCC unroll 8
    for (std::size_t g = 0; g < kGroups; ++g) {
      query[g] = _mm512_loadu_si512(values + g * stride + j * kLanes);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int32_t quad;
      std::memcpy(&quad, rows + r * queries.dim + j, sizeof(quad));
      const __m512i row = _mm512_set1_epi32(quad);
#pragma GCC unroll 8
      for (std::size_t g = 0; g < kGroups; ++g) {
        MultiplyAdd(dots[r][g], row, query[g]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t g = 0; g < kGroups; ++g) {
    const std::size_t lane = (group + g) * kLanes;
    const __m512i norms = _mm512_loadu_si512(queries.norms + lane);
    const __m512i over = _mm512_sub_epi32(norms, _mm512_loadu_si512(nearest.limits() + lane));
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i term = _mm512_set1_epi32(block.terms[first + r]);
      const __m512i twice = _mm512_add_epi32(dots[r][g], dots[r][g]);
      const __mmask16 near = _mm512_cmpgt_epi32_mask(twice, _mm512_add_epi32(term, over));
      if (__builtin_expect(near != 0, 0)) {
        InsertLanes(_mm512_sub_epi32(_mm512_add_epi32(term, norms), twice), near, lane,
                    block.first_row + static_cast<std::int64_t>(first + r), nearest);
      }
    }
  }
}

template <std::size_t kGroups>
void Groups(const PackedQueries& queries, std::size_t group, const Block& block,
            NearestRows& nearest) {
  std::size_t r = 0;
  for (; r + kTileRows <= block.count; r += kTileRows) {
    Tile<kTileRows, kGroups>(queries, group, block, r, nearest);
  }
  for (; r < block.count; ++r) Tile<1, kGroups>(queries, group, block, r, nearest);
}

void ScanBlock(const PackedQueries& queries, const Block& block, NearestRows& nearest) {
  std::size_t group = 0;
  for (; group + kTileGroups <= queries.groups; group += kTileGroups) {
    Groups<kTileGroups>(queries, group, block, nearest);
  }
  switch (queries.groups - group) {
    case 4:
      return Groups<4>(queries, group, block, nearest);
    case 3:
      return Groups<3>(queries, group, block, nearest);
    case 2:
      return Groups<2>(queries, group, block, nearest);
    case 1:
      return Groups<1>(queries, group, block, nearest);
  }
}

}  // namespace

void ScanAvx512Vnni(const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
  std::int32_t terms[kMaxBlockRows];
  std::size_t block_rows = kBlockBytes / queries.dim;
  if (block_rows > kMaxBlockRows) block_rows = kMaxBlockRows;
  for (std::size_t start = 0; start < run.count; start += block_rows) {
    const std::size_t left = run.count - start;
    const Block block{run.rows + start * queries.dim, terms, left < block_rows ? left : block_rows,
                      run.first_row + static_cast<std::int64_t>(start)};
    for (std::size_t r = 0; r < block.count; ++r) {
      terms[r] = RowTerm(block.rows + r * queries.dim, queries.dim);
    }
    ScanBlock(queries, block, nearest);
  }
}

std::int32_t DistanceAvx512Vnni(const std::uint8_t* a, const std::uint8_t* b, std::size_t dim) {
  const auto thirty_two = [](const std::uint8_t* from) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  };
  __m512i sums = _mm512_setzero_si512();
  std::size_t j = 0;
  for (; j + 32 <= dim; j += 32) {
    const __m512i difference = _mm512_sub_epi16(thirty_two(a + j), thirty_two(b + j));
    sums = _mm512_dpwssd_epi32(sums, difference, difference);
  }
  // Not _mm512_reduce_add_epi32, of which GCC 12 warns that it uses what is not initialised.
  alignas(64) std::int32_t parts[kLanes];
  _mm512_store_si512(parts, sums);
  std::int32_t distance = 0;
  for (const std::int32_t part : parts) distance += part;
  for (; j < dim; ++j) distance += (a[j] - b[j]) * (a[j] - b[j]);
  return distance;
}

}  // namespace siftsearch::kernel
