#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernel/topk.h"
#include "lists/terms_file.h"
#include "lists/vocabulary.h"
#include "local/search_view.h"
#include "local/snapshot.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// A snapshot whose rows are looked up by terms and then measured exactly.
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
  int MostDiffering() const;
  Status NearestOf(const std::uint8_t* query, std::span<const lists::Term> probes, lists::Term mask,
                   kernel::Variant variant, std::span<kernel::Neighbour> nearest) const;
  void KeepNearest(std::vector<kernel::Neighbour>& measured,
                   std::span<kernel::Neighbour> nearest) const;

  const std::shared_ptr<const Snapshot> snapshot_;
  const std::vector<std::shared_ptr<const lists::TermsFile>> files_;
};

}  // namespace siftsearch::local
