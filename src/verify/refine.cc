#include "verify/refine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>
#include <utility>

#include "verify/least_squares.h"

namespace siftsearch::verify {
namespace {

constexpr int kRounds = 3;
/// A view from another side leaves a similarity's reach away from where it was fitted: then pairs
/// are looked for farther off first.
constexpr double kWidenings[] = {3, 3, 3, 2, 1.5, 1, 1};
/// Share of the keypoints found from which there is no need to.
constexpr double kFoundMost = 0.6;
constexpr int kAffineFrom = 6;
constexpr int kHomographyFrom = 12;
constexpr double kMostAreaRatio = 12;
constexpr double kMaxLogScale = 0.53;  // A factor of 1.7.
constexpr double kMaxDegrees = 25;
/// Squared distance of RootSIFT bytes; unrelated near descriptors lie at 215 in the median.
constexpr std::int32_t kMaxDistance = 220 * 220;
/// Of the keypoints that could agree, so many of the strongest are asked: the weakest of a picture
/// of which only a part is shared are too weak to be among the other's.
constexpr std::size_t kStrongest = 300;
/// The same for how unevenly they agree, and the cells along the longer side that tell it.
constexpr std::size_t kUnevenKeypoints = 1000;
constexpr double kUnevenCells = 24;
/// Keypoints are found from this region diameter on, in pixels of the working size.
constexpr double kSmallestScale = 2;
/// Margin of the working size in which a picture has no keypoints.
constexpr double kMargin = 8;
/// Keypoints of one structure share what puts them off; those of others are at least so far apart,
/// in 1/640 of the picture's longer side.
constexpr double kParallaxApart = 10;

/// Parallax above which a smooth field is tried, and what it is tried with.
constexpr double kBends = 0.25;
struct Bending {
  double widening;
  double reach;  ///< Share of the longer side.
};
constexpr Bending kSpreading[] = {{3, 1.0 / 3}, {3, 1.0 / 5}};
constexpr int kSpreadings = 10;
constexpr Bending kSettling[] = {{2, 1.0 / 5}, {2, 1.0 / 8}, {1.5, 1.0 / 8}, {1, 1.0 / 8}};
/// So many points must agree with it: a field through few bends to any.
constexpr int kBentPoints = 40;

std::int32_t SquaredDistance(const std::uint8_t* a, const std::uint8_t* b) {
  std::int32_t sum = 0;
  for (int i = 0; i < kDescriptorBytes; ++i) {
    const std::int32_t d = std::int32_t{a[i]} - b[i];
    sum += d * d;
  }
  return sum;
}

/// Working pixels per pixel of a picture.
double WorkingScale(const FeatureSet& picture) {
  return std::min(1.0, kWorkingSide / std::max({1, picture.width, picture.height}));
}

/// The transform near a point: how it scales and turns there.
struct Local {
  double log_scale = 0;
  double degrees = 0;
};

double ScaleAt(const Transform& t, Point p) {
  const auto j = JacobianAt(t, p);
  return std::sqrt(std::max(1e-12, std::abs(j[0] * j[3] - j[1] * j[2])));
}

Local LocalAt(const Transform& t, Point p) {
  const auto j = JacobianAt(t, p);
  return {std::log(ScaleAt(t, p)), std::atan2(j[2], j[0]) * 180 / std::numbers::pi};
}

bool IsAffine(const Transform& t) { return t[6] == 0 && t[7] == 0; }

std::vector<double> LogScales(const FeatureSet& picture) {
  std::vector<double> logs;
  for (const Keypoint& point : picture.keypoints) {
    logs.push_back(std::log(std::max(1e-6, double{point.scale})));
  }
  return logs;
}

/// Degrees between two directions, 0 to 180; `difference`: -540 to 540.
double Turn(double difference) {
  const double turn = std::abs(difference);
  return turn <= 180 ? turn : std::abs(turn - 360);
}

/// Image keypoints by place, in square cells.
class KeypointGrid {
 public:
  KeypointGrid(const FeatureSet& image, double cell) : cell_(cell) {
    columns_ = static_cast<int>(image.width / cell) + 1;
    rows_ = static_cast<int>(image.height / cell) + 1;
    starts_.resize(static_cast<std::size_t>(columns_) * rows_ + 1);
    for (const Keypoint& point : image.keypoints) ++starts_[CellOf(point) + 1];
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    std::vector<std::int32_t> next(starts_.begin(), starts_.end() - 1);
    keypoints_.resize(image.size());
    for (std::size_t i = 0; i < image.size(); ++i) {
      keypoints_[next[CellOf(image.keypoints[i])]++] = static_cast<std::int32_t>(i);
    }
  }

