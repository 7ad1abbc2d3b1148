#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "base/ordered_pipeline.h"
#include "base/status_macros.h"
#include "engine/batch_search.h"
#include "engine/impl.h"
#include "engine/verdict_book.h"
#include "features/preview.h"

namespace siftsearch {
namespace engine {

Result<FeatureSet> FeaturesOf(const Engine::Impl& impl, const features::FeatureExtractor& extractor,
                              std::span<const std::uint8_t> bytes, int preview_quality,
                              Timings* timings) {
  const auto start = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const image::GreyImage picture,
      image::DecodeGrey(bytes, impl.decode_limits(), extractor.settings().max_side));
  if (timings) timings->decode_ms = MillisecondsSince(start);
  const auto decoded = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(FeatureSet features, extractor.Extract(picture));
  features.pages = picture.pages;
  features.remark = picture.remark;
  SIFTSEARCH_ASSIGN_OR_RETURN(features.preview, features::MakePreview(picture, preview_quality));
  if (timings) timings->extract_ms = MillisecondsSince(decoded);
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

Status AddMatches(SearchBackend& backend, const VerdictBook& verdicts, const BatchQuery& query,
                  const std::vector<VerifiedContent>& verified, const QueryOptions& options,
                  QueryResult& result) {
  for (const VerifiedContent& content : verified) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, backend.Describe(content.content));
    for (const ImageRecord& image : images) {
      if (static_cast<int>(result.matches.size()) >= options.top) return {};
      if (options.accept && !options.accept(image)) continue;
      Match match = content.match;
      match.image = image;
      (void)verdicts.Apply(query.file.hash, match);  // A query lists what is no copy, too.
      if (match.score < options.min_score && !match.copy) continue;
      match.rank = static_cast<int>(result.matches.size()) + 1;
      result.matches.push_back(std::move(match));
    }
  }
  return {};
}

/// Reads, decodes and extracts; runs on the pipeline's threads.
BatchQuery Prepare(const Engine::Impl& impl, const features::FeatureExtractor& extractor,
                   QueryInput input) {
  BatchQuery query;
  query.error = [&]() -> Status {
    SIFTSEARCH_RETURN_IF_ERROR(input.problem);
    if (!input.bytes) {
      SIFTSEARCH_ASSIGN_OR_RETURN(PictureFile file, ReadPictureFile(input.name, impl.limits));
      input.bytes = std::move(file.bytes);
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(
        query.features,
        FeaturesOf(impl, extractor, *input.bytes, features::kQueryPreviewQuality, &query.timings));
    query.file.hash = Sha256(*input.bytes);
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

}  // namespace
}  // namespace engine

Status Engine::Query(const std::function<std::optional<QueryInput>()>& next,
                     const QueryOptions& options,
                     const std::function<void(const QueryResult&)>& sink) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, impl_->backend->Stats());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto verdicts, engine::VerdictBook::Of(*impl_->backend));
  engine::BatchSearch search(
      *impl_,
      {.neighbours = options.neighbours,
       .max_candidates = options.max_candidates,
       .min_score = options.min_score,
       .max_log10_false_alarms = options.max_log10_false_alarms,
       .batch_bytes = options.batch_bytes,
       .images_searched = std::max<double>(1, static_cast<double>(stats.contents)),
       .keep_points = true,
       .form_features = options.form_features},
      [&](const engine::BatchQuery& query, const std::vector<engine::VerifiedContent>& verified) {
        QueryResult result = engine::ResultOf(query);
        SIFTSEARCH_RETURN_IF_ERROR(
            engine::AddMatches(*impl_->backend, verdicts, query, verified, options, result));
        sink(result);
        return Status();
      });
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto extractor,
                              engine::QueryExtractor(*impl_, options.query_features));
  Status status;
  OrderedPipeline<QueryInput, engine::BatchQuery> pipeline(
      impl_->threads, 16 * static_cast<std::size_t>(impl_->threads),
      [&](QueryInput input) { return engine::Prepare(*impl_, *extractor, std::move(input)); });
  pipeline.Run(next, [&](engine::BatchQuery query) {
    query.confirmed = verdicts.IsConfirmed(query.file.hash);
    status = search.Add(std::move(query));
    return status.ok();
  });
  SIFTSEARCH_RETURN_IF_ERROR(status);
  return search.Flush();
}

Result<QueryResult> Engine::Query(QueryInput input, const QueryOptions& options) {
  std::optional<QueryInput> only = std::move(input);
  QueryResult result;
  SIFTSEARCH_RETURN_IF_ERROR(Query([&] { return std::exchange(only, std::nullopt); }, options,
                                   [&](const QueryResult& found) { result = found; }));
  return result;
}

}  // namespace siftsearch
