#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/ordered_pipeline.h"
#include "base/status_macros.h"
#include "engine/batch_search.h"
#include "engine/impl.h"

namespace siftsearch {
namespace {

using engine::BatchQuery;
using engine::BatchSearch;
using engine::VerifiedContent;

engine::BatchOptions BatchOf(const ReportOptions& options, double images) {
  return {.neighbours = options.neighbours,
          .max_candidates = options.max_candidates,
          .min_score = options.min_score,
          .max_log10_false_alarms = options.max_log10_false_alarms,
          .batch_bytes = options.batch_bytes,
          .images_searched = images,
          .keep_points = false,
          .form_features = options.form_features};
}

/// Numbers the connected components of copies, by first appearance in `report.pairs`.
class Groups {
 public:
  void Join(const std::string& a, const std::string& b) {
    parent_[Root(Index(a))] = Root(Index(b));
  }

  std::int64_t Number(const std::string& path) {
    const auto [entry, first] =
        number_.try_emplace(Root(Index(path)), static_cast<std::int64_t>(number_.size()) + 1);
    return entry->second;
  }

  std::int64_t count() const { return static_cast<std::int64_t>(number_.size()); }

 private:
  std::size_t Index(const std::string& path) {
    const auto [entry, first] = index_.try_emplace(path, parent_.size());
    if (first) parent_.push_back(parent_.size());
    return entry->second;
  }

  std::size_t Root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  std::map<std::string, std::size_t> index_;
  std::vector<std::size_t> parent_;
  std::map<std::size_t, std::int64_t> number_;
};

void NumberGroups(Report& report) {
  Groups groups;
  for (const ReportPair& pair : report.pairs) {
    if (pair.match.copy) groups.Join(pair.query.path, pair.match.image.path);
  }
  for (ReportPair& pair : report.pairs) {
    if (pair.match.copy) pair.group = groups.Number(pair.query.path);
  }
  report.groups = groups.count();
}

/// Contents that images have, ascending, and how many images each has.
Result<std::vector<std::pair<std::int64_t, int>>> ContentsOf(SearchBackend& backend) {
  std::vector<std::pair<std::int64_t, int>> contents;
  SIFTSEARCH_RETURN_IF_ERROR(backend.List([&](const ImageRecord& image) {
    contents.emplace_back(image.content, 1);
    return true;
  }));
  std::sort(contents.begin(), contents.end());
  std::vector<std::pair<std::int64_t, int>> counted;
  for (const auto& [content, one] : contents) {
    if (counted.empty() || counted.back().first != content) counted.emplace_back(content, 0);
    ++counted.back().second;
  }
  return counted;
}

Match IdenticalFile(const ImageRecord& image) {
  Match match;
  match.image = image;
  match.score = 1;
  match.copy = true;
  match.kind = MatchKind::kCopy;
  match.relation = "identical file";
  match.image_from_query = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const double w = image.width;
  const double h = image.height;
  match.query_polygon = {{-0.5, -0.5}, {w - 0.5, -0.5}, {w - 0.5, h - 0.5}, {-0.5, h - 0.5}};
  match.image_polygon = match.query_polygon;
  match.query_box = match.image_box = {-0.5, -0.5, w, h};
  match.query_overlap_percent = match.image_overlap_percent = 100;
  return match;
}

/// A pair of contents that agree, seen from `query`.
struct ContentPair {
  std::int64_t query = 0;
  VerifiedContent found;
};

/// Keeps, of a pair found from both sides, the side with fewer expected false alarms; on a tie the
/// picture that was added later is the query.
void KeepBetter(std::map<std::pair<std::int64_t, std::int64_t>, ContentPair>& pairs,
                std::int64_t query, VerifiedContent found) {
  const auto key = std::minmax(query, found.content);
  ContentPair pair{query, std::move(found)};
  const auto [entry, first] = pairs.try_emplace({key.first, key.second}, pair);
  if (first) return;
  const auto rank = [](const ContentPair& p) {
    return std::make_tuple(-p.found.log_odds, -p.query);
  };
  if (rank(pair) < rank(entry->second)) entry->second = std::move(pair);
}

/// Every image of one content with every image of the other.
Status AppendImagePairs(SearchBackend& backend, const ContentPair& pair, Report& report) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto queries, backend.Describe(pair.query));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, backend.Describe(pair.found.content));
  for (const ImageRecord& query : queries) {
    for (const ImageRecord& image : images) {
      report.pairs.push_back({query, pair.found.match, 0});
      report.pairs.back().match.image = image;
    }
  }
  return {};
}

Status AppendIdenticalFiles(SearchBackend& backend, std::int64_t content, Report& report) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, backend.Describe(content));
  for (std::size_t later = 1; later < images.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      report.pairs.push_back({images[later], IdenticalFile(images[earlier]), 0});
    }
  }
  return {};
}

void SortAndRank(Report& report) {
  std::sort(report.pairs.begin(), report.pairs.end(), [](const ReportPair& a, const ReportPair& b) {
    return std::make_tuple(a.query.id, -a.match.score, -a.match.inliers, a.match.image.id) <
           std::make_tuple(b.query.id, -b.match.score, -b.match.inliers, b.match.image.id);
  });
  for (std::size_t i = 0; i < report.pairs.size(); ++i) {
    const bool same = i > 0 && report.pairs[i].query.id == report.pairs[i - 1].query.id;
    report.pairs[i].match.rank = same ? report.pairs[i - 1].match.rank + 1 : 1;
  }
}

