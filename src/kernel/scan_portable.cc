#include <algorithm>

#include "kernel/scan.h"

namespace siftsearch::kernel {

NearestRows::NearestRows(std::size_t queries, int k)
    : k_(static_cast<std::size_t>(k)), capacity_(2 * k_ + 6) {
  const std::size_t padded = (queries + kLanes - 1) / kLanes * kLanes;
  limits_.assign(padded, INT32_MIN);
  std::fill_n(limits_.begin(), queries, INT32_MAX);
  counts_.assign(queries, 0);
  keys_.resize(queries * capacity_);
}

void NearestRows::Insert(std::size_t query, std::int32_t distance, std::int64_t row) {
  std::uint64_t* keys = &keys_[query * capacity_];
  std::uint32_t& count = counts_[query];
  keys[count++] = Key(distance, row);
  if (count < capacity_) return;
  std::nth_element(keys, keys + (k_ - 1), keys + count);
  count = static_cast<std::uint32_t>(k_);
  limits_[query] = static_cast<std::int32_t>(keys[k_ - 1] >> kRowBits);
}

std::vector<std::int32_t> PaddedNorms(const std::uint8_t* queries, std::size_t count, int dim) {
  std::vector<std::int32_t> norms((count + kLanes - 1) / kLanes * kLanes);
  for (std::size_t i = 0; i < count; ++i) {
    for (int j = 0; j < dim; ++j) norms[i] += queries[i * dim + j] * queries[i * dim + j];
  }
  return norms;
}

namespace {

/// Widened to 16 bit, which compilers turn into the multiply-and-add of any SIMD set.
class PortableQueries : public PackedQueries {
 public:
  PortableQueries(const std::uint8_t* queries, std::size_t count, int dim)
      : count_(count),
        dim_(dim),
        values_(queries, queries + count * dim),
        norms_(PaddedNorms(queries, count, dim)) {}

  void Scan(const std::uint8_t* rows, std::size_t count, std::int64_t first_row,
            NearestRows& nearest) const override {
    std::vector<std::int16_t> wide(kBlockRows * dim_);
    for (std::size_t start = 0; start < count; start += kBlockRows) {
      const std::size_t block = std::min(kBlockRows, count - start);
      std::copy_n(rows + start * dim_, block * dim_, wide.begin());
      ScanBlock(wide, block, first_row + static_cast<std::int64_t>(start), nearest);
    }
  }

 private:
  static constexpr std::size_t kBlockRows = 64;

  std::int32_t Dot(const std::int16_t* a, const std::int16_t* b) const {
    std::int32_t sum = 0;
    for (int j = 0; j < dim_; ++j) sum += std::int32_t{a[j]} * b[j];
    return sum;
  }

  void ScanBlock(const std::vector<std::int16_t>& wide, std::size_t block, std::int64_t first_row,
                 NearestRows& nearest) const {
    std::int32_t norms[kBlockRows];
    for (std::size_t r = 0; r < block; ++r) norms[r] = Dot(&wide[r * dim_], &wide[r * dim_]);
    for (std::size_t q = 0; q < count_; ++q) {
      const std::int16_t* query = &values_[q * dim_];
      for (std::size_t r = 0; r < block; ++r) {
        const std::int32_t distance = norms[r] + norms_[q] - 2 * Dot(query, &wide[r * dim_]);
        if (distance < nearest.limits()[q]) {
          nearest.Insert(q, distance, first_row + static_cast<std::int64_t>(r));
        }
      }
    }
  }

  const std::size_t count_;
  const int dim_;
  const std::vector<std::int16_t> values_;
  const std::vector<std::int32_t> norms_;
};

}  // namespace

std::unique_ptr<PackedQueries> PackPortable(const std::uint8_t* queries, std::size_t count,
                                            int dim) {
  return std::make_unique<PortableQueries>(queries, count, dim);
}

}  // namespace siftsearch::kernel
