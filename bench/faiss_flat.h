#pragma once

#include <faiss/IndexFlat.h>

#include <cstddef>
#include <vector>

#include "bench_data.h"
#include "kernel/topk.h"

namespace siftsearch::bench {

/// A setting of the two thread pools that Faiss uses.
struct FaissThreads {
  int omp = 1;
  int openblas = 1;
};

/// faiss::IndexFlatL2 over the same bytes, as floats.
class FaissFlat {
 public:
  FaissFlat(const Bytes& rows, const Bytes& queries);

  /// Searches all queries; wall seconds. Conversion to floats is not part of it.
  double Search(std::size_t k, FaissThreads threads);

  /// True when the answers of the last search are ours: equal distances, and equal rows except
  /// among rows of the same distance.
  bool Agrees(const std::vector<kernel::Neighbour>& ours) const;

 private:
  bool QueryAgrees(const kernel::Neighbour* ours, std::size_t first) const;

  faiss::IndexFlatL2 index_;
  std::vector<float> queries_;
  std::size_t k_ = 0;
  std::vector<float> distances_;
  std::vector<faiss::Index::idx_t> labels_;
};

struct FaissTrial {
  FaissThreads threads;
  double seconds = 0;  ///< The fastest of six searches, the settings in turn.
};

/// All settings from 1 to `max_threads` threads of each pool, the fastest first.
std::vector<FaissTrial> TryFaissThreads(FaissFlat& faiss, std::size_t k, int max_threads);

}  // namespace siftsearch::bench
