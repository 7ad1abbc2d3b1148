#include "index/byte_flat_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/FaissException.h>
#include <faiss/index_io.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <new>

namespace siftsearch::index {
namespace {

std::vector<std::uint8_t> ToBytes(const float* x, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!(x[i] >= 0 && x[i] <= 255) || x[i] != static_cast<std::uint8_t>(x[i])) {
      throw faiss::FaissException(
          fmt::format("value {} of the queries is {}, not a whole number from 0 to 255", i, x[i]));
    }
    bytes[i] = static_cast<std::uint8_t>(x[i]);
  }
  return bytes;
}

std::int64_t CountRows(std::span<const kernel::RowSpan> rows) {
  std::int64_t total = 0;
  for (const kernel::RowSpan& span : rows) total += static_cast<std::int64_t>(span.count);
  return total;
}

std::int64_t FindId(std::span<const IdRange> ids, std::int64_t row) {
  const auto after =
      std::upper_bound(ids.begin(), ids.end(), row,
                       [](std::int64_t r, const IdRange& range) { return r < range.first_row; });
  return after == ids.begin() ? -1 : std::prev(after)->id;
}

}  // namespace

ByteFlatIndex::ByteFlatIndex(int dim, std::vector<kernel::RowSpan> rows, std::vector<IdRange> ids,
                             kernel::Variant variant, int threads)
    : faiss::Index(dim, faiss::METRIC_L2),
      rows_(std::move(rows)),
      ids_(std::move(ids)),
      variant_(variant),
      threads_(threads) {
  ntotal = CountRows(rows_);
}

std::int64_t ByteFlatIndex::IdOf(std::int64_t row) const { return FindId(ids_, row); }

void ByteFlatIndex::search(idx_t n, const float* x, idx_t k, float* distances, idx_t* labels,
                           const faiss::SearchParameters* params) const {
  if (params != nullptr) throw faiss::FaissException("search parameters are not supported");
  const std::vector<std::uint8_t> queries = ToBytes(x, static_cast<std::size_t>(n) * d);
  std::vector<kernel::Neighbour> found;
  kernel::TopKOptions options;
  options.k = static_cast<int>(k);
  options.threads = threads_;
  options.variant = variant_;
  if (const Status status = kernel::TopK(rows_, d, queries, options, &found); !status.ok()) {
    throw faiss::FaissException(status.message());
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool none = found[i].row < 0;
    labels[i] = none ? -1 : IdOf(found[i].row);
    distances[i] =
        none ? std::numeric_limits<float>::infinity() : static_cast<float>(found[i].distance);
  }
}

void ByteFlatIndex::add(idx_t, const float*) {
  throw faiss::FaissException("this index is a view of stored segments; nothing can be added");
}

void ByteFlatIndex::reset() {
  throw faiss::FaissException("this index is a view of stored segments; it can't be reset");
}

Status WriteFaissFlat(int dim, std::span<const kernel::RowSpan> rows, std::span<const IdRange> ids,
                      const std::string& file) {
  try {
    faiss::IndexFlatL2 flat(dim);
    faiss::IndexIDMap map(&flat);
    for (const kernel::RowSpan& span : rows) {
      const std::vector<float> values(span.rows, span.rows + span.count * dim);
      std::vector<faiss::Index::idx_t> labels;
      for (std::size_t r = 0; r < span.count; ++r) {
        labels.push_back(FindId(ids, span.first_row + static_cast<std::int64_t>(r)));
      }
      map.add_with_ids(static_cast<faiss::Index::idx_t>(span.count), values.data(), labels.data());
    }
    faiss::write_index(&map, file.c_str());
  } catch (const std::bad_alloc&) {
    return {
        StatusCode::kOutOfMemory,
        fmt::format("{}: not enough memory for {} descriptors as floats", file, CountRows(rows))};
  } catch (const faiss::FaissException& error) {
    std::remove(file.c_str());
    return {StatusCode::kIoError, fmt::format("{}: can't be written: {}", file, error.what())};
  }
  return {};
}

}  // namespace siftsearch::index
