#pragma once

#include <faiss/Index.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernel/topk.h"
#include "siftsearch/status.h"

namespace siftsearch::index {

/// Consecutive rows that carry one id.
struct IdRange {
  std::int64_t first_row = 0;
  std::int64_t count = 0;
  std::int64_t id = 0;
};

/// Exact `IDMap,Flat` (squared L2) over descriptor bytes that lie elsewhere, usually in mapped
/// segments: the neighbours, distances and ids of faiss::IndexIDMap over faiss::IndexFlatL2 at a
/// quarter of the memory. Equal distances are ordered by row. Immutable: `add` and `reset` throw
/// faiss::FaissException. Searches may run on several threads at once.
class ByteFlatIndex : public faiss::Index {
 public:
  /// `rows` in ascending order, borrowed for the life of the index; `ids` ascending, covering every
  /// row.
  ByteFlatIndex(int dim, std::vector<kernel::RowSpan> rows, std::vector<IdRange> ids,
                kernel::Variant variant, int threads);

  /// Faiss's search: n × d floats that are whole numbers from 0 to 255, else FaissException. Labels
  /// are ids, -1 (with an infinite distance) where fewer than k rows exist.
  void search(idx_t n, const float* x, idx_t k, float* distances, idx_t* labels,
              const faiss::SearchParameters* params = nullptr) const override;

  [[noreturn]] void add(idx_t n, const float* x) override;
  [[noreturn]] void reset() override;

  /// Id of a row.
  std::int64_t IdOf(std::int64_t row) const;

 private:
  const std::vector<kernel::RowSpan> rows_;
  const std::vector<IdRange> ids_;
  const kernel::Variant variant_;
  const int threads_;
};

/// Writes the rows as a stock `IDMap,Flat` file (IndexIDMap over IndexFlatL2, floats). Takes 512
/// bytes of memory a row for a dimension of 128. On an error nothing is left at `file`.
Status WriteFaissFlat(int dim, std::span<const kernel::RowSpan> rows, std::span<const IdRange> ids,
                      const std::string& file);

}  // namespace siftsearch::index
