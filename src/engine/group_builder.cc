#include "engine/group_builder.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/boxes.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

/// Pictures from which a group is dense enough to be kept apart from another.
constexpr std::size_t kDense = 3;
/// Share of its bounding box that an upright region fills at least.
constexpr double kUpright = 0.93;

/// Area of the shared region.
double AreaOf(const std::vector<Point>& polygon, const Box& box) {
  return polygon.empty() ? Area(box) : verify::PolygonArea(polygon);
}

Box FrameOf(const ImageRecord& image) {
  return {-0.5, -0.5, double(image.width), double(image.height)};
}

/// True where one picture's frame lies on the other's: what differs was laid over one of them.
bool HaveOneFrame(const ReportPair& pair) {
  if (pair.match.query_polygon.empty()) return false;
  constexpr double kFarthest = 0.02;  // As a share of the longer side.
  const Box query = FrameOf(pair.query), image = FrameOf(pair.match.image);
  const Point far_corner{query.x + query.width, query.y + query.height};
  const Point from = verify::Apply(pair.match.image_from_query, {query.x, query.y});
  const Point to = verify::Apply(pair.match.image_from_query, far_corner);
  const double most = kFarthest * std::max(image.width, image.height);
  return std::abs(from.x - image.x) <= most && std::abs(from.y - image.y) <= most &&
         std::abs(to.x - image.x - image.width) <= most &&
         std::abs(to.y - image.y - image.height) <= most;
}

PairSide SideOf(const ReportPair& pair, bool is_query) {
  const Match& match = pair.match;
  const ImageRecord& image = is_query ? pair.query : match.image;
  const Box& box = is_query ? match.query_box : match.image_box;
  const double query_area = AreaOf(match.query_polygon, match.query_box);
  const double image_area = AreaOf(match.image_polygon, match.image_box);
  const double here = is_query ? query_area : image_area;
  const double there = is_query ? image_area : query_area;
  const double contained = is_query ? match.image_overlap_percent : match.query_overlap_percent;
  PairSide side;
  side.area = static_cast<double>(image.width) * image.height;
  // The region is a block that agrees; around a picture laid in, it is but one side of the rim.
  side.box = HaveOneFrame(pair) ? FrameOf(image) : box;
  const bool turned = here < kUpright * Area(box);
  constexpr double kCutScale = kFullSizePercent / 100;
  side.foreign = here < kCutScale * kCutScale * there || (contained >= kWholePercent && turned);
  for (const auto& [query, found] : match.inlier_points) {
    side.points.push_back(is_query ? query : found);
  }
  return side;
}

/// Equal for files of equal bytes.
std::string KeyOf(const ImageRecord& image) {
  if (image.hash == ContentHash{}) return image.path;
  return {image.hash.begin(), image.hash.end()};
}

/// False of files of equal bytes, and of a pair that is a copy only since somebody confirmed it:
/// its region is a guess.
bool KnowsRegion(const ReportPair& pair) {
  return pair.match.score >= kCopyThreshold && KeyOf(pair.query) != KeyOf(pair.match.image);
}

}  // namespace

std::size_t GroupBuilder::NumberOf(const ImageRecord& image) {
  const auto [entry, added] = numbers_.try_emplace(KeyOf(image), pictures_.size());
  if (added) pictures_.emplace_back();
  return entry->second;
}

PairSide GroupBuilder::QuerySide(const ReportPair& pair) {
  PairSide side = SideOf(pair, true);
  side.picture = NumberOf(pair.query);
  side.other = NumberOf(pair.match.image);
  return side;
}

PairSide GroupBuilder::ImageSide(const ReportPair& pair) {
  PairSide side = SideOf(pair, false);
  side.picture = NumberOf(pair.match.image);
  side.other = NumberOf(pair.query);
  return side;
}

void GroupBuilder::Look(const ReportPair& pair) {
  if (!KnowsRegion(pair)) return;
  for (const PairSide& side : {QuerySide(pair), ImageSide(pair)}) {
    pictures_[side.picture].parts.Look(side);
  }
}

void GroupBuilder::Weigh(const ReportPair& pair) {
  if (!KnowsRegion(pair)) return;
  WeighSide(QuerySide(pair));
  WeighSide(ImageSide(pair));
}

void GroupBuilder::WeighSide(const PairSide& side) {
  for (const PictureParts::Question& question : pictures_[side.picture].parts.Weigh(side)) {
    questions_[question.other].push_back({side.picture, question});
  }
}

void GroupBuilder::Answer(const ReportPair& pair) {
  if (!KnowsRegion(pair)) return;
  const std::size_t query = NumberOf(pair.query);
  const std::size_t image = NumberOf(pair.match.image);
  AnswerFor(query, image);
  AnswerFor(image, query);
}

/// The two are copies: where one was asked about and the other shows the region, it is a yes.
void GroupBuilder::AnswerFor(std::size_t asked, std::size_t shown) {
  const auto questions = questions_.find(asked);
  if (questions == questions_.end()) return;
  for (const Question& question : questions->second) {
    PictureParts& parts = pictures_[question.picture].parts;
    if (parts.Shows(question.about.region, shown)) parts.Answer(question.about);
  }
}

GroupBuilder::Picture& GroupBuilder::Decided(std::size_t number) {
  Picture& picture = pictures_[number];
  if (picture.decided) return picture;
  picture.decided = true;
  picture.parts.Decide();
  picture.first_node = parent_.size();
  for (std::size_t i = 0; i < picture.parts.nodes(); ++i) {
    parent_.push_back(parent_.size());
    size_.push_back(1);
  }
  return picture;
}

std::size_t GroupBuilder::NodeOf(const PairSide& side) {
  const Picture& picture = Decided(side.picture);
  return picture.first_node + picture.parts.NodeOf(side);
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
  const std::size_t a = NodeOf(QuerySide(pair));
  const std::size_t b = NodeOf(ImageSide(pair));
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
  const std::size_t a = Root(NodeOf(QuerySide(pair)));
  const std::size_t b = Root(NodeOf(ImageSide(pair)));
  if (a != b) return std::nullopt;
  return a;
}

bool GroupBuilder::InParts(const ImageRecord& image) const {
  const auto found = numbers_.find(KeyOf(image));
  return found != numbers_.end() && pictures_[found->second].parts.PutTogether();
}

double GroupBuilder::Covered(const ReportPair& pair) {
  const PairSide query = QuerySide(pair), image = ImageSide(pair);
  return std::max(Decided(query.picture).parts.Covered(query),
                  Decided(image.picture).parts.Covered(image));
}

}  // namespace siftsearch::engine
