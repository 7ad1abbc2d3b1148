#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/picture_file.h"
#include "engine/verdict_book.h"
#include "features/extractor.h"
#include "features/forms.h"
#include "image/decode.h"
#include "kernel/topk.h"
#include "siftsearch/engine.h"

namespace siftsearch {

/// Parts that the verbs share.
struct Engine::Impl {
  std::unique_ptr<SearchBackend> backend;
  std::unique_ptr<features::FeatureExtractor> extractor;
  InputLimits limits;
  int threads = 1;
  kernel::Variant kernel = kernel::Variant::kPortable;  ///< Matches pictures alone.
  bool look_at_files = true;                            ///< As of EngineOptions.

  std::mutex verdicts_mutex;  ///< Guards what follows.
  std::int64_t verdicts_generation = 0;
  std::shared_ptr<const engine::VerdictBook> verdicts;  ///< Of that generation; null: none known.

  /// The newest commit, its answers checked (engine/checked_snapshot.h). Each of the engine's
  /// answers is read from one.
  SIFTSEARCH_HIDDEN Result<std::shared_ptr<const BackendSnapshot>> Pin() const;
  /// The verdicts of a snapshot, read once for each commit.
  SIFTSEARCH_HIDDEN Result<std::shared_ptr<const engine::VerdictBook>> VerdictsOf(
      const BackendSnapshot& snapshot);

  image::DecodeLimits decode_limits() const {
    return {.max_pixels = limits.max_pixels, .max_file_bytes = limits.max_file_bytes};
  }
};

namespace engine {

using Clock = std::chrono::steady_clock;

inline double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct ExtractionOptions {
  int preview_quality = 0;     ///< Of the preview's JPEG.
  int threads = 1;             ///< For this picture alone.
  Timings* timings = nullptr;  ///< Where to put the times of decoding and extracting.
};

/// Decodes and extracts, with a preview.
Result<FeatureSet> FeaturesOf(const Engine::Impl& impl, const features::FeatureExtractor& extractor,
                              std::span<const std::uint8_t> bytes,
                              const ExtractionOptions& options);

/// Says of a match with equal bytes that its image is the very file of the query, where it is.
inline void NameSameFile(const std::string& query, Match& match) {
  const std::string same = SameFile(query, match.image.path);
  if (!same.empty()) match.relation = same;
}

/// For queried files: keeps `multiple` times the descriptors of a stored image, and with more than
/// one time fainter ones, too, since a copy may be fainter than its original.
/// kInvalidArgument for a multiple out of range.
Result<std::unique_ptr<features::FeatureExtractor>> QueryExtractor(const Engine::Impl& impl,
                                                                   double multiple);

/// A verified content: the match without its image and rank.
struct VerifiedContent {
  std::int64_t content = 0;
  double log_odds = 0;  ///< Of the score.
  double close = 0;     ///< Sum of the weights of the agreeing votes.
  /// The agreeing votes: index of the query's point, and how many other contents have it.
  std::vector<std::pair<std::int32_t, double>> common;
  bool has_pixels = false;  ///< Pixels could be compared.
  Transform image_from_form{};
  std::size_t form = 0;  ///< Index of the form that it was found in.
  Match match;
};

/// A query in one of its forms, with what was voted for.
struct QueryForm {
  std::size_t query = 0;  ///< Index of the query.
  features::Form form;
  FeatureSet features;
  std::vector<VotedContent> candidates;
  std::vector<NearRow> nearest = {};  ///< As of SearchResult.
};

/// Stored features of a content; kNotFound when it was removed meanwhile. Called from many threads.
using FeaturesOfContent = std::function<Result<FeatureSet>(std::int64_t)>;

struct VerifyInput {
  FeaturesOfContent features_of;
  std::span<const QueryForm> forms;       ///< Of one query, the picture itself first.
  std::span<const std::uint8_t> preview;  ///< Of the query.
  kernel::Variant kernel = kernel::Variant::kPortable;
  double images_searched = 1;
  double min_score = 0;
  double max_log10_false_alarms = 9;
  bool itself = false;       ///< The contents are the query: places that repeat are looked for.
  bool keep_points = false;  ///< Fill Match::inlier_points.
};

/// Verifies candidates geometrically, on `threads` threads, looks closer at the best, and ranks
/// them: by odds, then votes. A content that several forms voted for is judged by the best of them.
/// Where the votes leave doubt, the two pictures are matched alone (engine/match_alone.h); where
/// rows may have been missed (QueryForm::nearest), their votes are counted then, too.
Result<std::vector<VerifiedContent>> VerifyCandidates(const VerifyInput& input, int threads);

}  // namespace engine
}  // namespace siftsearch
