#include "engine/batch_search.h"

#include <chrono>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"

namespace siftsearch::engine {
namespace {

/// Bytes that one query descriptor takes while its batch is searched: its features, its
/// neighbours, and its voted pairs.
constexpr std::int64_t kBytesPerDescriptor = 1024;

}  // namespace

Status BatchSearch::Add(BatchQuery query) {
  bytes_ += static_cast<std::int64_t>(query.features.size()) * kBytesPerDescriptor;
  queries_.push_back(std::move(query));
  return bytes_ >= options_.batch_bytes ? Flush() : Status();
}

Status BatchSearch::Flush() {
  if (queries_.empty()) return {};
  std::vector<SearchQuery> searches;
  std::size_t descriptors = 0;
  for (const BatchQuery& query : queries_) {
    searches.push_back({&query.features, query.content});
    descriptors += query.features.size();
  }
  const auto start = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const auto voted, impl_.backend->Search(searches, {.neighbours = options_.neighbours,
                                                         .max_candidates = options_.max_candidates,
                                                         .threads = impl_.threads}));
  const double search_ms = MillisecondsSince(start);
  std::vector<std::vector<VerifiedContent>> verified(queries_.size());
  // Many queries keep the threads busy; a single one has them for its candidates.
  const int inner_threads = queries_.size() == 1 ? impl_.threads : 1;
  ParallelFor(queries_.size(), impl_.threads, [&](std::size_t i) {
    BatchQuery& query = queries_[i];
    const auto verify_start = Clock::now();
    verified[i] = VerifyCandidates({&query.features, voted[i], options_.images_searched,
                                    options_.min_score, options_.keep_points},
                                   inner_threads);
    query.timings.verify_ms = MillisecondsSince(verify_start);
    if (descriptors > 0) {
      query.timings.search_ms =
          search_ms * static_cast<double>(query.features.size()) / static_cast<double>(descriptors);
    }
  });
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    SIFTSEARCH_RETURN_IF_ERROR(sink_(queries_[i], std::move(verified[i])));
  }
  queries_.clear();
  bytes_ = 0;
  return {};
}

}  // namespace siftsearch::engine