  /// Calls `visit` with every keypoint in the cells that a square of half side `reach` around a
  /// point touches.
  template <typename Visit>
  void Around(Point p, double reach, const Visit& visit) const {
    const int left = Column(p.x - reach), right = Column(p.x + reach);
    const int top = Row(p.y - reach), bottom = Row(p.y + reach);
    for (int y = top; y <= bottom; ++y) {
      const std::int32_t begin = starts_[Cell(left, y)], end = starts_[Cell(right, y) + 1];
      for (std::int32_t at = begin; at < end; ++at) visit(keypoints_[at]);
    }
  }

 private:
  /// 0 for what is no number.
  static int Clamped(double cell, int count) {
    return cell > 0 ? static_cast<int>(std::min(cell, count - 1.0)) : 0;
  }
  int Column(double x) const { return Clamped(x / cell_, columns_); }
  int Row(double y) const { return Clamped(y / cell_, rows_); }
  std::size_t Cell(int column, int row) const {
    return static_cast<std::size_t>(row) * columns_ + column;
  }
  std::size_t CellOf(const Keypoint& point) const { return Cell(Column(point.x), Row(point.y)); }

  const double cell_;
  int columns_ = 1;
  int rows_ = 1;
  std::vector<std::int32_t> starts_;     ///< Of each cell, and the end.
  std::vector<std::int32_t> keypoints_;  ///< Cell by cell.
};

struct Candidate {
  std::int32_t distance = 0;
  std::int32_t query = 0;
  std::int32_t image = 0;

  auto operator<=>(const Candidate&) const = default;
};

bool InFront(const Transform& t, Point p) { return t[6] * p.x + t[7] * p.y + t[8] > 1e-9; }

/// Where a transform and a warp put a point of the query.
Point Place(const Transform& t, const Warp& warp, Point query) {
  const Point to = Apply(t, query);
  if (warp.empty()) return to;
  const Point near = warp.At(to);
  const Point moved = warp.At({to.x + near.x, to.y + near.y});
  return {to.x + moved.x, to.y + moved.y};
}

/// From where they put a keypoint of the query to the image's.
Point Offset(const Transform& t, const Warp& warp, const Keypoint& query, const Keypoint& image) {
  const Point to = Place(t, warp, {query.x, query.y});
  return {image.x - to.x, image.y - to.y};
}

class Matcher {
 public:
  Matcher(const FeatureSet& query, const FeatureSet& image, double tolerance)
      : query_(query),
        image_(image),
        tolerance_(tolerance * std::max(image.width, image.height)),
        query_log_scales_(LogScales(query)),
        image_log_scales_(LogScales(image)),
        grid_(image, std::max(1.0, tolerance_)) {}

  /// `widening`: how many times the tolerance a pair may be off.
  std::vector<std::pair<std::int32_t, std::int32_t>> Match(const Transform& transform,
                                                           double widening = 1,
                                                           const Warp& warp = {}) const {
    std::vector<Candidate> candidates;
    std::optional<Local> everywhere;
    if (IsAffine(transform)) everywhere = LocalAt(transform, {0, 0});
    for (std::size_t i = 0; i < query_.size(); ++i) {
      const Point from{query_.keypoints[i].x, query_.keypoints[i].y};
      if (!InFront(transform, from)) continue;
      Collect(transform, warp, everywhere, static_cast<std::int32_t>(i), widening * tolerance_,
              candidates);
    }
    std::sort(candidates.begin(), candidates.end());
    std::vector<bool> query_used(query_.size()), image_used(image_.size());
    std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
    for (const Candidate& c : candidates) {
      if (query_used[c.query] || image_used[c.image]) continue;
      query_used[c.query] = image_used[c.image] = true;
      pairs.emplace_back(c.query, c.image);
    }
    return pairs;
  }