bool Stopped(const ReportOptions& options, Report& report) {
  if (options.stop && options.stop()) report.stopped = true;
  return report.stopped;
}

}  // namespace

Result<Report> Engine::ReportAll(const ReportOptions& options) {
  SearchBackend& backend = *impl_->backend;
  Report report;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto contents, ContentsOf(backend));
  std::map<std::pair<std::int64_t, std::int64_t>, ContentPair> pairs;
  std::int64_t done = 0;
  const auto keep = [&](const BatchQuery& query, std::vector<VerifiedContent> found) {
    for (VerifiedContent& other : found) KeepBetter(pairs, query.content, std::move(other));
    ++done;
    if (options.progress) options.progress(done, contents.size(), pairs.size());
    return Status();
  };
  BatchSearch search(*impl_, BatchOf(options, std::max<double>(1, contents.size())), keep);
  for (const auto& [content, images] : contents) {
    if (Stopped(options, report)) break;
    if (images > 1) SIFTSEARCH_RETURN_IF_ERROR(AppendIdenticalFiles(backend, content, report));
    auto features = backend.Features(content);
    // Removed by another process since the list was read.
    if (!features.ok() && features.status().code() == StatusCode::kNotFound) continue;
    if (!features.ok()) return features.status();
    report.images += images;
    BatchQuery query;
    query.content = content;
    query.features = std::move(features).value();
    SIFTSEARCH_RETURN_IF_ERROR(search.Add(std::move(query)));
  }
  SIFTSEARCH_RETURN_IF_ERROR(search.Flush());
  for (const auto& [key, pair] : pairs) {
    SIFTSEARCH_RETURN_IF_ERROR(AppendImagePairs(backend, pair, report));
  }
  SortAndRank(report);
  NumberGroups(report);
  return report;
}

namespace {

/// A file read and extracted, or why not.
struct PreparedFile {
  AddInput input;
  Result<BatchQuery> query = Status(StatusCode::kInternal, "not read");
};

PreparedFile PrepareFile(const Engine::Impl& impl, AddInput input) {
  PreparedFile prepared;
  prepared.query = [&]() -> Result<BatchQuery> {
    if (!input.problem.ok()) return input.problem;
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto file, engine::ReadPictureFile(input.path, impl.limits));
    input.ignored = input.from_folder && !image::IsReadable(image::Sniff(file.bytes)) &&
                    !image::HasImageExtension(input.path);
    BatchQuery query;
    SIFTSEARCH_ASSIGN_OR_RETURN(query.features, engine::FeaturesOf(impl, file.bytes, nullptr));
    query.file.path = input.path;
    query.file.width = query.features.width;
    query.file.height = query.features.height;
    query.file.descriptors = static_cast<int>(query.features.size());
    return query;
  }();
  prepared.input = std::move(input);
  return prepared;
}

Status AppendMatches(SearchBackend& backend, const BatchQuery& query,
                     const std::vector<VerifiedContent>& found, Report& report) {
  int rank = 0;
  for (const VerifiedContent& content : found) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, backend.Describe(content.content));
    for (const ImageRecord& image : images) {
      if (image.path == query.file.path) continue;  // The stored entry of this very file.
      report.pairs.push_back({query.file, content.match, 0});
      report.pairs.back().match.image = image;
      report.pairs.back().match.rank = ++rank;
    }
  }
  return {};
}

}  // namespace

Result<Report> Engine::ReportFiles(const std::function<std::optional<AddInput>()>& next,
                                   const ReportOptions& options,
                                   const std::function<void(const AddOutcome&)>& failed) {
  Report report;
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, impl_->backend->Stats());
  const auto append = [&](const BatchQuery& query, const std::vector<VerifiedContent>& found) {
    ++report.images;
    if (options.progress) options.progress(report.images, 0, report.pairs.size());
    return AppendMatches(*impl_->backend, query, found, report);
  };
  BatchSearch search(*impl_, BatchOf(options, std::max<double>(1, stats.contents)), append);
  Status status;
  OrderedPipeline<AddInput, PreparedFile> pipeline(
      impl_->threads, 16 * static_cast<std::size_t>(impl_->threads),
      [this](AddInput input) { return PrepareFile(*impl_, std::move(input)); });
  const auto source = [&] { return Stopped(options, report) ? std::nullopt : next(); };
  pipeline.Run(source, [&](PreparedFile file) {
    if (file.query.ok()) {
      status = search.Add(std::move(file.query).value());
      return status.ok();
    }
    AddOutcome outcome;
    outcome.path = file.input.path;
    outcome.action = file.input.ignored ? AddAction::kIgnored : AddAction::kFailed;
    outcome.reason = file.query.status().message();
    if (!file.input.ignored) ++report.failed;
    failed(outcome);
    return true;
  });
  SIFTSEARCH_RETURN_IF_ERROR(status);
  SIFTSEARCH_RETURN_IF_ERROR(search.Flush());
  NumberGroups(report);
  return report;
}

}  // namespace siftsearch
