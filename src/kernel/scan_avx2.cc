// Compiled with AVX2: called only where the processor has it.
#include <immintrin.h>

#include <cstring>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

// Two steps. Most rows are far from a query, and a cheap bound shows it: the query is divided by a
// step and rounded to q', small enough that all of x·q' is summed in 16 bits (vpmaddubsw, 32
// products an instruction), and x·q ≤ step·x·q' + |x|·|q − step·q'| (Cauchy-Schwarz). Rows that the
// bound leaves, and those too long for 16 bits, meet the query itself, exactly: vpmaddwd on 16-bit
// values, since vpmaddubsw saturates.
constexpr std::size_t kBlockValues = 8192;  // 16 KiB, half of L1, beside a group of queries.
constexpr std::size_t kMaxBlockRows = 64;
constexpr std::size_t kTileRows = 4;
/// From this many of a tile's 64 pairs, computing them all is cheaper than one by one.
constexpr int kManyLeft = 24;
/// Above the rounding errors of the bound in 32-bit floats: its terms are below 2^20 where it
/// counts.
constexpr float kFloatError = 4;

__m256i Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

/// Rows that stay in the cache while all queries pass.
struct Block {
  const std::uint8_t* rows;
  const std::int32_t* norms;  ///< |x|².
  const float* lengths;       ///< |x|.
  std::int16_t* wide;  ///< Once is_wide: in 16 bits; whole tiles, the last filled with anything.
  std::size_t count;
  std::int64_t first_row;
  bool is_wide;
};

/// Bit 16·r + l: whether the bound leaves row first + r for query l of the group. Not inlined, or
/// the registers of the loop no longer suffice.
[[gnu::noinline]] std::uint64_t Screen(const PackedQueries& queries, std::size_t group,
                                       const Block& block, std::size_t first,
                                       const std::int32_t* limits) {
  const std::size_t dim = queries.dim;
  const std::int8_t* query = queries.coarse + group * dim * kLanes;
  const std::uint8_t* rows = block.rows + first * dim;
  __m256i sums[kTileRows][2];
#pragma GCC unroll 8
  for (auto& sum : sums) sum[0] = sum[1] = _mm256_setzero_si256();
#pragma GCC unroll 4
  for (std::size_t j = 0; j < dim; j += 4) {
    const __m256i low = Load(query + j * kLanes);
    const __m256i high = Load(query + j * kLanes + 32);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kTileRows; ++r) {
      std::int32_t four;
      std::memcpy(&four, rows + r * dim + j, sizeof(four));
      const __m256i row = _mm256_set1_epi32(four);
      sums[r][0] = _mm256_add_epi16(sums[r][0], _mm256_maddubs_epi16(row, low));
      sums[r][1] = _mm256_add_epi16(sums[r][1], _mm256_maddubs_epi16(row, high));
    }
  }
  std::uint64_t left = 0;
#pragma GCC unroll 2
  for (std::size_t half = 0; half < 2; ++half) {
    const std::size_t lane = group * kLanes + half * 8;
    const __m256 steps = _mm256_loadu_ps(queries.steps + lane);
    const __m256 rests = _mm256_loadu_ps(queries.rests + lane);
    // |q|² − limit: a row is left where |x|² + this − 2 (step·x·q' + |x|·rest) < 0.
    const __m256 base = _mm256_sub_ps(
        _mm256_cvtepi32_ps(_mm256_sub_epi32(Load(queries.norms + lane), Load(limits + lane))),
        _mm256_set1_ps(kFloatError));
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kTileRows; ++r) {
      const __m256 dots =
          _mm256_cvtepi32_ps(_mm256_madd_epi16(sums[r][half], _mm256_set1_epi16(1)));
      const __m256 near =
          _mm256_add_ps(_mm256_mul_ps(steps, dots),
                        _mm256_mul_ps(rests, _mm256_set1_ps(block.lengths[first + r])));
      const __m256 far =
          _mm256_add_ps(base, _mm256_set1_ps(static_cast<float>(block.norms[first + r])));
      const int lanes = _mm256_movemask_ps(_mm256_cmp_ps(near, far, _CMP_GT_OQ));
      left |= static_cast<std::uint64_t>(lanes) << (16 * r + 8 * half);
    }
  }
  return left;
}

std::int32_t Dot(const std::uint8_t* a, const std::uint8_t* b, std::size_t dim) {
  __m256i sums = _mm256_setzero_si256();
  std::size_t j = 0;
  for (; j + 16 <= dim; j += 16) {
    const __m256i x =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + j)));
    const __m256i y =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + j)));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x, y));
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0b01'00'11'10));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0b10'11'00'01));
  std::int32_t dot = _mm_cvtsi128_si32(four);
  for (; j < dim; ++j) dot += a[j] * b[j];
  return dot;
}

