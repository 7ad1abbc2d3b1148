#include "engine/equal_files.h"

#include <algorithm>
#include <string_view>

#include "base/status_macros.h"

namespace siftsearch::engine {
namespace {

std::string_view FolderOf(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

}  // namespace

void MakeIdentical(int width, int height, Match& match) {
  if (match.mirrored || match.inverted) match.inlier_points.clear();
  match.score = 1;
  match.copy = true;
  match.kind = MatchKind::kCopy;
  match.mirrored = match.inverted = false;
  match.relation = "identical file";
  match.image_from_query = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const double w = width, h = height;
  match.query_polygon = {{-0.5, -0.5}, {w - 0.5, -0.5}, {w - 0.5, h - 0.5}, {-0.5, h - 0.5}};
  match.image_polygon = match.query_polygon;
  match.query_box = match.image_box = {-0.5, -0.5, w, h};
  match.query_overlap_percent = match.image_overlap_percent = 100;
}

bool MayBePair(const ImageRecord& a, const ImageRecord& b, const ReportOptions& options) {
  return a.path != b.path && !(options.skip_same_folder && FolderOf(a.path) == FolderOf(b.path));
}

Result<std::vector<ImageRecord>> ListedImages::All(std::int64_t content) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto described, snapshot_.Describe({&content, 1}));
  std::vector<ImageRecord> images = std::move(described.front());
  std::erase_if(
      images, [&](const ImageRecord& image) { return options_.accept && !options_.accept(image); });
  std::sort(images.begin(), images.end(),
            [](const ImageRecord& a, const ImageRecord& b) { return a.path < b.path; });
  return images;
}

Result<std::vector<ImageRecord>> ListedImages::Representatives(std::int64_t content) {
  const auto known = representatives_.find(content);
  if (known != representatives_.end()) return known->second;
  SIFTSEARCH_ASSIGN_OR_RETURN(std::vector<ImageRecord> images, All(content));
  if (images.size() < 2) return images;
  const auto elsewhere =
      std::find_if(images.begin() + 2, images.end(), [&](const ImageRecord& image) {
        return FolderOf(image.path) != FolderOf(images.front().path);
      });
  if (elsewhere != images.end()) std::swap(images[2], *elsewhere);
  images.resize(elsewhere == images.end() ? 2 : 3);
  return representatives_[content] = std::move(images);
}

}  // namespace siftsearch::engine
