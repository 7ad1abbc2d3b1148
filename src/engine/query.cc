#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/exception_status.h"
#include "base/hash.h"
#include "base/ordered_pipeline.h"
#include "base/status_macros.h"
#include "engine/batch_search.h"
#include "engine/colours.h"
#include "engine/equal_files.h"
#include "engine/impl.h"
#include "engine/verdict_book.h"
#include "features/pdq.h"
#include "features/preview.h"

namespace siftsearch {
namespace engine {

Result<FeatureSet> FeaturesOf(const Engine::Impl& impl, const features::FeatureExtractor& extractor,
                              std::span<const std::uint8_t> bytes,
                              const ExtractionOptions& options) {
  const auto start = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const image::GreyImage picture,
      image::DecodeGrey(bytes, impl.decode_limits(), extractor.settings().max_side));
  if (options.timings) options.timings->decode_ms = MillisecondsSince(start);
  const auto decoded = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(FeatureSet features, extractor.Extract(picture, options.threads));
  features.pages = picture.pages;
  features.pdq = features::PdqOf(picture);
  features.remark = picture.remark;
  SIFTSEARCH_ASSIGN_OR_RETURN(features.preview,
                              features::MakePreview(picture, options.preview_quality));
  if (options.timings) options.timings->extract_ms = MillisecondsSince(decoded);
  return features;
}

Result<std::unique_ptr<features::FeatureExtractor>> QueryExtractor(const Engine::Impl& impl,
                                                                   double multiple) {
  if (!(multiple >= 0.1 && multiple <= 100)) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{} times the descriptors of a stored image; 0.1 to 100 are possible",
                              multiple));
  }
  constexpr double kMost = 100'000;
  ExtractorSettings settings = impl.extractor->settings();
  settings.max_features =
      static_cast<int>(std::clamp(std::round(settings.max_features * multiple), 1.0, kMost));
  if (multiple > 1) {
    settings.contrast_threshold = std::min(settings.contrast_threshold, features::kLowContrast);
  }
  return features::MakeExtractor(settings);
}

namespace {

/// Turns contents into the matches of a query's result.
class MatchLister {
 public:
  MatchLister(const BackendSnapshot& snapshot, const VerdictBook& verdicts,
              const QueryOptions& options, ColourBook* colours)
      : snapshot_(snapshot), verdicts_(verdicts), options_(options), colours_(colours) {}

  /// The content of the query's own bytes first, whether or not the search found it.
  Status List(const BatchQuery& query, std::vector<VerifiedContent> verified,
              QueryResult& result) const {
    if (!query.error.ok()) return {};
    if (colours_ != nullptr && query.bytes && !verified.empty()) {
      colours_->Put(query.file.path, *query.bytes);
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t own, snapshot_.FindContent(query.file.hash));
    if (own > 0) PutFirst(own, result, verified);
    std::vector<std::int64_t> contents;
    for (const VerifiedContent& v : verified) contents.push_back(v.content);
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, snapshot_.Describe(contents, options_.call));
    int listed = 0;
    for (std::size_t i = 0; i < verified.size() && listed < options_.top; ++i) {
      listed += Add(query.file, images[i], verified[i].match, result);
    }
    return {};
  }

 private:
  /// Makes the query's own content the first, once, as the identical file that it is.
  static void PutFirst(std::int64_t own, const QueryResult& result,
                       std::vector<VerifiedContent>& verified) {
    const auto is_own = [&](const VerifiedContent& v) { return v.content == own; };
    const auto found = std::find_if(verified.begin(), verified.end(), is_own);
    VerifiedContent first;
    if (found != verified.end()) first = *found;
    first.content = own;
    MakeIdentical(result.width, result.height, first.match);
    std::erase_if(verified, is_own);
    verified.insert(verified.begin(), std::move(first));
  }

  /// Adds a match for each image of a content; false where none is to be listed.
  bool Add(const ImageRecord& query, const std::vector<ImageRecord>& images, const Match& match,
           QueryResult& result) const {
    int added = 0;
    for (const ImageRecord& image : images) {
      if (added >= options_.max_equal_files) break;
      if (query.id > 0 && image.id == query.id) continue;
      if (options_.accept && !options_.accept(image)) continue;
      Match of_image = match;
      of_image.image = image;
      if (colours_ != nullptr && result.hash == image.hash) NameSameFile(result.query, of_image);
      (void)verdicts_.Apply(result.hash, of_image);  // A query lists what is no copy, too.
      if (of_image.score < options_.min_score && !of_image.copy) continue;
      if (colours_ != nullptr) colours_->Tell(query, of_image);
      of_image.rank = static_cast<int>(result.matches.size()) + 1;
      result.matches.push_back(std::move(of_image));
      ++added;
    }
    return added > 0;
  }

  const BackendSnapshot& snapshot_;
  const VerdictBook& verdicts_;
  const QueryOptions& options_;
  ColourBook* const colours_;  ///< Null: no files are looked at.
};

/// Knows before the first input is handed on whether it is the only one.
class Inputs {
 public:
  explicit Inputs(const std::function<std::optional<QueryInput>()>& next)
      : next_(next), first_(next_()) {
    if (first_) second_ = next_();
    is_single_ = !second_;
  }

  bool is_single() const { return is_single_; }