/// Meets the pairs of `left` (as of Screen) one by one.
void Pairs(const PackedQueries& queries, std::size_t group, const Block& block, std::size_t first,
           std::uint64_t left, NearestRows& nearest) {
  for (; left != 0; left &= left - 1) {
    const auto bit = static_cast<std::size_t>(__builtin_ctzll(left));
    const std::size_t query = group * kLanes + bit % kLanes;
    const std::size_t row = first + bit / kLanes;
    const std::int32_t dot =
        Dot(queries.bytes + query * queries.dim, block.rows + row * queries.dim, queries.dim);
    const std::int32_t distance = block.norms[row] + queries.norms[query] - 2 * dot;
    if (distance < nearest.limits()[query]) {
      nearest.Insert(query, distance, block.first_row + static_cast<std::int64_t>(row));
    }
  }
}

void InsertLanes(__m256i distance, unsigned lanes, std::size_t query, std::int64_t row,
                 NearestRows& nearest) {
  alignas(32) std::int32_t distances[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(distances), distance);
  for (; lanes != 0; lanes &= lanes - 1) {
    const int lane = __builtin_ctz(lanes);
    nearest.Insert(query + lane, distances[lane], row);
  }
}

/// Meets all pairs of a tile.
void Tile(const PackedQueries& queries, std::size_t group, const Block& block, std::size_t first,
          NearestRows& nearest) {
  const std::size_t pairs = queries.dim / 2;
  const auto* query = static_cast<const std::int16_t*>(queries.values) + group * pairs * kLanes * 2;
  const std::int16_t* rows = block.wide + first * queries.dim;
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

void Widen(Block& block, std::size_t dim) {
  for (std::size_t i = 0; i < block.count * dim; ++i) block.wide[i] = block.rows[i];
  block.is_wide = true;
}

void Measure(const std::uint8_t* rows, std::size_t count, std::size_t dim, std::int32_t* norms,
             float* lengths) {
  for (std::size_t r = 0; r < count; ++r) {
    norms[r] = Dot(rows + r * dim, rows + r * dim, dim);
    lengths[r] = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(static_cast<float>(norms[r]))));
  }
}

/// True for a whole tile, so that nothing is read behind the last row, of rows short enough.
bool Screenable(const Block& block, std::size_t first) {
  if (first + kTileRows > block.count) return false;
  for (std::size_t r = 0; r < kTileRows; ++r) {
    if (block.lengths[first + r] > kMostScreenedLength) return false;
  }
  return true;
}

void Meet(const PackedQueries& queries, std::size_t group, Block& block, std::size_t first,
          NearestRows& nearest) {
  if (Screenable(block, first)) {
    const std::uint64_t left = Screen(queries, group, block, first, nearest.limits());
    if (__builtin_popcountll(left) < kManyLeft) {
      return Pairs(queries, group, block, first, left, nearest);
    }
  }
  if (!block.is_wide) Widen(block, queries.dim);
  Tile(queries, group, block, first, nearest);
}

/// A descriptor of kMeasuredBytes.
struct Descriptor {
  __m256i bytes[4];
};

/// Eight sums that make the squared distance of a row.
[[gnu::always_inline]] inline __m256i SquaredParts(const Descriptor& query,
                                                   const std::uint8_t* row) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i sums = zero;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i of_row = Load(row + 32 * i);
    const __m256i difference = _mm256_or_si256(_mm256_subs_epu8(query.bytes[i], of_row),
                                               _mm256_subs_epu8(of_row, query.bytes[i]));
    const __m256i low = _mm256_unpacklo_epi8(difference, zero);
    const __m256i high = _mm256_unpackhi_epi8(difference, zero);
    sums = _mm256_add_epi32(
        sums, _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high)));
  }
  return sums;
}

/// The sum of the eight parts of each.
__m128i Fold(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

/// What is sought, in each lane.
struct Sought {
  __m256i bits, doubled, too_far;
};

/// Ones of each byte.
__m256i OnesOfBytes(__m256i bits) {
  const __m256i of_nibble = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                             0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i low = _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(bits, nibble));
  const __m256i high =
      _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(_mm256_srli_epi32(bits, 4), nibble));
  return _mm256_add_epi8(low, high);
}

/// How much each of four signatures differs.
__m256i Differing(__m256i signatures, const Sought& sought) {
  const __m256i bits = _mm256_xor_si256(signatures, sought.bits);
  const __m256i twice = OnesOfBytes(_mm256_and_si256(bits, sought.doubled));
  return _mm256_sad_epu8(_mm256_add_epi8(OnesOfBytes(bits), twice), _mm256_setzero_si256());
}

