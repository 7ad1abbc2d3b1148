#include <algorithm>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

constexpr std::size_t kBlockValues = 8192;  // 16 KiB, half of L1.
constexpr std::size_t kMaxBlockRows = 64;

/// 16-bit factors and a 32-bit sum: what compilers turn into any SIMD set's multiply-and-add.
std::int32_t Dot(const std::int16_t* a, const std::int16_t* b, std::size_t dim) {
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < dim; ++j) sum += std::int32_t{a[j]} * b[j];
  return sum;
}

/// Dots of one vector with kTogether others that follow one another: it is loaded once for them
/// all.
constexpr std::size_t kTogether = 4;
void Dots(const std::int16_t* a, const std::int16_t* b, std::size_t dim, std::int32_t* dots) {
  std::int32_t sum[kTogether] = {};
  for (std::size_t j = 0; j < dim; ++j) {
    for (std::size_t r = 0; r < kTogether; ++r) sum[r] += std::int32_t{a[j]} * b[r * dim + j];
  }
  std::copy_n(sum, kTogether, dots);
}

std::uint64_t LoadU64(const std::uint8_t* from) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number |= std::uint64_t{from[i]} << (8 * i);
  return number;
}

/// Without the instruction, which not every processor has, and without the call that stands in for
/// it.
std::uint64_t CountOnes(std::uint64_t bits) {
  bits -= bits >> 1 & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return bits * 0x0101010101010101 >> 56;
}

void ScanBlock(const PackedQueries& queries, const std::int16_t* wide, std::size_t count,
               std::int64_t first_row, NearestRows& nearest) {
  const std::size_t dim = queries.dim;
  const auto* query = static_cast<const std::int16_t*>(queries.values);
  const std::int32_t* limits = nearest.limits();
  std::int32_t norms[kMaxBlockRows];
  std::int32_t dots[kMaxBlockRows];
  for (std::size_t r = 0; r < count; ++r) norms[r] = Dot(wide + r * dim, wide + r * dim, dim);
  for (std::size_t q = 0; q < queries.count; ++q, query += dim) {
    std::size_t r = 0;
    for (; r + kTogether <= count; r += kTogether) Dots(query, wide + r * dim, dim, dots + r);
    for (; r < count; ++r) dots[r] = Dot(query, wide + r * dim, dim);
    for (r = 0; r < count; ++r) {
      const std::int32_t distance = norms[r] + queries.norms[q] - 2 * dots[r];
      if (distance < limits[q]) {
        nearest.Insert(q, distance, first_row + static_cast<std::int64_t>(r));
      }
    }
  }
}

}  // namespace

void ScanPortable(const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
  std::int16_t wide[kBlockValues];
  const std::size_t block_rows = std::min(kBlockValues / queries.dim, kMaxBlockRows);
  for (std::size_t start = 0; start < run.count; start += block_rows) {
    const std::size_t count = std::min(block_rows, run.count - start);
    std::copy_n(run.rows + start * queries.dim, count * queries.dim, wide);
    ScanBlock(queries, wide, count, run.first_row + static_cast<std::int64_t>(start), nearest);
  }
}

std::int32_t DistancePortable(const std::uint8_t* a, const std::uint8_t* b, std::size_t dim) {
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < dim; ++j) {
    const auto difference = static_cast<std::int16_t>(a[j] - b[j]);
    sum += std::int32_t{difference} * difference;
  }
  return sum;
}

void MeasureRowsPortable(const std::uint8_t* query, const std::uint8_t* rows,
                         const std::uint32_t* numbers, std::size_t count, std::int32_t* distances) {
  for (std::size_t i = 0; i < count; ++i) {
    distances[i] = DistancePortable(query, rows + numbers[i] * kMeasuredBytes, kMeasuredBytes);
  }
}

std::size_t SelectNearPortable(const std::uint8_t* signatures, std::size_t count,
                               const SoughtSignature& sought, int most, NearSignature* out) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t bits = LoadU64(signatures + 8 * i) ^ sought.bits;
    const std::uint64_t differing = CountOnes(bits) + CountOnes(bits & sought.doubled);
    // No branch: which are near can't be foretold.
    out[kept] = differing << 32 | i;
    kept += static_cast<std::size_t>(differing <= static_cast<std::uint64_t>(most));
  }
  return kept;
}

}  // namespace siftsearch::kernel
