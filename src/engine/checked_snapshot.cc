#include "engine/checked_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"

namespace siftsearch::engine {
namespace {

Status Misfit(const std::string& what) {
  return {StatusCode::kCorrupt, "the search backend gave an answer that can't be right: " + what};
}

bool IsSound(const Keypoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && std::isfinite(point.scale) &&
         std::isfinite(point.angle);
}

Status CheckSize(std::int64_t content, int width, int height) {
  if (width >= 1 && height >= 1) return {};
  return Misfit(fmt::format("content {} is {} x {} pixels", content, width, height));
}

/// `points`: how many the query has.
Status CheckPairs(const VotedContent& voted, std::size_t points) {
  std::int32_t last = 0;
  for (const VotedPair& pair : voted.pairs) {
    if (pair.query < last || static_cast<std::size_t>(pair.query) >= points) {
      return Misfit(fmt::format("content {} has a vote of point {} after that of {}, of {} points",
                                voted.content, pair.query, last, points));
    }
    last = pair.query;
    if (!IsSound(pair.image) || !std::isfinite(pair.weight) ||
        !(pair.rarity > 0 && pair.rarity <= 1)) {
      return Misfit(fmt::format("a vote for content {} has no possible place, weight or rarity",
                                voted.content));
    }
  }
  return {};
}

/// `points`: how many the query has.
Status CheckNearest(std::span<const NearRow> nearest, std::size_t points, std::size_t neighbours) {
  if (nearest.empty()) return {};
  if (nearest.size() != points * neighbours) {
    return Misfit(fmt::format("{} nearest rows of {} points, {} of each were asked for",
                              nearest.size(), points, neighbours));
  }
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const bool first = i % neighbours == 0;
    const NearRow& row = nearest[i];
    if (row.content < 0 || row.distance < 0) {
      return Misfit(fmt::format("a row of content {} at a squared distance of {}", row.content,
                                row.distance));
    }
    if (first || row.content == 0) continue;
    if (nearest[i - 1].content == 0 || nearest[i - 1].distance > row.distance) {
      return Misfit(fmt::format("the nearest rows of point {} do not ascend", i / neighbours));
    }
  }
  return {};
}

Status CheckVotes(const std::vector<VotedContent>& found, const SearchQuery& query,
                  const SearchOptions& options) {
  if (found.size() > static_cast<std::size_t>(std::max(0, options.max_candidates))) {
    return Misfit(
        fmt::format("{} candidates, of at most {}", found.size(), options.max_candidates));
  }
  for (const VotedContent& voted : found) {
    if (voted.content <= 0 || voted.content == query.exclude_content) {
      return Misfit(fmt::format("content {} is no candidate", voted.content));
    }
    if (!std::isfinite(voted.votes)) {
      return Misfit(fmt::format("the votes for content {} are not finite", voted.content));
    }
    SIFTSEARCH_RETURN_IF_ERROR(CheckSize(voted.content, voted.width, voted.height));
    SIFTSEARCH_RETURN_IF_ERROR(CheckPairs(voted, query.features->size()));
  }
  return {};
}

Status CheckFeatures(std::int64_t content, const FeatureSet& features) {
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(content, features.width, features.height));
  if (features.descriptors.size() != features.size() * kDescriptorBytes) {
    return Misfit(fmt::format("content {} has {} bytes of descriptors for {} keypoints", content,
                              features.descriptors.size(), features.size()));
  }
  if (!std::all_of(features.keypoints.begin(), features.keypoints.end(), IsSound)) {
    return Misfit(fmt::format("a keypoint of content {} is not finite", content));
  }
  return {};
}

Status CheckAlike(const AlikeContent& alike, const AlikeQuery& query, int most) {
  const bool turn = alike.turn >= 0 && static_cast<std::size_t>(alike.turn) < query.turns.size();
  if (turn && alike.content > 0 && alike.distance >= 0 && alike.distance <= most) return {};
  return Misfit(fmt::format("content {} is alike by {} bits in turn {}", alike.content,
                            alike.distance, alike.turn));
}

Status CheckRecord(const ImageRecord& image) {
  if (image.id > 0 && image.content > 0) return {};
  return Misfit(fmt::format("image {} of content {}", image.id, image.content));
}

