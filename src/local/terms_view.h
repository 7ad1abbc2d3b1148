#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernel/topk.h"
#include "lists/terms_file.h"
#include "lists/vocabulary.h"
#include "local/least_differing.h"
#include "local/search_view.h"
#include "local/snapshot.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// A snapshot whose rows are found by their terms and then measured exactly.
class TermsView : public SearchView {
 public:
  /// `files`: one for each part of the snapshot, in its order.
  TermsView(std::shared_ptr<const Snapshot> snapshot,
            std::vector<std::shared_ptr<const lists::TermsFile>> files);

  const Snapshot& snapshot() const override { return *snapshot_; }
  const std::vector<std::shared_ptr<const lists::TermsFile>>& files() const { return files_; }

  /// kCorrupt: a file of terms is damaged.
  Status Nearest(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                 const Approximation& approximation,
                 std::vector<kernel::Neighbour>* found) const override;
  double farthest_yardstick() const override;

 private:
  /// Probes, so many for each descriptor, and the order of their words.
  struct OrderedProbes {
    std::span<const lists::Probe> probes;
    std::span<const std::uint32_t> order;
    std::size_t words = 0;
  };
  struct Located {
    const std::uint8_t* bytes = nullptr;
    std::int64_t row = 0;
  };

  Status NearestOf(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                   std::size_t wanted, std::span<kernel::Neighbour> nearest) const;
  Status NearestAgain(std::span<const std::uint8_t> queries, std::span<const std::size_t> lacking,
                      const kernel::TopKOptions& options, std::size_t wanted,
                      std::span<kernel::Neighbour> nearest) const;
  Status Gather(std::size_t file, const OrderedProbes& probes, kernel::SelectNear* select,
                std::span<LeastDiffering> gathered) const;
  Result<std::vector<Located>> Locate(std::span<const std::uint64_t> places) const;
  void Measure(const std::uint8_t* query, std::span<const Located> rows,
               kernel::MeasureRows* measure, std::span<kernel::Neighbour> nearest) const;
  void KeepNearest(std::vector<kernel::Neighbour>& measured,
                   std::span<kernel::Neighbour> nearest) const;

  const std::shared_ptr<const Snapshot> snapshot_;
  const std::vector<std::shared_ptr<const lists::TermsFile>> files_;
};

}  // namespace siftsearch::local
