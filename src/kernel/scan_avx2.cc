// Compiled with AVX2: called only where the processor has it.
#include <immintrin.h>

#include <cstring>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

// vpmaddwd on 16-bit values is exact, which the 8-bit vpmaddubsw with its 16-bit saturation is not.
constexpr std::size_t kBlockValues = 8192;  // 16 KiB, half of L1, beside a group of queries.
constexpr std::size_t kMaxBlockRows = 64;
constexpr std::size_t kTileRows = 4;

__m256i Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

void InsertLanes(__m256i distance, unsigned lanes, std::size_t query, std::int64_t row,
                 NearestRows& nearest) {
  alignas(32) std::int32_t distances[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(distances), distance);
  for (; lanes != 0; lanes &= lanes - 1) {
    const int lane = __builtin_ctz(lanes);
    nearest.Insert(query + lane, distances[lane], row);
  }
}

/// Rows of a block, widened; whole tiles, the last filled up with anything.
struct Block {
  const std::int16_t* values;
  const std::int32_t* norms;
  std::size_t count;
  std::int64_t first_row;
};

void Tile(const PackedQueries& queries, std::size_t group, const Block& block, std::size_t first,
          NearestRows& nearest) {
  const std::size_t pairs = queries.dim / 2;
  const auto* query = static_cast<const std::int16_t*>(queries.values) + group * pairs * kLanes * 2;
  const std::int16_t* rows = block.values + first * queries.dim;
  __m256i dots[kTileRows][2];
#pragma GCC unroll 8
  for (auto& dot : dots) dot[0] = dot[1] = _mm256_setzero_si256();
  for (std::size_t j = 0; j < pairs; ++j) {
    const __m256i low = Load(query + j * kLanes * 2);
    const __m256i high = Load(query + j * kLanes * 2 + kLanes);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kTileRows; ++r) {
      std::int32_t pair;
      std::memcpy(&pair, rows + r * queries.dim + j * 2, sizeof(pair));
      const __m256i row = _mm256_set1_epi32(pair);
      dots[r][0] = _mm256_add_epi32(dots[r][0], _mm256_madd_epi16(row, low));
      dots[r][1] = _mm256_add_epi32(dots[r][1], _mm256_madd_epi16(row, high));
    }
  }
  const std::int32_t* limits = nearest.limits();
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kTileRows; ++r) {
    if (first + r >= block.count) break;
#pragma GCC unroll 8
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t lane = group * kLanes + half * 8;
      const __m256i distance = _mm256_sub_epi32(
          _mm256_add_epi32(_mm256_set1_epi32(block.norms[first + r]), Load(queries.norms + lane)),
          _mm256_slli_epi32(dots[r][half], 1));
      const __m256i near = _mm256_cmpgt_epi32(Load(limits + lane), distance);
      const int lanes = _mm256_movemask_ps(_mm256_castsi256_ps(near));
      if (lanes != 0) {
        InsertLanes(distance, static_cast<unsigned>(lanes), lane,
                    block.first_row + static_cast<std::int64_t>(first + r), nearest);
      }
    }
  }
}

void Widen(const std::uint8_t* rows, std::size_t count, std::size_t dim, std::int16_t* values,
           std::int32_t* norms) {
  for (std::size_t r = 0; r < count; ++r) {
    std::int32_t norm = 0;
    for (std::size_t j = 0; j < dim; ++j) {
      const std::int16_t value = rows[r * dim + j];
      values[r * dim + j] = value;
      norm += std::int32_t{value} * value;
    }
    norms[r] = norm;
  }
}

}  // namespace

void ScanAvx2(const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
  static_assert(kBlockValues / 2048 >= kTileRows);
  alignas(32) std::int16_t values[kBlockValues] = {};
  std::int32_t norms[kMaxBlockRows];
  std::size_t block_rows = kBlockValues / queries.dim / kTileRows * kTileRows;
  if (block_rows > kMaxBlockRows) block_rows = kMaxBlockRows;
  for (std::size_t start = 0; start < run.count; start += block_rows) {
    const std::size_t left = run.count - start;
    const Block block{values, norms, left < block_rows ? left : block_rows,
                      run.first_row + static_cast<std::int64_t>(start)};
    Widen(run.rows + start * queries.dim, block.count, queries.dim, values, norms);
    for (std::size_t group = 0; group < queries.groups; ++group) {
      for (std::size_t r = 0; r < block.count; r += kTileRows) {
        Tile(queries, group, block, r, nearest);
      }
    }
  }
}

}  // namespace siftsearch::kernel
