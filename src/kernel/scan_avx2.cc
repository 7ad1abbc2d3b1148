// Compiled with AVX2: called only where the processor has it.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

/// Pairs of 16-bit values: vpmaddwd multiplies bytes exactly, which the 8-bit vpmaddubsw, with its
/// 16-bit saturation, does not. A group of 16 queries is two registers for each pair of values.
class Avx2Queries : public PackedQueries {
 public:
  Avx2Queries(const std::uint8_t* queries, std::size_t count, int dim)
      : groups_((count + kLanes - 1) / kLanes),
        pairs_(dim / 2),
        packed_(groups_ * pairs_ * kLanes * 2),
        norms_(PaddedNorms(queries, count, dim)) {
    for (std::size_t q = 0; q < count; ++q) {
      for (int j = 0; j < dim; ++j) {
        packed_[((q / kLanes * pairs_ + j / 2) * kLanes + q % kLanes) * 2 + j % 2] =
            queries[q * dim + j];
      }
    }
  }

  void Scan(const std::uint8_t* rows, std::size_t count, std::int64_t first_row,
            NearestRows& nearest) const override {
    const std::size_t dim = pairs_ * 2;
    std::vector<std::int16_t> wide(kBlockRows * dim);
    for (std::size_t start = 0; start < count; start += kBlockRows) {
      const std::size_t block = std::min(kBlockRows, count - start);
      std::copy_n(rows + start * dim, block * dim, wide.begin());
      std::fill(wide.begin() + block * dim, wide.end(), 0);
      ScanBlock(wide.data(), block, first_row + static_cast<std::int64_t>(start), nearest);
    }
  }

 private:
  static constexpr std::size_t kBlockRows = 64;
  static constexpr std::size_t kTileRows = 4;

  void ScanBlock(const std::int16_t* wide, std::size_t block, std::int64_t first_row,
                 NearestRows& nearest) const {
    const std::size_t dim = pairs_ * 2;
    std::int32_t norms[kBlockRows] = {};
    for (std::size_t r = 0; r < block; ++r) {
      for (std::size_t j = 0; j < dim; ++j) norms[r] += wide[r * dim + j] * wide[r * dim + j];
    }
    for (std::size_t group = 0; group < groups_; ++group) {
      for (std::size_t r = 0; r < block; r += kTileRows) {
        const std::size_t rows = std::min(kTileRows, block - r);
        Tile(wide + r * dim, norms + r, rows, group, first_row + static_cast<std::int64_t>(r),
             nearest);
      }
    }
  }

  void Tile(const std::int16_t* wide, const std::int32_t* norms, std::size_t rows,
            std::size_t group, std::int64_t first_row, NearestRows& nearest) const {
    const std::int16_t* query = &packed_[group * pairs_ * kLanes * 2];
    __m256i dots[kTileRows][2] = {};
    for (std::size_t j = 0; j < pairs_; ++j) {
      const auto* at = reinterpret_cast<const __m256i*>(query + j * kLanes * 2);
      const __m256i low = _mm256_loadu_si256(at);
      const __m256i high = _mm256_loadu_si256(at + 1);
      for (std::size_t r = 0; r < kTileRows; ++r) {
        std::int32_t pair;
        std::memcpy(&pair, wide + (r * pairs_ + j) * 2, sizeof(pair));
        const __m256i both = _mm256_set1_epi32(pair);
        dots[r][0] = _mm256_add_epi32(dots[r][0], _mm256_madd_epi16(both, low));
        dots[r][1] = _mm256_add_epi32(dots[r][1], _mm256_madd_epi16(both, high));
      }
    }
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t half = 0; half < 2; ++half) {
        Accept(dots[r][half], norms[r], group * kLanes + half * 8,
               first_row + static_cast<std::int64_t>(r), nearest);
      }
    }
  }

  void Accept(__m256i dot, std::int32_t norm, std::size_t query, std::int64_t row,
              NearestRows& nearest) const {
    const auto load = [](const std::int32_t* from) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    };
    const __m256i distance = _mm256_sub_epi32(
        _mm256_add_epi32(_mm256_set1_epi32(norm), load(&norms_[query])), _mm256_slli_epi32(dot, 1));
    const __m256i near = _mm256_cmpgt_epi32(load(nearest.limits() + query), distance);
    unsigned lanes = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(near)));
    if (lanes == 0) return;
    alignas(32) std::int32_t distances[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(distances), distance);
    for (; lanes != 0; lanes &= lanes - 1) {
      const int lane = __builtin_ctz(lanes);
      nearest.Insert(query + lane, distances[lane], row);
    }
  }

  const std::size_t groups_;
  const std::size_t pairs_;
  std::vector<std::int16_t> packed_;
  const std::vector<std::int32_t> norms_;
};

}  // namespace

std::unique_ptr<PackedQueries> PackAvx2(const std::uint8_t* queries, std::size_t count, int dim) {
  return std::make_unique<Avx2Queries>(queries, count, dim);
}

}  // namespace siftsearch::kernel
