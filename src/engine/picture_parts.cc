#include "engine/picture_parts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "engine/boxes.h"

namespace siftsearch::engine {
namespace {

/// Share of a picture from which a region counts as all of it.
constexpr double kCountsAsWhole = 0.75;
/// Share from which nothing of note can be laid into the rest.
constexpr double kAllButAll = 0.9;
/// Share of the smaller of two regions that they have in common if they are the same part.
constexpr double kSamePart = 0.5;
/// Share of their union that two boxes of one region have in common.
constexpr double kSameRegion = 0.8;
/// Share of the larger of two boxes up to which the smaller can be a part of it.
constexpr double kSmaller = 0.9;
/// A box is searched for points without its border, which holds those of its surroundings.
constexpr double kBorder = 0.1;
/// Share of the points due inside a box from which a pair agrees there.
constexpr double kAgreeing = 0.25;
/// Points due inside a box from which their lack is no accident.
constexpr double kSurelyDue = 3;
/// Share of a picture from which parts beside each other are all that it is made of.
constexpr double kMadeOfParts = 0.85;
/// Share of the smaller of them that they have in common at most.
constexpr double kOverlapOfTiles = 0.05;
constexpr int kWholePicture = -1;
constexpr int kNoRegion = -2;
/// More than a picture can usefully have: they share the node of the whole.
constexpr std::size_t kMostRegions = 64;
constexpr std::size_t kMostShownBy = 8;
constexpr std::size_t kMostAsked = 32;

bool Contains(const Box& box, const Point& point) {
  return point.x >= box.x && point.x <= box.x + box.width && point.y >= box.y &&
         point.y <= box.y + box.height;
}

double CountIn(const Box& box, const std::vector<Point>& points) {
  return static_cast<double>(std::count_if(points.begin(), points.end(),
                                           [&](const Point& p) { return Contains(box, p); }));
}

Box WithoutBorder(const Box& box) {
  return {box.x + kBorder * box.width, box.y + kBorder * box.height, (1 - 2 * kBorder) * box.width,
          (1 - 2 * kBorder) * box.height};
}

}  // namespace

void PictureParts::Look(const PairSide& side) {
  area_ = side.area;
  if (Area(side.box) >= kAllButAll * area_) return;
  auto region = std::find_if(regions_.begin(), regions_.end(),
                             [&](const Region& known) { return IsSameRegion(side, known); });
  if (region == regions_.end()) {
    if (regions_.size() == kMostRegions) return;
    region = regions_.insert(region, Region());
    region->first = side;
  }
  if (region->shown_by.size() < kMostShownBy) region->shown_by.push_back(side.other);
  region->foreign = region->foreign || side.foreign;
}

/// What the points of a pair say of a box that others show.
PictureParts::Finding PictureParts::Find(const PairSide& side, const Box& box) {
  const double common = SharedArea(side.box, box);
  if (common < kSamePart * Area(box)) return Finding::kBeside;
  const Box inner = WithoutBorder(box);
  const double inside = CountIn(inner, side.points);
  const double beside = static_cast<double>(side.points.size()) - CountIn(box, side.points);
  const double outside = std::max(1.0, Area(side.box) - common);
  const double due = beside / outside * SharedArea(side.box, inner);
  if (side.picture == side.other || (inside > 0 && inside >= kAgreeing * due))
    return Finding::kAgrees;
  return due >= kSurelyDue ? Finding::kSureHole : Finding::kHole;
}

/// True where a pair shows the region, in the same box, and not only what surrounds it.
bool PictureParts::IsSameRegion(const PairSide& side, const Region& region) {
  const Box& box = region.first.box;
  const double common = SharedArea(side.box, box);
  if (common < kSameRegion * (Area(side.box) + Area(box) - common)) return false;
  return Find(side, box) != Finding::kSureHole &&
         Find(region.first, side.box) != Finding::kSureHole;
}

/// Index of the region of a pair, kWholePicture or kNoRegion.
int PictureParts::RegionOf(const PairSide& side) const {
  const auto region = std::find_if(regions_.begin(), regions_.end(),
                                   [&](const Region& known) { return IsSameRegion(side, known); });
  const bool small = Area(side.box) < kCountsAsWhole * side.area;
  const bool own = region != regions_.end() && Area(side.box) < kAllButAll * side.area;
  if (own && (small || region->part >= 0)) return static_cast<int>(region - regions_.begin());
  return small ? kNoRegion : kWholePicture;
}

std::vector<PictureParts::Question> PictureParts::Weigh(const PairSide& side) {
  std::vector<Question> questions;
  const int around = RegionOf(side);
  if (around == kNoRegion) return questions;
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    Region& region = regions_[i];
    if (static_cast<int>(i) == around || Shows(i, side.other)) continue;
    const Finding finding = Find(side, region.first.box);
    // Beside a part is another part, and no question; beside the whole is a part of something else.
    if (finding == Finding::kBeside && around != kWholePicture) continue;
    // Of two boxes nearly alike only points tell which surrounds the other.
    const bool smaller = Area(region.first.box) < kSmaller * Area(side.box);
    if (finding == Finding::kHole && !smaller) continue;
    if (finding == Finding::kAgrees) {
      ++region.votes[around].agree;
    } else if (region.asked.size() < kMostAsked) {
      region.asked.push_back({side.other, around, finding != Finding::kHole, false});
      questions.push_back({side.other, i});
    }
  }
  return questions;
}

