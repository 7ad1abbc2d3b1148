// Compiled with AVX-512 VNNI: called only where the processor and the system have it.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

/// vpdpbusd multiplies unsigned by signed bytes, so a query q is stored as q − 128:
/// x·q = x·(q − 128) + 128·Σx. A group of 16 queries is one register for every 4 bytes.
class VnniQueries : public PackedQueries {
 public:
  VnniQueries(const std::uint8_t* queries, std::size_t count, int dim)
      : groups_((count + kLanes - 1) / kLanes),
        quads_(dim / 4),
        packed_(groups_ * quads_ * kLanes * 4),
        norms_(PaddedNorms(queries, count, dim)) {
    for (std::size_t q = 0; q < count; ++q) {
      for (int j = 0; j < dim; ++j) {
        packed_[((q / kLanes * quads_ + j / 4) * kLanes + q % kLanes) * 4 + j % 4] =
            static_cast<std::int8_t>(queries[q * dim + j] - 128);
      }
    }
  }

  void Scan(const std::uint8_t* rows, std::size_t count, std::int64_t first_row,
            NearestRows& nearest) const override {
    const std::size_t block_rows =
        std::clamp<std::size_t>(kBlockBytes / (quads_ * 4), kTileRows, kMaxBlockRows);
    for (std::size_t start = 0; start < count; start += block_rows) {
      ScanBlock(rows + start * quads_ * 4, std::min(block_rows, count - start),
                first_row + static_cast<std::int64_t>(start), nearest);
    }
  }

 private:
  static constexpr std::size_t kBlockBytes = 16 * 1024;  // Half of L1 beside a tile of queries.
  static constexpr std::size_t kMaxBlockRows = 128;
  static constexpr std::size_t kTileRows = 4;
  static constexpr std::size_t kTileGroups = 5;

  /// |x|² − 256·Σx of each row: what a distance needs of the row beside the dot product.
  void RowTerms(const std::uint8_t* rows, std::size_t count, std::int32_t* terms) const {
    const std::size_t dim = quads_ * 4;
    for (std::size_t r = 0; r < count; ++r) {
      std::int32_t term = 0;
      for (std::size_t j = 0; j < dim; ++j) {
        const std::int32_t x = rows[r * dim + j];
        term += x * (x - 256);
      }
      terms[r] = term;
    }
  }

  void ScanBlock(const std::uint8_t* rows, std::size_t count, std::int64_t first_row,
                 NearestRows& nearest) const {
    std::int32_t terms[kMaxBlockRows];
    RowTerms(rows, count, terms);
    std::size_t group = 0;
    for (; group + kTileGroups <= groups_; group += kTileGroups) {
      Groups<kTileGroups>(rows, terms, count, group, first_row, nearest);
    }
    for (; group < groups_; ++group) Groups<1>(rows, terms, count, group, first_row, nearest);
  }

  template <std::size_t kGroups>
  void Groups(const std::uint8_t* rows, const std::int32_t* terms, std::size_t count,
              std::size_t group, std::int64_t first_row, NearestRows& nearest) const {
    std::size_t r = 0;
    for (; r + kTileRows <= count; r += kTileRows) {
      Tile<kTileRows, kGroups>(rows + r * quads_ * 4, terms + r, group,
                               first_row + static_cast<std::int64_t>(r), nearest);
    }
    for (; r < count; ++r) {
      Tile<1, kGroups>(rows + r * quads_ * 4, terms + r, group,
                       first_row + static_cast<std::int64_t>(r), nearest);
    }
  }

  template <std::size_t kRows, std::size_t kGroups>
  void Tile(const std::uint8_t* rows, const std::int32_t* terms, std::size_t group,
            std::int64_t first_row, NearestRows& nearest) const {
    const std::size_t stride = quads_ * kLanes * 4;
    const std::int8_t* queries = &packed_[group * stride];
    __m512i dots[kRows][kGroups];
    for (auto& row : dots) {
      for (auto& dot : row) dot = _mm512_setzero_si512();
    }
    for (std::size_t j = 0; j < quads_; ++j) {
      __m512i query[kGroups];
      for (std::size_t g = 0; g < kGroups; ++g) {
        query[g] = _mm512_loadu_si512(queries + g * stride + j * kLanes * 4);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        std::int32_t quad;
        std::memcpy(&quad, rows + (r * quads_ + j) * 4, sizeof(quad));
        const __m512i row = _mm512_set1_epi32(quad);
        for (std::size_t g = 0; g < kGroups; ++g) {
          dots[r][g] = _mm512_dpbusd_epi32(dots[r][g], row, query[g]);
        }
      }
    }
    for (std::size_t g = 0; g < kGroups; ++g) {
      const std::size_t query = (group + g) * kLanes;
      const __m512i norms = _mm512_loadu_si512(&norms_[query]);
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m512i distance =
            _mm512_sub_epi32(_mm512_add_epi32(_mm512_set1_epi32(terms[r]), norms),
                             _mm512_add_epi32(dots[r][g], dots[r][g]));
        const __mmask16 near =
            _mm512_cmplt_epi32_mask(distance, _mm512_loadu_si512(nearest.limits() + query));
        if (near != 0) Accept(distance, near, query, first_row + std::int64_t(r), nearest);
      }
    }
  }

  static __attribute__((noinline)) void Accept(__m512i distance, unsigned lanes, std::size_t query,
                                               std::int64_t row, NearestRows& nearest) {
    alignas(64) std::int32_t distances[kLanes];
    _mm512_store_si512(distances, distance);
    for (; lanes != 0; lanes &= lanes - 1) {
      const int lane = __builtin_ctz(lanes);
      nearest.Insert(query + lane, distances[lane], row);
    }
  }

  const std::size_t groups_;
  const std::size_t quads_;
  std::vector<std::int8_t> packed_;
  const std::vector<std::int32_t> norms_;
};

}  // namespace

std::unique_ptr<PackedQueries> PackAvx512Vnni(const std::uint8_t* queries, std::size_t count,
                                              int dim) {
  return std::make_unique<VnniQueries>(queries, count, dim);
}

}  // namespace siftsearch::kernel