  /// How well a transform explains pairs: each counts the more, up to 1, the nearer it lies (MSAC;
  /// Torr and Zisserman, MLESAC, CVIU 2000, 3).
  double Gain(const Transform& transform,
              const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs) const {
    double gain = 0;
    for (const auto& [q, i] : pairs) {
      const Point off = Offset(transform, {}, query_.keypoints[q], image_.keypoints[i]);
      gain += std::max(0.0, 1 - (off.x * off.x + off.y * off.y) / (tolerance_ * tolerance_));
    }
    return gain;
  }

 private:
  /// Keypoints of the image about where keypoint `i` of the query should be. `local`: of an affine
  /// transform; of others it is worked out where there are such keypoints.
  void Collect(const Transform& transform, const Warp& warp, std::optional<Local> local,
               std::int32_t i, double reach, std::vector<Candidate>& out) const {
    const Keypoint& from = query_.keypoints[i];
    const Point to = Place(transform, warp, {from.x, from.y});
    grid_.Around(to, reach, [&](std::int32_t k) {
      const Keypoint& p = image_.keypoints[k];
      const double dx = p.x - to.x, dy = p.y - to.y;
      if (dx * dx + dy * dy > reach * reach) return;
      if (!local) local = LocalAt(transform, {from.x, from.y});
      const double log_scale = query_log_scales_[i] + local->log_scale;
      const double degrees = from.angle + local->degrees;
      if (!(std::abs(image_log_scales_[k] - log_scale) <= kMaxLogScale)) return;
      if (!(Turn(p.angle - degrees) <= kMaxDegrees)) return;
      const std::int32_t distance =
          SquaredDistance(query_.descriptors.data() + std::size_t{kDescriptorBytes} * i,
                          image_.descriptors.data() + std::size_t{kDescriptorBytes} * k);
      if (distance <= kMaxDistance) out.push_back({distance, i, k});
    });
  }

  const FeatureSet& query_;
  const FeatureSet& image_;
  const double tolerance_;
  const std::vector<double> query_log_scales_;
  const std::vector<double> image_log_scales_;
  const KeypointGrid grid_;
};

/// Moves points to mean 0 and mean distance √2, which keeps the equations well conditioned.
struct Normalisation {
  double x = 0, y = 0, scale = 1;

  explicit Normalisation(const std::vector<Point>& points) {
    for (const Point& p : points) x += p.x, y += p.y;
    x /= static_cast<double>(points.size());
    y /= static_cast<double>(points.size());
    double spread = 0;
    for (const Point& p : points) spread += std::hypot(p.x - x, p.y - y);
    if (spread > 0) scale = std::numbers::sqrt2 * static_cast<double>(points.size()) / spread;
  }