bool PictureParts::Shows(std::size_t region, std::size_t shown) const {
  const auto& by = regions_[region].shown_by;
  return std::find(by.begin(), by.end(), shown) != by.end();
}

void PictureParts::Answer(const Question& question) {
  for (Asked& asked : regions_[question.region].asked) {
    if (asked.other == question.other) asked.closed = true;
  }
}

/// True where what lies around a region shows something else inside it.
bool PictureParts::IsApart(const Region& inner, int around) const {
  const auto found = inner.votes.find(around);
  if (found == inner.votes.end()) return false;
  const Votes& votes = found->second;
  const bool large = Area(inner.first.box) >= kCountsAsWhole * area_;
  return votes.sure_holes > 0 || (!large && votes.holes > 0 && votes.holes >= votes.agree);
}

void PictureParts::Decide() {
  for (Region& region : regions_) {
    for (const Asked& asked : region.asked) {
      Votes& votes = region.votes[asked.around];
      ++(asked.closed ? votes.agree : asked.sure ? votes.sure_holes : votes.holes);
    }
  }
  std::vector<std::size_t> order(regions_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Box &one = regions_[a].first.box, &two = regions_[b].first.box;
    return std::tuple(Area(one), one.x, one.y, one.width) <
           std::tuple(Area(two), two.x, two.y, two.width);
  });
  for (const std::size_t i : order) Place(i);
  apart_ = laid_in_ || parts_.size() > 1;
}

/// Puts a region into the part that it shows, or makes one; a region around several is no part.
void PictureParts::Place(std::size_t index) {
  Region& region = regions_[index];
  const bool apart = IsApart(region, kWholePicture);
  const Box& box = region.first.box;
  if (Area(box) >= kCountsAsWhole * area_ && !apart) return;
  laid_in_ = laid_in_ || apart;
  std::vector<std::size_t> same;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::size_t smallest = parts_[i].smallest;
    const Region& other = regions_[smallest];
    const bool shared = SharedArea(other.first.box, box) >= kSamePart * Area(other.first.box);
    const bool foreign =
        IsApart(other, static_cast<int>(index)) || IsApart(region, static_cast<int>(smallest));
    if (shared && !foreign) same.push_back(i);
  }
  if (same.size() > 1) return;
  if (same.empty()) {
    same.push_back(parts_.size());
    parts_.push_back({.smallest = index});
  }
  Part& part = parts_[same.front()];
  region.part = static_cast<int>(same.front());
  part.foreign = part.foreign || region.foreign;
  if (apart) part.laid_in = static_cast<int>(index);
}

/// True where a pair that shows the whole shows something else in a region.
bool PictureParts::HasHole(const PairSide& side, const Region& region) const {
  const auto& by = region.shown_by;
  if (std::find(by.begin(), by.end(), side.other) != by.end()) return false;
  if (Find(side, region.first.box) == Finding::kAgrees) return false;
  return std::none_of(region.asked.begin(), region.asked.end(), [&](const Asked& asked) {
    return asked.other == side.other && asked.closed;
  });
}

std::size_t PictureParts::NodeOf(const PairSide& side) const {
  if (!apart_) return 0;
  const int index = RegionOf(side);
  if (index == kWholePicture) return Covered(side) > 0 ? 1 : 0;
  const int part = index == kNoRegion ? -1 : regions_[static_cast<std::size_t>(index)].part;
  return part < 0 ? 0 : 2 + static_cast<std::size_t>(part);
}

double PictureParts::Covered(const PairSide& side) const {
  if (!laid_in_ || RegionOf(side) != kWholePicture) return 0;
  double covered = 0;
  for (const Part& part : parts_) {
    if (part.laid_in < 0 || !HasHole(side, regions_[part.smallest])) continue;
    const Box& box = regions_[static_cast<std::size_t>(part.laid_in)].first.box;
    // Of a part beside the region a little, which tells that the pair does not show it.
    covered += std::max(1.0, SharedArea(box, side.box)) / Area(side.box);
  }
  return std::min(1.0, covered);
}

/// True where parts lie beside each other and are all of the picture.
bool PictureParts::IsTiled() const {
  double sum = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Box& box = regions_[parts_[i].smallest].first.box;
    sum += Area(box);
    for (std::size_t j = 0; j < i; ++j) {
      const Box& other = regions_[parts_[j].smallest].first.box;
      if (SharedArea(box, other) > kOverlapOfTiles * std::min(Area(box), Area(other))) return false;
    }
  }
  return parts_.size() > 1 && sum >= kMadeOfParts * area_;
}

bool PictureParts::PutTogether() const {
  if (!apart_) return false;
  const auto foreign =
      std::count_if(parts_.begin(), parts_.end(), [](const Part& part) { return part.foreign; });
  return foreign + (laid_in_ ? 1 : 0) > 1 || IsTiled();
}

}  // namespace siftsearch::engine