Result<std::optional<ImageRecord>> Checked(Result<std::optional<ImageRecord>> found) {
  if (found.ok() && *found) SIFTSEARCH_RETURN_IF_ERROR(CheckRecord(**found));
  return found;
}

}  // namespace

Status CheckCount(std::size_t given, std::size_t asked, const std::string& what) {
  if (given == asked) return {};
  return Misfit(fmt::format("{} {}, {} were asked for", given, what, asked));
}

Result<std::vector<SearchResult>> CheckedSnapshot::Search(std::span<const SearchQuery> queries,
                                                          const SearchOptions& options) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto found, snapshot_->Search(queries, options));
  SIFTSEARCH_RETURN_IF_ERROR(CheckCount(found.size(), queries.size(), "results of queries"));
  for (std::size_t i = 0; i < queries.size(); ++i) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckVotes(found[i].candidates, queries[i], options));
    SIFTSEARCH_RETURN_IF_ERROR(CheckNearest(found[i].nearest, queries[i].features->size(),
                                            static_cast<std::size_t>(options.neighbours)));
  }
  return found;
}

Result<std::vector<std::vector<AlikeContent>>> CheckedSnapshot::FindAlike(
    std::span<const AlikeQuery> queries, int most, const CallOptions& call) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto found, snapshot_->FindAlike(queries, most, call));
  SIFTSEARCH_RETURN_IF_ERROR(CheckCount(found.size(), queries.size(), "lists of alike contents"));
  for (std::size_t i = 0; i < queries.size(); ++i) {
    for (const AlikeContent& alike : found[i]) {
      SIFTSEARCH_RETURN_IF_ERROR(CheckAlike(alike, queries[i], most));
    }
  }
  return found;
}

Result<std::vector<FeatureSet>> CheckedSnapshot::Features(std::span<const std::int64_t> contents,
                                                          const CallOptions& call) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto features, snapshot_->Features(contents, call));
  SIFTSEARCH_RETURN_IF_ERROR(CheckCount(features.size(), contents.size(), "sets of features"));
  for (std::size_t i = 0; i < contents.size(); ++i) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckFeatures(contents[i], features[i]));
  }
  return features;
}

Result<std::vector<std::vector<ImageRecord>>> CheckedSnapshot::Describe(
    std::span<const std::int64_t> contents, const CallOptions& call) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto images, snapshot_->Describe(contents, call));
  SIFTSEARCH_RETURN_IF_ERROR(CheckCount(images.size(), contents.size(), "descriptions"));
  for (std::size_t i = 0; i < contents.size(); ++i) {
    for (const ImageRecord& image : images[i]) {
      SIFTSEARCH_RETURN_IF_ERROR(CheckRecord(image));
      if (image.content != contents[i]) {
        return Misfit(fmt::format("image {} of content {} is given for content {}", image.id,
                                  image.content, contents[i]));
      }
    }
  }
  return images;
}

Result<std::optional<ImageRecord>> CheckedSnapshot::FindPath(const std::string& path) const {
  return Checked(snapshot_->FindPath(path));
}

Result<std::optional<ImageRecord>> CheckedSnapshot::FindId(ImageId id) const {
  return Checked(snapshot_->FindId(id));
}

Result<std::int64_t> CheckedSnapshot::FindContent(const ContentHash& hash) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t content, snapshot_->FindContent(hash));
  if (content < 0) return Misfit(fmt::format("a file has content {}", content));
  return content;
}

Status CheckedSnapshot::List(const std::function<bool(const ImageRecord&)>& visit,
                             const CallOptions& call, ImageId after) const {
  ImageId last = after;
  Status misfit;
  SIFTSEARCH_RETURN_IF_ERROR(snapshot_->List(
      [&](const ImageRecord& image) {
        misfit = CheckRecord(image);
        if (misfit.ok() && image.id <= last) {
          misfit = Misfit(fmt::format("image {} is listed after image {}", image.id, last));
        }
        last = image.id;
        return misfit.ok() && visit(image);
      },
      call, after));
  return misfit;
}

Result<BackendStats> CheckedSnapshot::Stats() const {
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, snapshot_->Stats());
  if (stats.images < 0 || stats.contents < 0) {
    return Misfit(fmt::format("{} images of {} contents", stats.images, stats.contents));
  }
  return stats;
}

}  // namespace siftsearch::engine
