#include "engine/group_builder.h"

#include <algorithm>
#include <map>

namespace siftsearch::engine {
namespace {

/// Share of a picture from which a region counts as all of it.
constexpr double kCountsAsWhole = 0.75;
/// Share of the smaller of two regions that they have in common if they are the same part.
constexpr double kSamePart = 0.5;
/// More separate parts than a picture can usefully have share the last one's node.
constexpr std::size_t kMostParts = 64;
/// Pictures from which a group is dense enough to be kept apart from another.
constexpr std::size_t kDense = 3;

double Common(const Box& a, const Box& b) {
  const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

bool IsWhole(const Box& box, const ImageRecord& image) {
  return box.width * box.height >= kCountsAsWhole * image.width * image.height;
}

/// Index of the part that a box shows; the number of parts where it is none of them.
std::size_t PartOf(const std::vector<Box>& parts, const Box& box) {
  const auto same = [&](const Box& part) {
    const double smaller = std::min(part.width * part.height, box.width * box.height);
    return Common(part, box) >= kSamePart * smaller;
  };
  return std::find_if(parts.begin(), parts.end(), same) - parts.begin();
}

}  // namespace

void GroupBuilder::LookAt(Picture& picture, const Box& box, const ImageRecord& image) {
  if (IsWhole(box, image) || picture.parts.size() >= kMostParts) return;
  if (PartOf(picture.parts, box) == picture.parts.size()) picture.parts.push_back(box);
}

void GroupBuilder::Look(const ReportPair& pair) {
  LookAt(pictures_[pair.query.path], pair.match.query_box, pair.query);
  LookAt(pictures_[pair.match.image.path], pair.match.image_box, pair.match.image);
}

std::size_t GroupBuilder::NodeOf(const ImageRecord& image, const Box& box) {
  Picture& picture = pictures_[image.path];
  if (picture.nodes.empty()) {
    const std::size_t count = picture.parts.size() < 2 ? 1 : picture.parts.size() + 1;
    for (std::size_t i = 0; i < count; ++i) {
      picture.nodes.push_back(parent_.size());
      parent_.push_back(parent_.size());
      size_.push_back(1);
    }
  }
  if (picture.nodes.size() == 1 || IsWhole(box, image)) return picture.nodes.front();
  return picture.nodes[1 + std::min(PartOf(picture.parts, box), picture.parts.size() - 1)];
}

std::size_t GroupBuilder::Root(std::size_t node) {
  while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
  return node;
}

void GroupBuilder::Merge(std::size_t a, std::size_t b) {
  const std::size_t low = std::min(Root(a), Root(b));
  const std::size_t high = std::max(Root(a), Root(b));
  if (low == high) return;
  parent_[high] = low;
  size_[low] += size_[high];
}

void GroupBuilder::Join(const ReportPair& pair) {
  const std::size_t a = NodeOf(pair.query, pair.match.query_box);
  const std::size_t b = NodeOf(pair.match.image, pair.match.image_box);
  if (Root(a) == Root(b)) return;
  if (size_[Root(a)] >= kDense && size_[Root(b)] >= kDense) {
    bridges_.push_back({a, b});
  } else {
    Merge(a, b);
  }
}

/// The links between two groups. Where neither end is common to all, two of them have no node in
/// common: the second of (a, b), (a, b'), (a', b) and the third.
struct GroupBuilder::Links {
  Bridge first;
  bool share_a = true;
  bool share_b = true;
};

void GroupBuilder::Settle() {
  for (bool changed = true; changed;) {
    changed = false;
    std::map<std::pair<std::size_t, std::size_t>, Links> between;
    for (const Bridge& bridge : bridges_) {
      const bool turned = Root(bridge.a) > Root(bridge.b);
      const Bridge link = turned ? Bridge{bridge.b, bridge.a} : bridge;
      if (Root(link.a) == Root(link.b)) continue;
      Links& links = between.try_emplace({Root(link.a), Root(link.b)}, Links{link}).first->second;
      links.share_a = links.share_a && links.first.a == link.a;
      links.share_b = links.share_b && links.first.b == link.b;
      if (links.share_a || links.share_b) continue;
      Merge(link.a, link.b);
      changed = true;
      break;
    }
  }
}

std::optional<std::size_t> GroupBuilder::GroupOf(const ReportPair& pair) {
  const std::size_t a = Root(NodeOf(pair.query, pair.match.query_box));
  const std::size_t b = Root(NodeOf(pair.match.image, pair.match.image_box));
  if (a != b) return std::nullopt;
  return a;
}

bool GroupBuilder::InParts(const std::string& path) const {
  const auto found = pictures_.find(path);
  return found != pictures_.end() && found->second.parts.size() > 1;
}

}  // namespace siftsearch::engine
