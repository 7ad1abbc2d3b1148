#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/exception_status.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/colours.h"
#include "engine/equal_files.h"
#include "engine/impl.h"
#include "features/preview.h"
#include "kernel/topk.h"
#include "vote/vote.h"

namespace siftsearch {
namespace engine {
namespace {

constexpr int kNeighbours = 10;
/// A picture's own descriptors find themselves and what overlaps them first.
constexpr int kNeighboursInItself = 40;
/// Points of a picture nearer than this share of its longer side are one place.
constexpr double kOwnPlace = 0.04;
constexpr std::int64_t kImage = 1;

struct Picture {
  std::vector<std::uint8_t> bytes;
  FeatureSet features;
};

class Comparison {
 public:
  Comparison(const Picture& query, const Picture& image, int threads, kernel::Variant variant)
      : query_(query), image_(image), threads_(threads), variant_(variant) {}

  Result<std::vector<VerifiedContent>> Run() {
    std::vector<QueryForm> forms;
    for (const features::Form form : features::AllForms()) {
      QueryForm next;
      next.form = form;
      next.features = features::InForm(query_.features, form, query_.features.size());
      SIFTSEARCH_RETURN_IF_ERROR(Search(next));
      forms.push_back(std::move(next));
    }
    return VerifyCandidates({.features_of = [&](std::int64_t) { return image_.features; },
                             .forms = forms,
                             .preview = query_.features.preview,
                             .kernel = variant_,
                             .itself = itself(),
                             .keep_points = true},
                            threads_);
  }

 private:
  bool itself() const { return query_.bytes == image_.bytes; }

  Status Search(QueryForm& form) const {
    if (form.features.size() == 0 || image_.features.size() == 0) return {};
    const int k = itself() ? kNeighboursInItself : kNeighbours;
    const kernel::RowSpan span{image_.features.descriptors.data(), image_.features.size(), 0};
    std::vector<kernel::Neighbour> found;
    SIFTSEARCH_RETURN_IF_ERROR(kernel::TopK({&span, 1}, kDescriptorBytes, form.features.descriptors,
                                            {k, threads_, variant_}, &found));
    std::vector<vote::Neighbour> rows(form.features.size() * kNeighbours);
    for (std::size_t i = 0; i < form.features.size(); ++i) {
      Keep(form, i, {found.data() + i * static_cast<std::size_t>(k), static_cast<std::size_t>(k)},
           &rows[i * kNeighbours]);
    }
    const auto candidates = vote::CountVotes(rows, kNeighbours, {});
    if (candidates.empty()) return {};
    VotedContent voted{.content = kImage,
                       .width = image_.features.width,
                       .height = image_.features.height,
                       .votes = candidates.front().votes,
                       .pairs = {}};
    for (const vote::Correspondence& pair : candidates.front().correspondences) {
      voted.pairs.push_back({.query = pair.query,
                             .image = image_.features.keypoints[static_cast<std::size_t>(pair.row)],
                             .weight = pair.weight});
    }
    form.candidates.push_back(std::move(voted));
    return {};
  }

  /// The neighbours that may vote: in a picture itself, those of other places.
  void Keep(const QueryForm& form, std::size_t point, std::span<const kernel::Neighbour> found,
            vote::Neighbour* row) const {
    const Keypoint& keypoint = form.features.keypoints[point];
    const Point place =
        features::InForm(Point{keypoint.x, keypoint.y}, form.features.width, form.form);
    const double reach =
        itself() ? kOwnPlace * std::max(image_.features.width, image_.features.height) : -1;
    int kept = 0;
    for (const kernel::Neighbour& neighbour : found) {
      if (neighbour.row < 0 || kept == kNeighbours) return;
      const Keypoint& there = image_.features.keypoints[static_cast<std::size_t>(neighbour.row)];
      if (std::hypot(there.x - place.x, there.y - place.y) <= reach) continue;
      row[kept++] = {neighbour.row, kImage, neighbour.distance};
    }
  }