/// Writes the near ones of four counts, the first being that of the signature `index`; gives the
/// place behind them.
[[gnu::always_inline]] inline NearSignature* Append(__m256i counts, __m256i near, std::size_t index,
                                                    NearSignature* to) {
  alignas(32) std::uint64_t of[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(of), counts);
  const int lanes = _mm256_movemask_pd(_mm256_castsi256_pd(near));
  for (unsigned lane = 0; lane < 4; ++lane) {
    *to = of[lane] << 32 | (index + lane);
    to += lanes >> lane & 1;
  }
  return to;
}

}  // namespace

void ScanAvx2(const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
  static_assert(kBlockValues / 2048 >= kTileRows);
  alignas(32) std::int16_t wide[kBlockValues] = {};
  std::int32_t norms[kMaxBlockRows];
  float lengths[kMaxBlockRows];
  std::size_t block_rows = kBlockValues / queries.dim / kTileRows * kTileRows;
  if (block_rows > kMaxBlockRows) block_rows = kMaxBlockRows;
  for (std::size_t start = 0; start < run.count; start += block_rows) {
    const std::size_t left = run.count - start;
    Block block{run.rows + start * queries.dim,
                norms,
                lengths,
                wide,
                left < block_rows ? left : block_rows,
                run.first_row + static_cast<std::int64_t>(start),
                false};
    Measure(block.rows, block.count, queries.dim, norms, lengths);
    for (std::size_t group = 0; group < queries.groups; ++group) {
      for (std::size_t first = 0; first < block.count; first += kTileRows) {
        Meet(queries, group, block, first, nearest);
      }
    }
  }
}

std::int32_t DistanceAvx2(const std::uint8_t* a, const std::uint8_t* b, std::size_t dim) {
  const auto sixteen = [](const std::uint8_t* from) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  };
  __m256i sums = _mm256_setzero_si256();
  std::size_t j = 0;
  for (; j + 16 <= dim; j += 16) {
    const __m256i difference = _mm256_sub_epi16(sixteen(a + j), sixteen(b + j));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(difference, difference));
  }
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0b01'00'11'10));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0b10'11'00'01));
  std::int32_t distance = _mm_cvtsi128_si32(sum);
  for (; j < dim; ++j) distance += (a[j] - b[j]) * (a[j] - b[j]);
  return distance;
}

void MeasureRowsAvx2(const std::uint8_t* query, const std::uint8_t* rows,
                     const std::uint32_t* numbers, std::size_t count, std::int32_t* distances) {
  static_assert(kMeasuredBytes == sizeof(Descriptor));
  constexpr std::size_t kAhead = 16;  // Rows.
  Descriptor of_query;
  for (int i = 0; i < 4; ++i) of_query.bytes[i] = Load(query + 32 * i);
  const auto row = [&](std::size_t i) { return rows + numbers[i] * kMeasuredBytes; };
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::size_t next = i + kAhead; next < i + kAhead + 4 && next < count; ++next) {
      _mm_prefetch(reinterpret_cast<const char*>(row(next)), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(row(next) + 64), _MM_HINT_T0);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(distances + i),
                     Fold(SquaredParts(of_query, row(i)), SquaredParts(of_query, row(i + 1)),
                          SquaredParts(of_query, row(i + 2)), SquaredParts(of_query, row(i + 3))));
  }
  for (; i < count; ++i) distances[i] = DistanceAvx2(query, row(i), kMeasuredBytes);
}

std::size_t SelectNearAvx2(const std::uint8_t* signatures, std::size_t count,
                           const SoughtSignature& sought, int most, NearSignature* out) {
  const Sought four = {_mm256_set1_epi64x(static_cast<long long>(sought.bits)),
                       _mm256_set1_epi64x(static_cast<long long>(sought.doubled)),
                       _mm256_set1_epi64x(most + 1)};
  NearSignature* to = out;
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i low = Differing(Load(signatures + 8 * i), four);
    const __m256i high = Differing(Load(signatures + 8 * i + 32), four);
    const __m256i near_low = _mm256_cmpgt_epi64(four.too_far, low);
    const __m256i near_high = _mm256_cmpgt_epi64(four.too_far, high);
    const __m256i any = _mm256_or_si256(near_low, near_high);
    if (_mm256_testz_si256(any, any)) continue;
    to = Append(low, near_low, i, to);
    to = Append(high, near_high, i + 4, to);
  }
  for (; i < count; ++i) {
    long long one;
    std::memcpy(&one, signatures + 8 * i, sizeof one);
    const __m256i differing = Differing(_mm256_set1_epi64x(one), four);
    const auto by = static_cast<std::uint64_t>(_mm256_extract_epi64(differing, 0));
    if (by <= static_cast<std::uint64_t>(most)) *to++ = by << 32 | i;
  }
  return static_cast<std::size_t>(to - out);
}

}  // namespace siftsearch::kernel
