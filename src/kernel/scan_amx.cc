// Compiled with AMX-INT8 and AVX-512: called only where the processor has them and the system has
// granted the tiles.
#include <immintrin.h>

#include <cstring>

#include "kernel/scan.h"
#include "kernel/tiles.h"

namespace siftsearch::kernel {
namespace {

constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileBytes = 64;
constexpr std::size_t kBlockRows = 32;  // Two tiles of rows meet two groups of queries at a time.
constexpr std::size_t kMaxPaddedDim = 2048;
constexpr std::size_t kBlocksAtOnce = 8;  // With 128 dimensions 32 KiB of rows: two thirds of L1.

/// Up to 32 rows whose tiles can be read: in place, or staged where they do not fill their tiles.
struct Block {
  const std::uint8_t* rows = nullptr;
  std::size_t stride = 0;
  std::size_t count = 0;
  std::int64_t first_row = 0;
  std::int32_t norms[kBlockRows] = {};
};

std::int32_t Norm(const std::uint8_t* row, std::size_t dim) {
  std::int32_t norm = 0;
  for (std::size_t j = 0; j < dim; ++j) norm += std::int32_t{row[j]} * row[j];
  return norm;
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

/// Compares a tile of dot products, rows `first` … of the block by the queries of a group, with the
/// limits.
void Select(const std::int32_t (&dots)[kTileRows][kLanes], const PackedQueries& queries,
            std::size_t group, const Block& block, std::size_t first, NearestRows& nearest) {
  const std::size_t lane = group * kLanes;
  const __m512i norms = _mm512_loadu_si512(queries.norms + lane);
  const __m512i over = _mm512_sub_epi32(norms, _mm512_loadu_si512(nearest.limits() + lane));
  const std::size_t count = block.count - first < kTileRows ? block.count - first : kTileRows;
  for (std::size_t r = 0; r < count; ++r) {
    const __m512i dot = _mm512_load_si512(dots[r]);
    const __m512i twice = _mm512_add_epi32(dot, dot);
    const __m512i norm = _mm512_set1_epi32(block.norms[first + r]);
    const __mmask16 near = _mm512_cmpgt_epi32_mask(twice, _mm512_add_epi32(norm, over));
    if (__builtin_expect(near != 0, 0)) {
      InsertLanes(_mm512_sub_epi32(_mm512_add_epi32(norm, norms), twice), near, lane,
                  block.first_row + static_cast<std::int64_t>(first + r), nearest);
    }
  }
}

/// The four tiles of 32 rows by two groups, summed over all dimensions.
struct alignas(64) Sums {
  std::int32_t tile[4][kTileRows][kLanes];
};

void Multiply(const std::uint8_t* first_group, const std::uint8_t* second_group,
              std::size_t padded_dim, const Block& block, Sums& sums) {
  TILE_ZERO(0);
  TILE_ZERO(1);
  TILE_ZERO(2);
  TILE_ZERO(3);
  const std::uint8_t* lower_rows = block.rows + kTileRows * block.stride;
  for (std::size_t j = 0; j < padded_dim; j += kTileBytes) {
    TILE_LOAD(4, block.rows + j, block.stride);
    TILE_LOAD(6, first_group + j * kLanes, kTileBytes);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(7, second_group + j * kLanes, kTileBytes);
    TILE_DOT(1, 4, 7);
    TILE_LOAD(5, lower_rows + j, block.stride);
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
  }
  TILE_STORE(0, sums.tile[0], kTileBytes);
  TILE_STORE(1, sums.tile[1], kTileBytes);
  TILE_STORE(2, sums.tile[2], kTileBytes);
  TILE_STORE(3, sums.tile[3], kTileBytes);
}

/// All queries with some blocks: the queries' tiles are read from memory once for them all.
void ScanBlocks(const PackedQueries& queries, const Block* blocks, std::size_t count,
                NearestRows& nearest) {
  const std::size_t padded_dim = PaddedToTiles(queries.dim);
  const auto* values = static_cast<const std::uint8_t*>(queries.values);
  Sums sums;
  for (std::size_t group = 0; group < queries.groups; group += 2) {
    const std::size_t second = group + 1 < queries.groups ? group + 1 : group;
    for (std::size_t b = 0; b < count; ++b) {
      const Block& block = blocks[b];
      Multiply(values + group * padded_dim * kLanes, values + second * padded_dim * kLanes,
               padded_dim, block, sums);
      Select(sums.tile[0], queries, group, block, 0, nearest);
      if (second != group) Select(sums.tile[1], queries, second, block, 0, nearest);
      if (block.count <= kTileRows) continue;
      Select(sums.tile[2], queries, group, block, kTileRows, nearest);
      if (second != group) Select(sums.tile[3], queries, second, block, kTileRows, nearest);
    }
  }
}

Block BlockAt(const RowRun& run, std::size_t start, std::size_t dim) {
  Block block;
  block.rows = run.rows + start * dim;
  block.stride = dim;
  block.count = run.count - start < kBlockRows ? run.count - start : kBlockRows;
  block.first_row = run.first_row + static_cast<std::int64_t>(start);
  for (std::size_t r = 0; r < block.count; ++r) block.norms[r] = Norm(block.rows + r * dim, dim);
  return block;
}

/// Copies the rows to where whole tiles can be read, zeros around them.
void Stage(Block& block, std::size_t dim, std::uint8_t* staged) {
  const std::size_t stride = PaddedToTiles(dim);
  std::memset(staged, 0, kBlockRows * stride);
  for (std::size_t r = 0; r < block.count; ++r) {
    std::memcpy(staged + r * stride, block.rows + r * dim, dim);
  }
  block.rows = staged;
  block.stride = stride;
  asm volatile("" ::: "memory");  // The intrinsics do not say that they read memory.
}

}  // namespace

void ScanAmx(const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
  alignas(64) std::uint8_t staged[kBlockRows * kMaxPaddedDim];
  const std::size_t dim = queries.dim;
  Block blocks[kBlocksAtOnce];
  TILES_BEGIN();
  std::size_t start = 0;
  while (start < run.count) {
    std::size_t count = 0;
    for (; count < kBlocksAtOnce && start < run.count; ++count, start += kBlockRows) {
      const bool whole = dim % kTileBytes == 0 && run.count - start >= kBlockRows;
      if (!whole && count > 0) break;  // There is room to stage one block.
      blocks[count] = BlockAt(run, start, dim);
      if (whole) continue;
      Stage(blocks[count], dim, staged);
      ++count;
      start += kBlockRows;
      break;
    }
    ScanBlocks(queries, blocks, count, nearest);
  }
  TILES_END();
}

}  // namespace siftsearch::kernel
