#include "kernel/packing.h"

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

}  // namespace

Packing::Packing(Variant variant, std::span<const std::uint8_t> queries, std::size_t dim)
    : norms_(Norms(queries, dim)) {
  switch (variant) {
    case Variant::kPortable:
      words_.assign(queries.begin(), queries.end());
      break;
    case Variant::kAvx2:
      words_ = Interleave<std::int16_t>(queries, dim, 2, dim, 0);
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
  view_ = {values, norms_.data(), norms_.size() / kLanes, queries.size() / dim, dim};
}

}  // namespace siftsearch::kernel
