#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "index/approximate_index.h"
#include "kernel/topk.h"
#include "local/search_view.h"
#include "local/snapshot.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// How far an index and a snapshot agree. Contents are what both go by: their numbers are never
/// used again, and merges of segments keep them.
struct Coverage {
  std::int64_t covered = 0;                      ///< Live rows that the index holds.
  std::int64_t gone = 0;                         ///< Rows of the index that are not live any more.
  std::int64_t uncovered = 0;                    ///< Live rows that the index lacks.
  std::vector<index::ContentRows> to_add;        ///< The contents of `uncovered`, by segment.
  std::vector<kernel::RowSpan> uncovered_spans;  ///< Their rows.
};

/// `contents` are those of the index; none: everything is uncovered.
Coverage Measure(const Snapshot& snapshot, std::span<const index::IndexedContent> contents);

/// False when the index holds other descriptors of a content than the snapshot (which must be
/// verified): it was made for another database.
bool IsIndexOf(const Snapshot& snapshot, std::span<const index::IndexedContent> contents,
               int threads);

/// A snapshot searched with an index: what the index holds of it by the index, the rest exactly.
/// Immutable.
class IndexView : public SearchView {
 public:
  IndexView(std::shared_ptr<const Snapshot> snapshot,
            std::shared_ptr<const index::ApproximateIndex> index);

  const Snapshot& snapshot() const override { return *snapshot_; }
  Status Nearest(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                 const Approximation& approximation,
                 std::vector<kernel::Neighbour>* found) const override;
  double farthest_yardstick() const override;

 private:
  /// Where the rows of an indexed content lie.
  struct Block {
    std::int64_t first_label = 0;
    std::int64_t first_row = 0;          ///< In the snapshot.
    const std::uint8_t* rows = nullptr;  ///< Null: not live.
  };
  Status NearestOfPart(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                       int candidates, const Approximation& approximation,
                       kernel::Neighbour* found) const;
  void Rank(const std::uint8_t* query, bool rerank,
            std::span<const index::ApproximateIndex::Candidate> candidates,
            std::vector<kernel::Neighbour>* ranked) const;

  const std::shared_ptr<const Snapshot> snapshot_;
  const std::shared_ptr<const index::ApproximateIndex> index_;
  std::vector<Block> blocks_;  ///< By ascending label.
  std::vector<kernel::RowSpan> uncovered_;
};

}  // namespace siftsearch::local
