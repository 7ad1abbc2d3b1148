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
  /// A word whose rows a descriptor meets.
  struct Meeting {
    std::uint32_t word = 0;
    std::uint32_t descriptor = 0;
    kernel::SoughtSignature sought;
  };
  /// How many rows a descriptor is measured with, and whether they are read, not touched.
  struct Sought {
    std::size_t rows = 0;
    bool read = false;
  };
  /// Rows to be measured, and their descriptors where they are not mapped.
  struct Rows {
    std::vector<std::int64_t> numbers;
    std::vector<const std::uint8_t*> descriptors;
    std::vector<std::uint8_t> read;
  };

  Status NearestOf(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                   const Sought& sought, std::span<kernel::Neighbour> nearest) const;
  Status NearestAgain(std::span<const std::uint8_t> queries, std::span<const std::size_t> lacking,
                      const kernel::TopKOptions& options, const Sought& sought,
                      std::span<kernel::Neighbour> nearest) const;
  std::vector<Meeting> Meetings(std::span<const std::uint8_t> queries,
                                const kernel::TopKOptions& options) const;
  Status Gather(std::size_t file, std::span<const Meeting> meetings, kernel::SelectNear* select,
                std::span<LeastDiffering> gathered) const;
  std::span<const std::uint64_t> PlacesOf(LeastDiffering& gathered) const;
  bool ReadsRows(std::size_t descriptors) const;
  Status Locate(std::span<const std::uint64_t> places, bool read, Rows* rows) const;
  Status Read(std::span<const std::uint64_t> places, Rows* rows) const;
  void Measure(const std::uint8_t* query, const Rows& rows, kernel::MeasureRows* measure,
               std::span<kernel::Neighbour> nearest) const;
  void KeepNearest(std::vector<kernel::Neighbour>& measured,
                   std::span<kernel::Neighbour> nearest) const;

  const std::shared_ptr<const Snapshot> snapshot_;
  const std::vector<std::shared_ptr<const lists::TermsFile>> files_;
};

}  // namespace siftsearch::local
