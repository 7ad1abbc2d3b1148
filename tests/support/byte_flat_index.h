#pragma once

#include <faiss/Index.h>

#include <cstdint>
#include <span>
#include <vector>

#include "index/faiss_file.h"
#include "index/id_range.h"
#include "kernel/topk.h"
#include "siftsearch/status.h"

namespace siftsearch::index {

/// Exact `IDMap,Flat` (squared L2) over descriptor bytes that lie elsewhere, usually in mapped
/// segments: the neighbours, distances and ids of faiss::IndexIDMap over faiss::IndexFlatL2 at a
/// quarter of the memory. Equal distances are ordered by row. Immutable: `add` and `reset` throw
/// faiss::FaissException. Searches may run on several threads at once.
class ByteFlatIndex : public faiss::Index {
 public:
  /// `rows` in ascending order, borrowed for the life of the index; `ids` ascending. `dim`, `k` and
  /// `variant` have the bounds of kernel::TopK, which reports what is outside them.
  ByteFlatIndex(int dim, std::vector<kernel::RowSpan> rows, std::vector<IdRange> ids,
                kernel::Variant variant, int threads);

  /// Faiss's search: n × d floats that are whole numbers from 0 to 255, else FaissException that
  /// names the value. Labels are ids; -1 for a row in no range and, with the largest float as its
  /// distance, where fewer than k rows exist.
  void search(idx_t n, const float* x, idx_t k, float* distances, idx_t* labels,
              const faiss::SearchParameters* params = nullptr) const override;

  /// The same over n × d bytes, with rows for labels and exact whole distances: n × k neighbours.
  Result<std::vector<kernel::Neighbour>> SearchRows(std::span<const std::uint8_t> queries,
                                                    int k) const;

  [[noreturn]] void add(idx_t n, const float* x) override;
  [[noreturn]] void reset() override;

  /// Id of a row, -1 for a row in no range.
  std::int64_t IdOf(std::int64_t row) const { return FindId(ids_, row); }

 private:
  const std::vector<kernel::RowSpan> rows_;
  const std::vector<IdRange> ids_;
  const kernel::Variant variant_;
  const int threads_;
};

}  // namespace siftsearch::index
