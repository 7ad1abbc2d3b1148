#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/batch_search.h"
#include "engine/confirm.h"
#include "engine/impl.h"
#include "features/preview.h"
#include "verify/verify.h"

namespace siftsearch {
namespace engine {
namespace {

VerifiedContent VerifyOne(const VerifyInput& input, const QueryForm& form,
                          const VotedContent& candidate) {
  const FeatureSet& query = form.features;
  std::vector<verify::PointPair> pairs;
  pairs.reserve(candidate.pairs.size());
  for (const VotedPair& pair : candidate.pairs) {
    pairs.push_back({query.keypoints[pair.query], pair.image, pair.weight});
  }
  verify::VerifyOptions options;
  // Each form is a picture more that chance could agree with.
  options.images_searched = input.images_searched * static_cast<double>(input.forms.size());
  const verify::Verification fit = verify::FitSimilarity(
      pairs, {query.width, query.height}, {candidate.width, candidate.height}, options);
  VerifiedContent verified;
  verified.content = candidate.content;
  verified.form = static_cast<std::size_t>(&form - input.forms.data());
  verified.image_from_form = fit.image_from_query;
  Match& match = verified.match;
  match.evidence.log10_false_alarms = fit.log10_false_alarms;
  match.votes = candidate.votes;
  match.inliers = fit.distinct_inliers;
  match.mirrored = form.form.mirrored;
  match.inverted = form.form.inverted;
  return verified;
}

/// Of the geometry alone.
bool AgreesBetter(const VerifiedContent& a, const VerifiedContent& b) {
  const double x = a.match.evidence.log10_false_alarms, y = b.match.evidence.log10_false_alarms;
  if (x != y) return x < y;
  if (a.match.votes != b.match.votes) return a.match.votes > b.match.votes;
  return a.content < b.content;
}

bool RanksBefore(const VerifiedContent& a, const VerifiedContent& b) {
  if (a.match.score != b.match.score || a.match.score > 0) {
    if (a.match.score == 0 || b.match.score == 0) return a.match.score > 0;
    if (a.log_odds != b.log_odds) return a.log_odds > b.log_odds;
  }
  return AgreesBetter(a, b);
}

/// At most this many contents are looked at closer, and only where the points agree better than
/// chance alone would have it.
constexpr std::size_t kMostConfirmed = 30;
constexpr double kWorthConfirming = -1;

/// `verified` is in the order of AgreesBetter.
Status ConfirmBest(const VerifyInput& input, int threads, std::vector<VerifiedContent>& verified) {
  std::size_t count = 0;
  while (count < std::min(kMostConfirmed, verified.size()) &&
         verified[count].match.evidence.log10_false_alarms < kWorthConfirming) {
    ++count;
  }
  if (count == 0) return {};
  image::GreyImage preview;
  if (auto decoded = image::DecodeGrey(input.preview, {}); decoded.ok()) {
    preview = std::move(decoded).value();
  }
  std::vector<Status> statuses(count);
  ParallelFor(count, threads, [&](std::size_t i) {
    statuses[i] = Confirm(*input.backend, input.forms[verified[i].form], preview, input.keep_points,
                          verified[i]);
  });
  for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
  return {};
}

}  // namespace

Result<FeatureSet> FeaturesOf(const Engine::Impl& impl, std::span<const std::uint8_t> bytes,
                              Timings* timings) {
  const auto start = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const image::GreyImage picture,
      image::DecodeGrey(bytes, impl.decode_limits(), impl.extractor->settings().max_side));
  if (timings) timings->decode_ms = MillisecondsSince(start);
  const auto decoded = Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(FeatureSet features, impl.extractor->Extract(picture));
  SIFTSEARCH_ASSIGN_OR_RETURN(features.preview, features::MakePreview(picture));
  if (timings) timings->extract_ms = MillisecondsSince(decoded);
  return features;
}

Result<std::vector<VerifiedContent>> VerifyCandidates(const VerifyInput& input, int threads) {
  std::vector<std::pair<const QueryForm*, const VotedContent*>> work;
  for (const QueryForm& form : input.forms) {
    for (const VotedContent& candidate : form.candidates) work.emplace_back(&form, &candidate);
  }
  std::vector<VerifiedContent> verified(work.size());
  ParallelFor(work.size(), threads, [&](std::size_t i) {
    verified[i] = VerifyOne(input, *work[i].first, *work[i].second);
  });
  std::stable_sort(verified.begin(), verified.end(), AgreesBetter);
  std::set<std::int64_t> seen;
  std::erase_if(verified, [&](const auto& v) { return !seen.insert(v.content).second; });
  SIFTSEARCH_RETURN_IF_ERROR(ConfirmBest(input, threads, verified));
  std::erase_if(verified, [&](const auto& v) { return v.match.score < input.min_score; });
  std::stable_sort(verified.begin(), verified.end(), RanksBefore);
  return verified;
}

namespace {

Status AddMatches(SearchBackend& backend, const std::vector<VerifiedContent>& verified, int top,
                  QueryResult& result) {
  for (const VerifiedContent& content : verified) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, backend.Describe(content.content));
    for (const ImageRecord& image : images) {
      if (static_cast<int>(result.matches.size()) >= top) return {};
      Match match = content.match;
      match.rank = static_cast<int>(result.matches.size()) + 1;
      match.image = image;
      result.matches.push_back(std::move(match));
    }
  }
  return {};
}

/// Reads, decodes and extracts; runs on the pipeline's threads.
BatchQuery Prepare(const Engine::Impl& impl, QueryInput input) {
  BatchQuery query;
  query.error = [&]() -> Status {
    SIFTSEARCH_RETURN_IF_ERROR(input.problem);
    if (!input.bytes) {
      SIFTSEARCH_ASSIGN_OR_RETURN(PictureFile file, ReadPictureFile(input.name, impl.limits));
      input.bytes = std::move(file.bytes);
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(query.features, FeaturesOf(impl, *input.bytes, &query.timings));
    return {};
  }();
  query.file.path = std::move(input.name);
  return query;
}

QueryResult ResultOf(const BatchQuery& query) {
  QueryResult result;
  result.query = query.file.path;
  result.error = query.error;
  result.width = query.features.width;
  result.height = query.features.height;
  result.descriptors = static_cast<int>(query.features.size());
  result.timings = query.timings;
  return result;
}

}  // namespace
}  // namespace engine

Status Engine::Query(const std::function<std::optional<QueryInput>()>& next,
                     const QueryOptions& options,
                     const std::function<void(const QueryResult&)>& sink) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, impl_->backend->Stats());
  engine::BatchSearch search(
      *impl_,
      {.neighbours = options.neighbours,
       .max_candidates = options.max_candidates,
       .min_score = options.min_score,
       .batch_bytes = options.batch_bytes,
       .images_searched = std::max<double>(1, static_cast<double>(stats.contents)),
       .keep_points = true,
       .form_features = options.form_features},
      [&](const engine::BatchQuery& query, const std::vector<engine::VerifiedContent>& verified) {
        QueryResult result = engine::ResultOf(query);
        SIFTSEARCH_RETURN_IF_ERROR(
            engine::AddMatches(*impl_->backend, verified, options.top, result));
        sink(result);
        return Status();
      });
  Status status;
  OrderedPipeline<QueryInput, engine::BatchQuery> pipeline(
      impl_->threads, 16 * static_cast<std::size_t>(impl_->threads),
      [this](QueryInput input) { return engine::Prepare(*impl_, std::move(input)); });
  pipeline.Run(next, [&](engine::BatchQuery query) {
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
