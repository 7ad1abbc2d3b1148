#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/batch_search.h"
#include "engine/impl.h"
#include "engine/relation.h"
#include "verify/verify.h"

namespace siftsearch {
namespace engine {
namespace {

Box BoundingBox(const std::vector<Point>& polygon) {
  if (polygon.empty()) return {};
  const auto [left, right] = std::minmax_element(
      polygon.begin(), polygon.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  const auto [top, bottom] = std::minmax_element(
      polygon.begin(), polygon.end(), [](const Point& a, const Point& b) { return a.y < b.y; });
  return {left->x, top->y, right->x - left->x, bottom->y - top->y};
}

double Share(const std::vector<Point>& polygon, int width, int height) {
  const double area = static_cast<double>(width) * height;
  return area > 0 ? std::min(1.0, verify::PolygonArea(polygon) / area) : 0;
}

void DescribeRegion(const FeatureSet& query, const VotedContent& candidate, Match& match) {
  match.query_polygon = verify::OverlapInQuery(match.image_from_query, {query.width, query.height},
                                               {candidate.width, candidate.height});
  for (const Point& point : match.query_polygon) {
    match.image_polygon.push_back(verify::Apply(match.image_from_query, point));
  }
  match.query_box = BoundingBox(match.query_polygon);
  match.image_box = BoundingBox(match.image_polygon);
  const double query_share = Share(match.query_polygon, query.width, query.height);
  const double image_share = Share(match.image_polygon, candidate.width, candidate.height);
  match.query_overlap_percent = 100 * query_share;
  match.image_overlap_percent = 100 * image_share;
  match.relation =
      DescribeRelation({match.image_from_query, query_share, image_share, match.inverted});
}

/// The transform from the picture, given that from its form.
Transform FromPicture(const Transform& image_from_form, int width, features::Form form) {
  Transform t = image_from_form;
  if (!form.mirrored) return t;
  // x' = width − 1 − x, put in place of x.
  for (int row = 0; row < 3; ++row) {
    t[row * 3 + 2] += t[row * 3] * (width - 1);
    t[row * 3] = -t[row * 3];
  }
  return t;
}

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
  VerifiedContent verified{candidate.content, fit.log10_false_alarms, {}};
  Match& match = verified.match;
  match.score = fit.score;
  match.copy = fit.score >= kCopyThreshold;
  match.votes = candidate.votes;
  match.inliers = fit.distinct_inliers;
  match.mirrored = form.form.mirrored;
  match.inverted = form.form.inverted;
  match.image_from_query = FromPicture(fit.image_from_query, query.width, form.form);
  if (fit.score > 0) DescribeRegion(query, candidate, match);
  if (input.keep_points) {
    for (const std::int32_t i : fit.inliers) {
      const Point point{pairs[i].query.x, pairs[i].query.y};
      match.inlier_points.push_back(
          {features::InForm(point, query.width, form.form), {pairs[i].image.x, pairs[i].image.y}});
    }
  }
  return verified;
}

bool RanksBefore(const VerifiedContent& a, const VerifiedContent& b) {
  if (a.match.score > 0 || b.match.score > 0) {
    if (a.match.score == 0 || b.match.score == 0) return a.match.score > 0;
    if (a.log10_false_alarms != b.log10_false_alarms) {
      return a.log10_false_alarms < b.log10_false_alarms;
    }
  }
  if (a.match.votes != b.match.votes) return a.match.votes > b.match.votes;
  return a.content < b.content;
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
  auto features = impl.extractor->Extract(picture);
  if (timings) timings->extract_ms = MillisecondsSince(decoded);
  return features;
}

std::vector<VerifiedContent> VerifyCandidates(const VerifyInput& input, int threads) {
  std::vector<std::pair<const QueryForm*, const VotedContent*>> work;
  for (const QueryForm& form : input.forms) {
    for (const VotedContent& candidate : form.candidates) work.emplace_back(&form, &candidate);
  }
  std::vector<VerifiedContent> verified(work.size());
  ParallelFor(work.size(), threads, [&](std::size_t i) {
    verified[i] = VerifyOne(input, *work[i].first, *work[i].second);
  });
  std::erase_if(verified, [&](const auto& v) { return v.match.score < input.min_score; });
  std::stable_sort(verified.begin(), verified.end(), RanksBefore);
  std::set<std::int64_t> seen;
  std::erase_if(verified, [&](const auto& v) { return !seen.insert(v.content).second; });
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
