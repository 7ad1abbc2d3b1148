#include "kernel/nearest_rows.h"

#include <algorithm>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

std::size_t Capacity(int k) { return 2 * static_cast<std::size_t>(k) + 6; }

}  // namespace

NearestRows::NearestRows(std::size_t queries, int k)
    : k_(static_cast<std::size_t>(k)), capacity_(Capacity(k)) {
  limits_.assign((queries + kLanes - 1) / kLanes * kLanes, kAcceptNone);
  std::fill_n(limits_.begin(), queries, kAcceptAll);
  counts_.assign(queries, 0);
  keys_.resize(queries * capacity_);
}

NearestRows::NearestRows(std::span<const std::int32_t> limits, int k)
    : NearestRows(limits.size(), k) {
  std::copy(limits.begin(), limits.end(), limits_.begin());
}

std::size_t NearestRows::BytesPerQuery(int k) { return Capacity(k) * sizeof(std::uint64_t); }

const std::int32_t* NearestRows::limits() const { return limits_.data(); }

void NearestRows::Insert(std::size_t query, std::int32_t distance, std::int64_t row) {
  Push(query, static_cast<std::uint64_t>(distance) << kRowBits | static_cast<std::uint64_t>(row));
}

void NearestRows::Push(std::size_t query, std::uint64_t key) {
  std::uint64_t* keys = &keys_[query * capacity_];
  std::uint32_t& count = counts_[query];
  keys[count++] = key;
  if (count < capacity_) return;
  std::nth_element(keys, keys + (k_ - 1), keys + count);
  count = static_cast<std::uint32_t>(k_);
  limits_[query] = static_cast<std::int32_t>(keys[k_ - 1] >> kRowBits);
}

void NearestRows::Absorb(const NearestRows& other, std::size_t query) {
  const std::uint64_t* keys = &other.keys_[query * capacity_];
  for (std::size_t i = 0; i < other.counts_[query]; ++i) Push(query, keys[i]);
}

std::span<const std::uint64_t> NearestRows::Sort(std::size_t query) {
  std::uint64_t* keys = &keys_[query * capacity_];
  const std::size_t found = std::min<std::size_t>(counts_[query], k_);
  std::partial_sort(keys, keys + found, keys + counts_[query]);
  return {keys, found};
}

}  // namespace siftsearch::kernel
