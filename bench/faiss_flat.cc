#include "faiss_flat.h"

#include <omp.h>

#include <algorithm>

#include "siftsearch/types.h"

extern "C" void openblas_set_num_threads(int);

namespace siftsearch::bench {

using faiss::Index;

FaissFlat::FaissFlat(const Bytes& rows, const Bytes& queries)
    : index_(kDescriptorBytes), queries_(queries.begin(), queries.end()) {
  constexpr std::size_t kBlock = 100'000 * kDescriptorBytes;
  index_.codes.reserve(rows.size() * sizeof(float));
  for (std::size_t i = 0; i < rows.size(); i += kBlock) {
    const std::size_t end = std::min(rows.size(), i + kBlock);
    const std::vector<float> block(rows.begin() + i, rows.begin() + end);
    index_.add(static_cast<Index::idx_t>((end - i) / kDescriptorBytes), block.data());
  }
}

double FaissFlat::Search(std::size_t k, FaissThreads threads) {
  omp_set_num_threads(threads.omp);
  openblas_set_num_threads(threads.openblas);
  const std::size_t n = queries_.size() / kDescriptorBytes;
  k_ = k;
  distances_.resize(n * k);
  labels_.resize(n * k);
  return Seconds([&] {
    index_.search(static_cast<Index::idx_t>(n), queries_.data(), static_cast<Index::idx_t>(k),
                  distances_.data(), labels_.data());
  });
}

bool FaissFlat::Agrees(const std::vector<kernel::Neighbour>& ours) const {
  if (ours.size() != labels_.size()) return false;
  for (std::size_t first = 0; first < ours.size(); first += k_) {
    if (!QueryAgrees(&ours[first], first)) return false;
  }
  return true;
}

bool FaissFlat::QueryAgrees(const kernel::Neighbour* ours, std::size_t first) const {
  const Index::idx_t* labels = &labels_[first];
  for (std::size_t begin = 0; begin < k_;) {
    std::size_t end = begin;  // Of the run of rows with one distance.
    for (; end < k_ && ours[end].distance == ours[begin].distance; ++end) {
      if (ours[end].row >= 0 && static_cast<float>(ours[end].distance) != distances_[first + end]) {
        return false;
      }
    }
    // Rows beyond the k-th may have the last distance, too: any of them is right.
    const auto same = [](const auto& a, const auto& b) { return a == b; };
    std::vector<Index::idx_t> rows;
    for (std::size_t i = begin; i < end; ++i) rows.push_back(ours[i].row);
    if (end < k_ && !std::is_permutation(rows.begin(), rows.end(), labels + begin, same)) {
      return false;
    }
    begin = end;
  }
  return true;
}

std::vector<FaissTrial> TryFaissThreads(FaissFlat& faiss, std::size_t k, int max_threads) {
  std::vector<FaissTrial> trials;
  for (int omp = 1; omp <= max_threads; ++omp) {
    for (int openblas = 1; openblas <= max_threads; ++openblas) {
      const FaissThreads threads = {omp, openblas};
      trials.push_back({threads, faiss.Search(k, threads)});
    }
  }
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    for (FaissTrial& trial : trials) {
      trial.seconds = std::min(trial.seconds, faiss.Search(k, trial.threads));
    }
  }
  std::sort(trials.begin(), trials.end(),
            [](const FaissTrial& a, const FaissTrial& b) { return a.seconds < b.seconds; });
  return trials;
}

}  // namespace siftsearch::bench