  Point operator()(Point p) const { return {(p.x - x) * scale, (p.y - y) * scale}; }
  Transform Matrix() const { return {scale, 0, -x * scale, 0, scale, -y * scale, 0, 0, 1}; }
  Transform Inverse() const { return {1 / scale, 0, x, 0, 1 / scale, y, 0, 0, 1}; }
};

std::optional<Transform> FitAffine(const std::vector<Point>& from, const std::vector<Point>& to) {
  LeastSquares<3> x, y;
  for (std::size_t i = 0; i < from.size(); ++i) {
    x.Add({from[i].x, from[i].y, 1}, to[i].x);
    y.Add({from[i].x, from[i].y, 1}, to[i].y);
  }
  const auto a = x.Solve(), b = y.Solve();
  if (!a || !b) return std::nullopt;
  return Transform{(*a)[0], (*a)[1], (*a)[2], (*b)[0], (*b)[1], (*b)[2], 0, 0, 1};
}

std::optional<Transform> FitHomography(const std::vector<Point>& from,
                                       const std::vector<Point>& to) {
  LeastSquares<8> equations;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto [x, y] = from[i];
    const auto [u, v] = to[i];
    equations.Add({x, y, 1, 0, 0, 0, -u * x, -u * y}, u);
    equations.Add({0, 0, 0, x, y, 1, -v * x, -v * y}, v);
  }
  const auto h = equations.Solve();
  if (!h) return std::nullopt;
  return Transform{(*h)[0], (*h)[1], (*h)[2], (*h)[3], (*h)[4], (*h)[5], (*h)[6], (*h)[7], 1};
}

/// Corners of what both pictures show, in the query: the image's, as far as the query reaches.
std::array<Point, 4> SharedCorners(const Transform& t, const FeatureSet& query,
                                   const FeatureSet& image) {
  const Transform back = Inverse(t);
  const double right = query.width - 1.0, bottom = query.height - 1.0;
  std::array<Point, 4> corners;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const Point own{i % 2 == 0 ? 0 : right, i / 2 == 0 ? 0 : bottom};
    const Point theirs{i % 2 == 0 ? 0 : image.width - 1.0, i / 2 == 0 ? 0 : image.height - 1.0};
    const Point p = InFront(back, theirs) ? Apply(back, theirs) : own;
    corners[i] = {std::clamp(p.x, 0.0, right), std::clamp(p.y, 0.0, bottom)};
  }
  return corners;
}

/// True where the transform is a view of the shared region that keeps its hand and does not stretch
/// one part of it far beyond another.
bool Plausible(const Transform& t, const FeatureSet& query, const FeatureSet& image, double hand) {
  double least = 0, most = 0;
  for (const Point& corner : SharedCorners(t, query, image)) {
    if (!InFront(t, corner)) return false;
    const auto j = JacobianAt(t, corner);
    const double area = (j[0] * j[3] - j[1] * j[2]) * hand;
    if (!(area > 0)) return false;
    // Shear: the columns' lengths and angle.
    const double a = std::hypot(j[0], j[2]), b = std::hypot(j[1], j[3]);
    if (!(area > 0.35 * a * b) || a > 3 * b || b > 3 * a) return false;
    least = least == 0 ? area : std::min(least, area);
    most = std::max(most, area);
  }
  return most <= kMostAreaRatio * least;
}

/// Pairs of which no other has nearly the same position in either picture, counted up to `most`.
int CountDistinct(const FeatureSet& query, const FeatureSet& image,
                  const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs,
                  std::size_t most = std::numeric_limits<std::size_t>::max()) {
  std::vector<Point> used_query, used_image;
  const auto near = [](const std::vector<Point>& used, const Keypoint& p, double pixel) {
    return std::any_of(used.begin(), used.end(), [&](const Point& u) {
      const double dx = u.x - p.x, dy = u.y - p.y;
      return dx * dx + dy * dy < pixel * pixel;
    });
  };
  const double query_pixel = 1 / WorkingScale(query), image_pixel = 1 / WorkingScale(image);
  for (const auto& [q, i] : pairs) {
    const Keypoint& a = query.keypoints[q];
    const Keypoint& b = image.keypoints[i];
    if (near(used_query, a, query_pixel) || near(used_image, b, image_pixel)) continue;
    used_query.push_back({a.x, a.y});
    used_image.push_back({b.x, b.y});
    if (used_query.size() == most) break;
  }
  return static_cast<int>(used_query.size());
}

