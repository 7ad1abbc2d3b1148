#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace siftsearch::kernel {

/// Queries are handled in groups of this many; what is left over is filled with lanes that accept
/// no row.
inline constexpr std::size_t kLanes = 16;

/// The k best rows of many queries, as one thread has met them. A query keeps up to twice k keys
/// and falls back to the k smallest when they are full, so an insertion costs a constant on
/// average. Rows must come in ascending order: a later row with the same distance as the k-th
/// loses.
class NearestRows {
 public:
  /// A key orders by distance, then row: 27 bits of distance (2,048 · 255²), 36 bits of row.
  static constexpr int kRowBits = 36;
  static std::uint64_t Key(std::int32_t distance, std::int64_t row) {
    return static_cast<std::uint64_t>(distance) << kRowBits | static_cast<std::uint64_t>(row);
  }

  NearestRows(std::size_t queries, int k);

  /// One a lane: rows at this distance or above are not among the k best.
  const std::int32_t* limits() const { return limits_.data(); }

  void Insert(std::size_t query, std::int32_t distance, std::int64_t row);

  /// Keys held for a query, in no order, the k best among them.
  const std::uint64_t* keys(std::size_t query) const { return &keys_[query * capacity_]; }
  std::size_t count(std::size_t query) const { return counts_[query]; }

 private:
  const std::size_t k_;
  const std::size_t capacity_;
  std::vector<std::int32_t> limits_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint64_t> keys_;
};

/// Queries laid out as a variant reads them.
class PackedQueries {
 public:
  virtual ~PackedQueries() = default;

  /// Squared distances of `count` rows, numbered from `first_row`, to all queries; near ones go to
  /// `nearest`. Called by many threads at once, each with its own `nearest`.
  virtual void Scan(const std::uint8_t* rows, std::size_t count, std::int64_t first_row,
                    NearestRows& nearest) const = 0;
};

std::unique_ptr<PackedQueries> PackPortable(const std::uint8_t* queries, std::size_t count,
                                            int dim);
std::unique_ptr<PackedQueries> PackAvx2(const std::uint8_t* queries, std::size_t count, int dim);
std::unique_ptr<PackedQueries> PackAvx512Vnni(const std::uint8_t* queries, std::size_t count,
                                              int dim);

/// |q|² of each query, padded with zeros to whole groups.
std::vector<std::int32_t> PaddedNorms(const std::uint8_t* queries, std::size_t count, int dim);

}  // namespace siftsearch::kernel
