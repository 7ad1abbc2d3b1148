// Compiled with the dot product instructions of ARMv8.2: called only where the processor has them.
#include <arm_neon.h>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

constexpr std::size_t kBlockBytes = 16 * 1024;  // Half of the smallest L1 of such processors.
constexpr std::size_t kMaxBlockRows = 128;
constexpr std::size_t kTileRows = 4;  // 4 × 4 sums and 4 queries: 20 of the 32 registers.

struct Block {
  const std::uint8_t* rows;
  const std::int32_t* norms;
  std::size_t count;
  std::int64_t first_row;
};

std::int32_t Norm(const std::uint8_t* row, std::size_t dim) {
  std::int32_t norm = 0;
  for (std::size_t j = 0; j < dim; ++j) norm += std::int32_t{row[j]} * row[j];
  return norm;
}

void InsertLanes(int32x4_t distance, uint32x4_t near, std::size_t query, std::int64_t row,
                 NearestRows& nearest) {
  std::int32_t distances[4];
  std::uint32_t lanes[4];
  vst1q_s32(distances, distance);
  vst1q_u32(lanes, near);
  for (std::size_t lane = 0; lane < 4; ++lane) {
    if (lanes[lane] != 0) nearest.Insert(query + lane, distances[lane], row);
  }
}

template <std::size_t kRows>
void Tile(const PackedQueries& queries, std::size_t group, const Block& block, std::size_t first,
          NearestRows& nearest) {
  const auto* values = static_cast<const std::uint8_t*>(queries.values) + group * queries.dim * 16;
  const std::uint8_t* rows = block.rows + first * queries.dim;
  uint32x4_t dots[kRows][4];
  for (auto& row : dots) {
    for (auto& dot : row) dot = vdupq_n_u32(0);
  }
  for (std::size_t j = 0; j < queries.dim; j += 4) {
    const uint8x16x4_t query = vld1q_u8_x4(values + j * kLanes);
    for (std::size_t r = 0; r < kRows; ++r) {
      std::uint32_t quad;
      __builtin_memcpy(&quad, rows + r * queries.dim + j, sizeof(quad));
      const uint8x16_t row = vreinterpretq_u8_u32(vdupq_n_u32(quad));
      for (std::size_t part = 0; part < 4; ++part) {
        dots[r][part] = vdotq_u32(dots[r][part], row, query.val[part]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    const int32x4_t norm = vdupq_n_s32(block.norms[first + r]);
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t lane = group * kLanes + part * 4;
      const int32x4_t sum = vaddq_s32(norm, vld1q_s32(queries.norms + lane));
      const int32x4_t dot = vreinterpretq_s32_u32(dots[r][part]);
      const int32x4_t distance = vsubq_s32(sum, vaddq_s32(dot, dot));
      const uint32x4_t near = vcgtq_s32(vld1q_s32(nearest.limits() + lane), distance);
      if (vmaxvq_u32(near) != 0) {
        InsertLanes(distance, near, lane, block.first_row + static_cast<std::int64_t>(first + r),
                    nearest);
      }
    }
  }
}

void ScanBlock(const PackedQueries& queries, const Block& block, NearestRows& nearest) {
  for (std::size_t group = 0; group < queries.groups; ++group) {
    std::size_t r = 0;
    for (; r + kTileRows <= block.count; r += kTileRows) {
      Tile<kTileRows>(queries, group, block, r, nearest);
    }
    for (; r < block.count; ++r) Tile<1>(queries, group, block, r, nearest);
  }
}

}  // namespace

void ScanNeonDotprod(const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
  std::int32_t norms[kMaxBlockRows];
  std::size_t block_rows = kBlockBytes / queries.dim;
  if (block_rows > kMaxBlockRows) block_rows = kMaxBlockRows;
  for (std::size_t start = 0; start < run.count; start += block_rows) {
    const std::size_t left = run.count - start;
    const Block block{run.rows + start * queries.dim, norms, left < block_rows ? left : block_rows,
                      run.first_row + static_cast<std::int64_t>(start)};
    for (std::size_t r = 0; r < block.count; ++r) {
      norms[r] = Norm(block.rows + r * queries.dim, queries.dim);
    }
    ScanBlock(queries, block, nearest);
  }
}

}  // namespace siftsearch::kernel