/// See Refinement::parallax.
double Parallax(const FeatureSet& query, const FeatureSet& image, const Refinement& refined) {
  const double unit = std::max(image.width, image.height) / kWorkingSide;
  const double apart = kParallaxApart * unit;
  std::vector<Point> places, offsets;
  for (const auto& [q, i] : refined.pairs) {
    places.push_back({image.keypoints[i].x, image.keypoints[i].y});
    offsets.push_back(
        Offset(refined.image_from_query, refined.warp, query.keypoints[q], image.keypoints[i]));
  }
  double sum = 0, squares = 0;
  int count = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    double nearest = std::numeric_limits<double>::infinity();  // Squared.
    std::size_t neighbour = i;
    for (std::size_t j = 0; j < places.size(); ++j) {
      const double dx = places[i].x - places[j].x, dy = places[i].y - places[j].y;
      const double distance = dx * dx + dy * dy;
      if (distance < apart * apart || distance >= nearest) continue;
      nearest = distance;
      neighbour = j;
    }
    if (neighbour == i) continue;
    sum += offsets[i].x * offsets[neighbour].x + offsets[i].y * offsets[neighbour].y;
    squares += offsets[i].x * offsets[i].x + offsets[i].y * offsets[i].y;
    ++count;
  }
  if (count < kHomographyFrom) return 0;
  // Of independent offsets the sum's deviation is at most this (most terms stand in it twice).
  const double by_chance = squares / std::sqrt(count);
  return std::sqrt(std::max(0.0, sum - 2 * by_chance) / count) / unit;
}

/// 0 of none.
double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Fills in how exactly the pairs agree.
void MeasurePairs(const FeatureSet& query, const FeatureSet& image, Refinement& refined) {
  const double unit = std::max(image.width, image.height) / kWorkingSide;
  std::vector<double> offsets, scales, angles, distances;
  for (const auto& [q, i] : refined.pairs) {
    const Keypoint& from = query.keypoints[q];
    const Keypoint& to = image.keypoints[i];
    const Point off = Offset(refined.image_from_query, refined.warp, from, to);
    const Local local = LocalAt(refined.image_from_query, {from.x, from.y});
    offsets.push_back(std::hypot(off.x, off.y) / unit);
    scales.push_back(
        std::abs(std::log2(double{to.scale} / from.scale) - local.log_scale / std::numbers::ln2));
    angles.push_back(Turn(std::fmod(to.angle - from.angle - local.degrees, 360)));
    distances.push_back(
        std::sqrt(SquaredDistance(query.descriptors.data() + std::size_t{kDescriptorBytes} * q,
                                  image.descriptors.data() + std::size_t{kDescriptorBytes} * i)));
  }
  refined.residual = Median(std::move(offsets));
  refined.scale_spread = Median(std::move(scales));
  refined.angle_spread = Median(std::move(angles));
  refined.descriptor_distance = Median(std::move(distances));
}

/// A keypoint that the other picture could show.
struct Possible {
  Point place;  ///< In the image.
  bool found = false;
};

/// Those of the strongest keypoints of `from` that `to` could show, at most so many.
/// `image_place(from, to)` chooses the place in the image of the two.
template <typename ImagePlace, typename Inside>
std::vector<Possible> PossibleOf(const FeatureSet& from, const FeatureSet& to,
                                 const Transform& to_from_from, const std::vector<bool>& paired,
                                 const ImagePlace& image_place, const Inside& inside,
                                 std::size_t most) {
  const double margin = kMargin / WorkingScale(to);
  std::vector<Possible> possible;
  for (std::size_t i = 0; i < from.size() && possible.size() < most; ++i) {
    const Keypoint& point = from.keypoints[i];
    const Point p{point.x, point.y};
    if (!InFront(to_from_from, p)) continue;
    const Point there = Apply(to_from_from, p);
    if (there.x < margin || there.y < margin || there.x > to.width - 1 - margin ||
        there.y > to.height - 1 - margin) {
      continue;
    }
    const Point place = image_place(p, there);
    if (!inside(place)) continue;
    const double scale = point.scale * ScaleAt(to_from_from, p);
    if (scale * WorkingScale(to) < kSmallestScale) continue;
    possible.push_back({place, paired[i]});
  }
  return possible;
}

/// The possible keypoints of both pictures inside a part of the image: the query's, the image's.
template <typename Inside>
std::array<std::vector<Possible>, 2> PossibleInBoth(const FeatureSet& query,
                                                    const FeatureSet& image,
                                                    const Refinement& refined, const Inside& inside,
                                                    std::size_t most) {
  std::vector<bool> query_paired(query.size()), image_paired(image.size());
  for (const auto& [q, i] : refined.pairs) query_paired[q] = image_paired[i] = true;
  const Transform& forward = refined.image_from_query;
  return {PossibleOf(
              query, image, forward, query_paired, [](Point, Point there) { return there; }, inside,
              most),
          PossibleOf(
              image, query, Inverse(forward), image_paired, [](Point here, Point) { return here; },
              inside, most)};
}

double ShareFound(const std::vector<Possible>& possible) {
  const auto found =
      std::count_if(possible.begin(), possible.end(), [](const Possible& p) { return p.found; });
  return possible.empty() ? 0 : static_cast<double>(found) / static_cast<double>(possible.size());
}

/// Intraclass correlation of being found, in square cells of the image, 0 to 1: the analysis of
/// variance estimator (Ridout, Demétrio and Firth, Biometrics 1999, 2.1).
double IntraclassCorrelation(const std::vector<Possible>& possible, const FeatureSet& image) {
  const double cell = std::max(1, std::max(image.width, image.height)) / kUnevenCells;
  struct Cell {
    double count = 0, found = 0;
  };
  std::map<std::pair<int, int>, Cell> cells;
  double all = 0, all_found = 0, counts_squared = 0, within = 0;
  for (const Possible& p : possible) {
    Cell& at = cells[{static_cast<int>(p.place.x / cell), static_cast<int>(p.place.y / cell)}];
    ++at.count, ++all;
    at.found += p.found, all_found += p.found;
  }
  for (const auto& [place, c] : cells) {
    counts_squared += c.count * c.count;
    within += c.found * c.found / c.count;
  }
  const double groups = static_cast<double>(cells.size());
  if (groups < 2 || all <= groups) return 0;
  const double between_mean = (within - all_found * all_found / all) / (groups - 1);
  const double within_mean = (all_found - within) / (all - groups);
  const double size = (all - counts_squared / all) / (groups - 1);
  const double total = between_mean + (size - 1) * within_mean;
  return total > 0 ? std::clamp((between_mean - within_mean) / total, 0.0, 1.0) : 0;
}

/// The best transform that the pairs carry, or `before`.
Transform Refit(const FeatureSet& query, const FeatureSet& image,
                const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs,
                const Transform& before, bool homography) {
  const int distinct = CountDistinct(query, image, pairs, kHomographyFrom);
  if (distinct < kAffineFrom) return before;
  std::vector<Point> from, to;
  for (const auto& [q, i] : pairs) {
    from.push_back({query.keypoints[q].x, query.keypoints[q].y});
    to.push_back({image.keypoints[i].x, image.keypoints[i].y});
  }
  const Normalisation from_norm(from), to_norm(to);
  for (Point& p : from) p = from_norm(p);
  for (Point& p : to) p = to_norm(p);
  const auto whole = [&](const Transform& t) {
    return Product(Product(to_norm.Inverse(), t), from_norm.Matrix());
  };
  const double hand = before[0] * before[4] - before[1] * before[3] > 0 ? 1 : -1;
  if (homography && distinct >= kHomographyFrom) {
    const auto fit = FitHomography(from, to);
    if (fit && Plausible(whole(*fit), query, image, hand)) return whole(*fit);
  }
  const auto fit = FitAffine(from, to);
  return fit && Plausible(whole(*fit), query, image, hand) ? whole(*fit) : before;
}

}  // namespace

namespace {

constexpr double kEverywhere = 1e9;

/// Repeats matching and fitting from near to near.
Refinement Narrow(const FeatureSet& query, const FeatureSet& image, const Matcher& matcher,
                  const Transform& image_from_query) {
  Refinement result;
  result.image_from_query = image_from_query;
  result.pairs = matcher.Match(image_from_query);
  for (int round = 0; round < kRounds; ++round) {
    const Transform refit = Refit(query, image, result.pairs, result.image_from_query, round > 0);
    auto pairs = matcher.Match(refit);
    // A refit that explains less was led astray by wrong pairs.
    if (matcher.Gain(refit, pairs) < matcher.Gain(result.image_from_query, result.pairs)) break;
    result.image_from_query = refit;
    result.pairs = std::move(pairs);
  }
  return result;
}

/// The same with pairs from farther off first.
Refinement Wide(const FeatureSet& query, const FeatureSet& image, const Matcher& matcher,
                const Transform& image_from_query) {
  Refinement result;
  result.image_from_query = image_from_query;
  double settled = 0;  // The widening that changed nothing.
  for (const double widening : kWidenings) {
    if (widening == settled) continue;
    result.pairs = matcher.Match(result.image_from_query, widening);
    const Transform refit = Refit(query, image, result.pairs, result.image_from_query, true);
    if (refit == result.image_from_query) settled = widening;
    result.image_from_query = refit;
  }
  result.pairs = matcher.Match(result.image_from_query);
  return result;
}

/// Bends a refinement: matching from farther off and a smooth field through the pairs in turns.
Refinement Bent(const FeatureSet& query, const FeatureSet& image, const Matcher& matcher,
                const Refinement& plain) {
  Refinement bent;
  bent.image_from_query = plain.image_from_query;
  const auto bend = [&](const Bending& bending) {
    bent.pairs = matcher.Match(bent.image_from_query, bending.widening, bent.warp);
    std::vector<Point> places, offsets;
    for (const auto& [q, i] : bent.pairs) {
      places.push_back({image.keypoints[i].x, image.keypoints[i].y});
      offsets.push_back(
          Offset(bent.image_from_query, bent.warp, query.keypoints[q], image.keypoints[i]));
    }
    bent.warp.Add(Warp::Smooth({image.width, image.height}, bending.reach, places, offsets));
  };
  for (const Bending& bending : kSpreading) {
    std::size_t before = 0;
    for (int i = 0; i < kSpreadings; ++i) {
      bend(bending);
      if (bent.pairs.size() <= before) break;
      before = bent.pairs.size();
    }
  }
  for (const Bending& bending : kSettling) bend(bending);
  bent.pairs = matcher.Match(bent.image_from_query, 1, bent.warp);
  return bent;
}

void Count(const FeatureSet& query, const FeatureSet& image, Refinement& result) {
  result.distinct = CountDistinct(query, image, result.pairs);
  CountFound(query, image, {-kEverywhere, -kEverywhere, kEverywhere, kEverywhere}, result);
}

}  // namespace

Refinement Refine(const FeatureSet& query, const FeatureSet& image,
                  const Transform& image_from_query, double tolerance) {
  const Matcher matcher(query, image, tolerance);
  Refinement best = Narrow(query, image, matcher, image_from_query);
  Count(query, image, best);
  if (std::max(best.query_found, best.image_found) < kFoundMost) {
    Refinement wide = Wide(query, image, matcher, best.image_from_query);
    Count(query, image, wide);
    if (wide.distinct > best.distinct) best = std::move(wide);
  }
  best.parallax = Parallax(query, image, best);
  if (best.parallax > kBends && best.distinct >= kHomographyFrom) {
    Refinement bent = Bent(query, image, matcher, best);
    Count(query, image, bent);
    bent.parallax = Parallax(query, image, bent);
    if (bent.distinct > best.distinct && bent.distinct >= kBentPoints) best = std::move(bent);
  }
  MeasurePairs(query, image, best);
  return best;
}

void CountFound(const FeatureSet& query, const FeatureSet& image, const ImageRegion& region,
                Refinement& refinement) {
  const auto holds = [&](Point p) {
    return p.x >= region.left && p.x <= region.right && p.y >= region.top && p.y <= region.bottom;
  };
  const auto [ours, theirs] = PossibleInBoth(query, image, refinement, holds, kStrongest);
  refinement.query_found = ShareFound(ours);
  refinement.image_found = ShareFound(theirs);
}

double Unevenness(const FeatureSet& query, const FeatureSet& image, const Refinement& refinement,
                  const std::function<bool(Point)>& counts) {
  const auto [ours, theirs] = PossibleInBoth(query, image, refinement, counts, kUnevenKeypoints);
  return std::min(IntraclassCorrelation(ours, image), IntraclassCorrelation(theirs, image));
}

}  // namespace siftsearch::verify
