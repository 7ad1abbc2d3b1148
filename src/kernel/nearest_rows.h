#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace siftsearch::kernel {

/// The k nearest rows of many queries, as one thread has met them. A query keeps up to twice k keys
/// and falls back to the k smallest when they are full, so an insertion costs a constant on
/// average. No method allocates after construction.
class NearestRows {
 public:
  /// A key orders by distance, then row: 27 bits of distance (2,048 · 255²), 36 bits of row.
  static constexpr int kRowBits = 36;
  /// Limits of a query that accepts every row, and of a padding lane that accepts none. Far from
  /// the ends of int32, so that a variant may add norms to them.
  static constexpr std::int32_t kAcceptAll = 1 << 30;
  static constexpr std::int32_t kAcceptNone = -(1 << 30);

  NearestRows(std::size_t queries, int k);
  /// Rows at their query's limit or above are not accepted.
  NearestRows(std::span<const std::int32_t> limits, int k);

  /// Bytes that an object takes for each query.
  static std::size_t BytesPerQuery(int k);

  /// One for each query, padded to whole groups of kLanes: rows at this distance or above, met
  /// after those inserted so far, are not among the k nearest.
  const std::int32_t* limits() const;

  /// Rows of a query must come in ascending order. A row at or above the limit does no harm.
  void Insert(std::size_t query, std::int32_t distance, std::int64_t row);

  /// Adds what another object holds for a query.
  void Absorb(const NearestRows& other, std::size_t query);

  /// Keys of the k nearest rows of a query, or of fewer, in order.
  std::span<const std::uint64_t> Sort(std::size_t query);

 private:
  void Push(std::size_t query, std::uint64_t key);

  const std::size_t k_;
  const std::size_t capacity_;
  std::vector<std::int32_t> limits_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint64_t> keys_;
};

}  // namespace siftsearch::kernel