  std::optional<QueryInput> Next() {
    if (first_) return std::exchange(first_, std::nullopt);
    if (second_) return std::exchange(second_, std::nullopt);
    return is_single_ ? std::nullopt : next_();
  }

 private:
  const std::function<std::optional<QueryInput>()>& next_;
  std::optional<QueryInput> first_, second_;
  bool is_single_ = false;
};

/// The query of an image that is stored.
BatchQuery StoredQuery(const BackendSnapshot& snapshot, const QueryInput& input,
                       const CallOptions& call) {
  BatchQuery query;
  query.file.path = input.name;
  query.error = [&]() -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto image, snapshot.FindPath(input.name));
    if (!image) return {StatusCode::kNotFound, "no image is stored under this path"};
    SIFTSEARCH_ASSIGN_OR_RETURN(auto features, snapshot.Features({&image->content, 1}, call));
    query.content = image->content;
    query.features = std::move(features.front());
    query.features.pages = image->pages;
    query.file = *image;
    return {};
  }();
  return query;
}

/// Reads, decodes and extracts; runs on the pipeline's threads.
BatchQuery Prepare(const Engine::Impl& impl, const BackendSnapshot& snapshot,
                   const features::FeatureExtractor& extractor, const CallOptions& call,
                   QueryInput input, int threads) {
  if (input.stored && input.problem.ok()) return StoredQuery(snapshot, input, call);
  BatchQuery query;
  const bool is_file = !input.bytes;
  query.error = [&]() -> Status {
    SIFTSEARCH_RETURN_IF_ERROR(input.problem);
    if (!input.bytes) {
      SIFTSEARCH_ASSIGN_OR_RETURN(PictureFile file, ReadPictureFile(input.name, impl.limits));
      input.bytes = std::move(file.bytes);
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(query.features,
                                FeaturesOf(impl, extractor, *input.bytes,
                                           {.preview_quality = features::kQueryPreviewQuality,
                                            .threads = threads,
                                            .timings = &query.timings}));
    query.file.hash = Sha256(*input.bytes);
    if (!is_file) query.bytes = std::move(input.bytes);
    return {};
  }();
  query.file.path = std::move(input.name);
  return query;
}

QueryResult ResultOf(const BatchQuery& query) {
  QueryResult result;
  result.query = query.file.path;
  result.error = query.error;
  result.hash = query.file.hash;
  result.width = query.features.width;
  result.height = query.features.height;
  result.descriptors = static_cast<int>(query.features.size());
  result.pages = query.features.pages;
  result.timings = query.timings;
  return result;
}

BatchOptions BatchOf(const QueryOptions& options, const BackendStats& stats) {
  return {.neighbours = options.neighbours,
          .max_candidates = options.max_candidates,
          .min_score = options.min_score,
          .max_log10_false_alarms = options.max_log10_false_alarms,
          .batch_bytes = options.batch_bytes,
          .images_searched = std::max<double>(1, static_cast<double>(stats.contents)),
          .keep_points = true,
          .form_features = options.form_features,
          .approximation = options.approximation,
          .call = options.call};
}

}  // namespace
}  // namespace engine

Status Engine::Query(const std::function<std::optional<QueryInput>()>& next,
                     const QueryOptions& options,
                     const std::function<void(const QueryResult&)>& sink) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, impl_->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, snapshot->Stats());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto verdicts, impl_->VerdictsOf(*snapshot));
  engine::ColourBook colours(impl_->limits);
  engine::BatchSearch search(
      *impl_, *snapshot, engine::BatchOf(options, stats),
      [&](const engine::BatchQuery& query, const std::vector<engine::VerifiedContent>& verified) {
        QueryResult result = engine::ResultOf(query);
        SIFTSEARCH_RETURN_IF_ERROR(engine::MatchLister(*snapshot, *verdicts, options,
                                                       impl_->look_at_files ? &colours : nullptr)
                                       .List(query, verified, result));
        sink(result);
        return Status();
      });
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto extractor,
                              engine::QueryExtractor(*impl_, options.query_features));
  Status status;
  engine::Inputs inputs(next);
  const int workers = inputs.is_single() ? 1 : impl_->threads;
  OrderedPipeline<QueryInput, engine::BatchQuery> pipeline(
      workers, 16 * static_cast<std::size_t>(workers), [&](QueryInput input) {
        return engine::Prepare(*impl_, *snapshot, *extractor, options.call, std::move(input),
                               impl_->threads / workers);
      });
  pipeline.Run([&] { return inputs.Next(); },
               [&](engine::BatchQuery query) {
                 status = options.call.Check();
                 if (!status.ok()) return false;
                 query.confirmed = verdicts->IsConfirmed(query.file.hash);
                 status = search.Add(std::move(query));
                 return status.ok();
               });
  SIFTSEARCH_RETURN_IF_ERROR(status);
  return search.Flush();
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<QueryResult> Engine::Query(QueryInput input, const QueryOptions& options) try {
  std::optional<QueryInput> only = std::move(input);
  QueryResult result;
  SIFTSEARCH_RETURN_IF_ERROR(Query([&] { return std::exchange(only, std::nullopt); }, options,
                                   [&](const QueryResult& found) { result = found; }));
  return result;
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch
