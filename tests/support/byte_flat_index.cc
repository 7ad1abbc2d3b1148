#include "support/byte_flat_index.h"

#include <faiss/impl/FaissException.h>
#include <fmt/format.h>

#include <limits>
#include <utility>

namespace siftsearch::index {
namespace {

std::vector<std::uint8_t> ToBytes(const float* x, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!(x[i] >= 0 && x[i] <= 255) || x[i] != static_cast<float>(static_cast<int>(x[i]))) {
      throw faiss::FaissException(
          fmt::format("value {} of the queries is {}, not a whole number from 0 to 255", i, x[i]));
    }
    bytes[i] = static_cast<std::uint8_t>(x[i]);
  }
  return bytes;
}

}  // namespace

ByteFlatIndex::ByteFlatIndex(int dim, std::vector<kernel::RowSpan> rows, std::vector<IdRange> ids,
                             kernel::Variant variant, int threads)
    : faiss::Index(dim, faiss::METRIC_L2),
      rows_(std::move(rows)),
      ids_(std::move(ids)),
      variant_(variant),
      threads_(threads) {
  for (const kernel::RowSpan& span : rows_) ntotal += static_cast<idx_t>(span.count);
}

Result<std::vector<kernel::Neighbour>> ByteFlatIndex::SearchRows(
    std::span<const std::uint8_t> queries, int k) const {
  std::vector<kernel::Neighbour> found;
  const kernel::TopKOptions options{.k = k, .threads = threads_, .variant = variant_};
  if (Status status = kernel::TopK(rows_, d, queries, options, &found); !status.ok()) {
    return status;
  }
  return found;
}

void ByteFlatIndex::search(idx_t n, const float* x, idx_t k, float* distances, idx_t* labels,
                           const faiss::SearchParameters* params) const {
  if (params != nullptr) throw faiss::FaissException("search parameters are not supported");
  if (n < 0) throw faiss::FaissException("the number of queries is negative");
  if (k != static_cast<int>(k)) throw faiss::FaissException(fmt::format("k is {}", k));
  const auto found = SearchRows(ToBytes(x, static_cast<std::size_t>(n) * d), static_cast<int>(k));
  if (!found.ok()) throw faiss::FaissException(found.status().message());
  for (const kernel::Neighbour& neighbour : found.value()) {
    const bool none = neighbour.row < 0;
    *labels++ = none ? -1 : IdOf(neighbour.row);
    *distances++ =
        none ? std::numeric_limits<float>::max() : static_cast<float>(neighbour.distance);
  }
}

void ByteFlatIndex::add(idx_t, const float*) {
  throw faiss::FaissException("this index is a view of stored segments; nothing can be added");
}

void ByteFlatIndex::reset() {
  throw faiss::FaissException("this index is a view of stored segments; it can't be reset");
}

}  // namespace siftsearch::index
