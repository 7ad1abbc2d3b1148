#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernel/topk.h"
#include "local/snapshot.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// The order of neighbours.
inline bool Nearer(const kernel::Neighbour& a, const kernel::Neighbour& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
}

/// A snapshot that is searched otherwise than row by row. Immutable, safe from several threads.
class SearchView {
 public:
  virtual ~SearchView() = default;

  virtual const Snapshot& snapshot() const = 0;

  /// As kernel::TopK over the live rows, but that neighbours may be missed.
  virtual Status Nearest(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                         const Approximation& approximation,
                         std::vector<kernel::Neighbour>* found) const = 0;

  /// A k-th neighbour that lies farther than this is no measure of chance, since nearer rows may
  /// have been missed.
  virtual double farthest_yardstick() const = 0;
};

}  // namespace siftsearch::local
