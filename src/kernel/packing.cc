#include "kernel/packing.h"

#include <algorithm>
#include <cmath>

namespace siftsearch::kernel {
namespace {

std::size_t PaddedCount(std::size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

/// For each group of queries and each `step` of `padded_dim` dimensions, the `step` of each of the
/// 16 queries, each less `offset`; zeros beyond the last query and dimension.
template <typename T>
std::vector<T> Interleave(std::span<const std::uint8_t> queries, std::size_t dim, std::size_t step,
                          std::size_t padded_dim, int offset) {
  const std::size_t count = queries.size() / dim;
  std::vector<T> values(PaddedCount(count) * padded_dim);
  for (std::size_t q = 0; q < count; ++q) {
    for (std::size_t j = 0; j < dim; ++j) {
      const std::size_t at = (q / kLanes * (padded_dim / step) + j / step) * kLanes + q % kLanes;
      values[at * step + j % step] = static_cast<T>(queries[q * dim + j] - offset);
    }
  }
  return values;
}

std::vector<std::int32_t> Norms(std::span<const std::uint8_t> queries, std::size_t dim) {
  std::vector<std::int32_t> norms(PaddedCount(queries.size() / dim));
  for (std::size_t i = 0; i < queries.size(); ++i) norms[i / dim] += queries[i] * queries[i];
  return norms;
}

/// |q| / step, such that x·q' stays in 16 bits for rows of any direction.
constexpr double kMostCoarseLength = 32'767 / double{kMostScreenedLength};
/// A bound on 2 x·q that leaves every row.
constexpr float kLeaveAll = 1e30F;

struct Coarse {
  float twice_step = 0;
  float twice_rest = 0;
};

/// Writes q' = round(q / step) for the smallest step that keeps |q'| at most kMostCoarseLength.
Coarse MakeCoarse(std::span<const std::uint8_t> query, double length, std::uint8_t* coarse) {
  if (length > kMostScreenedLength) return {0, kLeaveAll};
  for (double step = std::max(1.0, length / kMostCoarseLength);; step *= 1.01) {
    double norm = 0, rest = 0;
    for (std::size_t j = 0; j < query.size(); ++j) {
      const double rounded = std::floor(query[j] / step + 0.5);
      coarse[j] = static_cast<std::uint8_t>(rounded);
      norm += rounded * rounded;
      rest += (query[j] - step * rounded) * (query[j] - step * rounded);
    }
    if (norm > kMostCoarseLength * kMostCoarseLength) continue;
    return {static_cast<float>(2 * step), static_cast<float>(2 * std::sqrt(rest))};
  }
}

}  // namespace

void Packing::AddCoarse(std::span<const std::uint8_t> queries, std::size_t dim) {
  std::vector<std::uint8_t> coarse(queries.size());
  steps_.resize(norms_.size());
  rests_.resize(norms_.size());
  for (std::size_t q = 0; q < queries.size() / dim; ++q) {
    const Coarse made = MakeCoarse(queries.subspan(q * dim, dim),
                                   std::sqrt(static_cast<double>(norms_[q])), &coarse[q * dim]);
    steps_[q] = made.twice_step;
    rests_[q] = made.twice_rest;
  }
  coarse_ = Interleave<std::int8_t>(coarse, dim, 4, dim, 0);
}

Packing::Packing(Variant variant, std::span<const std::uint8_t> queries, std::size_t dim)
    : norms_(Norms(queries, dim)) {
  switch (variant) {
    case Variant::kPortable:
      words_.assign(queries.begin(), queries.end());
      break;
    case Variant::kAvx2:
      words_ = Interleave<std::int16_t>(queries, dim, 2, dim, 0);
      AddCoarse(queries, dim);
      break;
    case Variant::kAvx512Vnni:
      bytes_ = Interleave<std::uint8_t>(queries, dim, 4, dim, 128);
      break;
    case Variant::kAmxInt8:
      bytes_ = Interleave<std::uint8_t>(queries, dim, 4, PaddedToTiles(dim), 0);
      break;
    case Variant::kNeonDotprod:
      bytes_ = Interleave<std::uint8_t>(queries, dim, 4, dim, 0);
      break;
  }
  const void* values = words_.empty() ? static_cast<const void*>(bytes_.data()) : words_.data();
  view_ = {values,         norms_.data(),  norms_.size() / kLanes, queries.size() / dim, dim,
           queries.data(), coarse_.data(), steps_.data(),          rests_.data()};
}

}  // namespace siftsearch::kernel
