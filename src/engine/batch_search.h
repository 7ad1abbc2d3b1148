#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/impl.h"
#include "siftsearch/results.h"

namespace siftsearch::engine {

/// A picture to search for: a stored content, or a file.
struct BatchQuery {
  std::int64_t content = 0;  ///< Positive: its own rows are passed over.
  FeatureSet features;
  std::int64_t order = 0;                          ///< For the sink: its place among all queries.
  ImageRecord file;                                ///< Of a file that is not (looked up as) stored.
  std::optional<std::vector<std::uint8_t>> bytes;  ///< Of a picture that is no file.
  bool confirmed = false;  ///< Somebody confirmed a copy of it: no score is too low.
  Status error;            ///< Not ok: nothing is searched; the query goes through in its place.
  Timings timings;
};

struct BatchOptions {
  int neighbours = 10;
  int max_candidates = 30;
  double min_score = 0;
  double max_log10_false_alarms = 9;
  std::int64_t batch_bytes = 0;  ///< Memory for the queries of one pass over the database.
  double images_searched = 1;
  bool keep_points = false;
  int form_features = 0;  ///< Strongest descriptors searched mirrored and inverted, too; 0: none.
  Approximation approximation = {};
  CallOptions call = {};
};

/// Gathers queries into batches that fit the memory budget, searches a batch in one pass over the
/// database, verifies, and hands the queries on in the order given. Used from one thread.
class BatchSearch {
 public:
  using Sink = std::function<Status(const BatchQuery&, std::vector<VerifiedContent>)>;

  /// `impl` and `snapshot`, which is searched, must outlive it.
  BatchSearch(const Engine::Impl& impl, const BackendSnapshot& snapshot,
              const BatchOptions& options, Sink sink)
      : impl_(impl), snapshot_(snapshot), options_(options), sink_(std::move(sink)) {}

  Status Add(BatchQuery query);
  /// Searches for what is gathered. Called at the end, too.
  Status Flush();

 private:
  /// The forms of all queries, query by query.
  std::vector<QueryForm> Forms() const;
  Result<FeatureSet> FeaturesOf(std::int64_t content) const;
  /// By query, the contents that look like it; empty where no query is to be found by its look.
  Result<std::vector<std::vector<AlikeContent>>> FindAlike() const;

  const Engine::Impl& impl_;
  const BackendSnapshot& snapshot_;
  const BatchOptions options_;
  const Sink sink_;
  std::vector<BatchQuery> queries_;
  std::int64_t bytes_ = 0;
};

}  // namespace siftsearch::engine