  const Picture& query_;
  const Picture& image_;
  const int threads_;
  const kernel::Variant variant_;
};

Result<Picture> Read(QueryInput& input, const Engine::Impl& impl, Timings* timings) {
  const auto about = [&](const Status& status) {
    return Status(status.code(), input.name + ": " + status.message());
  };
  Picture picture;
  if (!input.problem.ok()) return about(input.problem);
  if (input.bytes) {
    picture.bytes = std::move(*input.bytes);
  } else {
    auto file = ReadPictureFile(input.name, impl.limits);
    if (!file.ok()) return about(file.status());
    picture.bytes = std::move(file->bytes);
  }
  auto features = FeaturesOf(impl, *impl.extractor, picture.bytes,
                             {.preview_quality = features::kQueryPreviewQuality,
                              .threads = impl.threads,
                              .timings = timings});
  if (!features.ok()) return about(features.status());
  picture.features = std::move(features).value();
  return picture;
}

/// True of one file, also by two paths that lead to it; of bytes, where both have one name.
bool IsOneFile(const QueryInput& query, const QueryInput& image) {
  if (query.name == image.name) return true;
  std::error_code ignored;
  return !query.bytes && !image.bytes &&
         std::filesystem::equivalent(query.name, image.name, ignored);
}

ImageRecord RecordOf(const std::string& path, const Picture& picture) {
  ImageRecord image;
  image.path = path;
  image.width = picture.features.width;
  image.height = picture.features.height;
  image.file_bytes = static_cast<std::int64_t>(picture.bytes.size());
  image.descriptors = static_cast<int>(picture.features.size());
  image.pages = picture.features.pages;
  return image;
}

}  // namespace
}  // namespace engine

Result<QueryResult> Compare(QueryInput query, QueryInput image, const CompareOptions& options) try {
  Engine::Impl impl;
  SIFTSEARCH_ASSIGN_OR_RETURN(impl.extractor, features::MakeExtractor(options.settings));
  impl.limits = options.limits;
  impl.threads = options.threads > 0 ? options.threads : AvailableThreads();
  SIFTSEARCH_ASSIGN_OR_RETURN(impl.kernel, kernel::VariantOrBest(options.kernel));
  QueryResult result;
  result.query = query.name;
  const bool one_file = engine::IsOneFile(query, image);
  SIFTSEARCH_ASSIGN_OR_RETURN(const engine::Picture ours,
                              engine::Read(query, impl, &result.timings));
  SIFTSEARCH_ASSIGN_OR_RETURN(const engine::Picture theirs, engine::Read(image, impl, nullptr));
  result.width = ours.features.width;
  result.height = ours.features.height;
  result.descriptors = static_cast<int>(ours.features.size());
  result.pages = ours.features.pages;
  const ImageRecord record = engine::RecordOf(image.name, theirs);
  if (ours.bytes == theirs.bytes && !one_file) {
    Match match;
    match.rank = 1;
    match.image = record;
    engine::MakeIdentical(record.width, record.height, match);
    result.matches.push_back(std::move(match));
    return result;
  }
  const auto start = engine::Clock::now();
  SIFTSEARCH_ASSIGN_OR_RETURN(auto verified,
                              engine::Comparison(ours, theirs, impl.threads, impl.kernel).Run());
  result.timings.verify_ms = engine::MillisecondsSince(start);
  engine::ColourBook colours(impl.limits);
  if (!one_file && !verified.empty()) {
    colours.Put("query " + query.name, ours.bytes);
    colours.Put(image.name, theirs.bytes);
  }
  for (engine::VerifiedContent& found : verified) {
    if (found.match.query_polygon.empty()) continue;
    found.match.rank = static_cast<int>(result.matches.size()) + 1;
    found.match.image = record;
    if (!one_file) colours.Tell(engine::RecordOf("query " + query.name, ours), found.match);
    result.matches.push_back(std::move(found.match));
  }
  return result;
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch
