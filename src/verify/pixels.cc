#include "verify/pixels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

constexpr int kWindow = 7;
constexpr double kFlat = 6;    // Standard deviation in grey levels below which a window is flat.
constexpr double kNoise = 20;  // Variance that noise and rounding may have; softens the quotient.
constexpr double kLeastGain = 1.0 / 64;  // Of the query's contrast, squared.
constexpr int kFewWindows = 20;
constexpr int kLargestGrid = 1024;
constexpr int kCells = 48;          // Along the longer side, for the agreeing rectangle.
constexpr double kFewShare = 0.02;  // Of all windows; fewer say nothing.
constexpr double kAgainst = 0.1;    // How far below kNeutral a correlation speaks against.
constexpr int kNearTone = 12;       // Grey levels.
constexpr int kToneStep = 2;
constexpr int kFewTones = 20;
constexpr double kLeastOutside = 1.0 / 7;
constexpr double kNeutral = 0.3;  // Correlation that speaks neither for nor against.
/// Of what a window could correlate, from which it agrees, and below which it disagrees.
constexpr double kAgrees = 0.6;
constexpr double kDisagrees = 0.2;
constexpr double kRicher = 4;  // Times the other's variance: what the other lacks is there.
constexpr int kSteps = 50;     // Of correlation, for the share of windows above one.
constexpr double kBest = 0.2;  // See PixelAgreement::best.

/// Sums of grey levels over rectangles in constant time; at most 2^24 pixels.
class Integral {
 public:
  explicit Integral(const GreyView& view)
      : width_(view.width + 1), sums_(static_cast<std::size_t>(width_) * (view.height + 1)) {
    const std::uint8_t* pixel = view.pixels.data();
    for (int y = 0; y < view.height; ++y) {
      std::uint32_t row = 0;
      for (int x = 0; x < view.width; ++x) {
        row += *pixel++;
        sums_[Index(x + 1, y + 1)] = sums_[Index(x + 1, y)] + row;
      }
    }
  }

  /// Sum over columns [left, right) and rows [top, bottom).
  std::uint32_t Sum(int left, int top, int right, int bottom) const {
    return sums_[Index(right, bottom)] - sums_[Index(left, bottom)] - sums_[Index(right, top)] +
           sums_[Index(left, top)];
  }

 private:
  std::size_t Index(int x, int y) const { return static_cast<std::size_t>(y) * width_ + x; }

  const int width_;
  std::vector<std::uint32_t> sums_;
};

/// A picture that can be read at any place, averaged over a square.
class Sampler {
 public:
  Sampler(const GreyView& view, double side) : view_(view), half_(side / 2) {
    if (half_ > 0.75) integral_.emplace(view);
  }

  bool Holds(Point p) const {
    return p.x >= 0 && p.y >= 0 && p.x <= view_.width - 1 && p.y <= view_.height - 1;
  }

  double operator()(Point p) const { return integral_ ? Average(p) : Between(p); }

  std::uint8_t Pixel(int x, int y) const {
    return view_.pixels[static_cast<std::size_t>(y) * view_.width + x];
  }

 private:
  double Average(Point p) const {
    const auto edge = [](double at, int size) {
      return std::clamp(static_cast<int>(std::lround(at)), 0, size);
    };
    const int left = edge(p.x + 0.5 - half_, view_.width - 1);
    const int top = edge(p.y + 0.5 - half_, view_.height - 1);
    const int right = std::max(left + 1, edge(p.x + 0.5 + half_, view_.width));
    const int bottom = std::max(top + 1, edge(p.y + 0.5 + half_, view_.height));
    return integral_->Sum(left, top, right, bottom) /
           (static_cast<double>(right - left) * (bottom - top));
  }

  double Between(Point p) const {
    const int x = std::min(static_cast<int>(p.x), view_.width - 1);
    const int y = std::min(static_cast<int>(p.y), view_.height - 1);
    const int right = std::min(x + 1, view_.width - 1), below = std::min(y + 1, view_.height - 1);
    const double fx = p.x - x, fy = p.y - y;
    return (Pixel(x, y) * (1 - fx) + Pixel(right, y) * fx) * (1 - fy) +
           (Pixel(x, below) * (1 - fx) + Pixel(right, below) * fx) * fy;
  }

  const GreyView view_;
  const double half_;
  std::optional<Integral> integral_;
};

/// Both pictures sampled on one grid over the image.
struct Grid {
  int columns = 0;
  int rows = 0;
  double pitch = 1;  ///< Image pixels from one place to the next.
  std::vector<double> query;
  std::vector<double> image;
  std::vector<char> valid;  ///< Both pictures have a pixel there.

  std::size_t At(int x, int y) const { return static_cast<std::size_t>(y) * columns + x; }
  Point Place(int x, int y) const { return {(x + 0.5) * pitch - 0.5, (y + 0.5) * pitch - 0.5}; }
};

Grid Sample(const GreyView& query, const GreyView& image, const Transform& image_from_query,
            const Warp& warp) {
  const auto j = JacobianAt(image_from_query, {query.width / 2.0, query.height / 2.0});
  const double scale = std::sqrt(std::abs(j[0] * j[3] - j[1] * j[2]));
  Grid grid;
  grid.pitch = std::max(1.0, scale);
  if (!(grid.pitch < std::max(image.width, image.height))) return grid;
  grid.columns = std::min(kLargestGrid, static_cast<int>(image.width / grid.pitch));
  grid.rows = std::min(kLargestGrid, static_cast<int>(image.height / grid.pitch));
  const Sampler ours(query, grid.pitch / scale);
  const Sampler theirs(image, grid.pitch);
  const Transform query_from_image = Inverse(image_from_query);
  const std::size_t size = static_cast<std::size_t>(grid.columns) * grid.rows;
  grid.query.resize(size);
  grid.image.resize(size);
  grid.valid.resize(size);
  const bool pixel_by_pixel = grid.pitch == 1;
  for (int y = 0; y < grid.rows; ++y) {
    for (int x = 0; x < grid.columns; ++x) {
      const Point place = grid.Place(x, y);
      const Point bent = warp.At(place);
      const Point from = Apply(query_from_image, {place.x - bent.x, place.y - bent.y});
      if (!theirs.Holds(place) || !ours.Holds(from)) continue;
      const std::size_t at = grid.At(x, y);
      grid.valid[at] = 1;
      grid.query[at] = ours(from);
      grid.image[at] = pixel_by_pixel ? theirs.Pixel(x, y) : theirs(place);
    }
  }
  return grid;
}

/// Variance over the places that both pictures have.
double Variance(const Grid& grid, const std::vector<double>& values) {
  double sum = 0, squares = 0, places = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!grid.valid[i]) continue;
    sum += values[i];
    squares += values[i] * values[i];
    ++places;
  }
  return places > 0 ? std::max(0.0, squares / places - sum * sum / places / places) : 0;
}

/// Variance of the query for one of the image; noise keeps it off 0.
double Gain(const Grid& grid) {
  return (Variance(grid, grid.query) + 1) / (Variance(grid, grid.image) + 1);
}

/// Correlation of a window, where there is texture to compare.
struct WindowAgreement {
  bool whole = false;  ///< Both pictures have all of it.
  bool textured = false;
  double texture = 0;
  double correlation = 0;
  double attainable = 0;  ///< Correlation of a window of this texture with itself.
  int richer =
      0;  ///< 1: the query has texture there that the image lacks; −1: the other way round.

  /// Share of the attainable correlation, 0 to 1.
  double Attained() const { return std::clamp(correlation / attainable, 0.0, 1.0); }
};

/// What the places of a window sum up to.
struct Moments {
  double valid = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0;

  void Add(const Moments& other, double sign) {
    valid += sign * other.valid;
    a += sign * other.a, b += sign * other.b;
    aa += sign * other.aa, bb += sign * other.bb, ab += sign * other.ab;
  }
};

Moments MomentsAt(const Grid& grid, int x, int y) {
  const std::size_t at = grid.At(x, y);
  const double a = grid.query[at], b = grid.image[at];
  return {double(grid.valid[at]), a, b, a * a, b * b, a * b};
}

/// Which of two windows has texture that the other lacks; see WindowAgreement::richer.
int Richer(double query_variance, double image_variance) {
  if (query_variance > kRicher * (image_variance + kNoise)) return 1;
  return image_variance > kRicher * (query_variance + kNoise) ? -1 : 0;
}

/// `gain`: see Gain. In a copy of less contrast noise varies less, too.
WindowAgreement AgreementOf(const Moments& sums, double gain) {
  constexpr double kPlaces = kWindow * kWindow;
  if (sums.valid < kPlaces - 0.5) return {};
  const double a = sums.a / kPlaces, b = sums.b / kPlaces;
  const double var_a = std::max(0.0, sums.aa / kPlaces - a * a);
  const double var_b = std::max(0.0, sums.bb / kPlaces - b * b);
  const double larger = std::max(var_a, var_b);
  const double query_noise = kNoise * std::clamp(gain, kLeastGain, 1.0);
  if (larger <= kFlat * kFlat) return {.whole = true};
  return {.whole = true,
          .textured = true,
          .texture = std::sqrt(larger),
          .correlation =
              (sums.ab / kPlaces - a * b) / std::sqrt((var_a + query_noise) * (var_b + kNoise)),
          .attainable = larger / (larger + kNoise),
          .richer = Richer(var_a / gain, var_b)};
}

/// Calls `visit` with x, y and the agreement of every window whose first place is a place of the
/// grid, row by row.
template <typename Visit>
void VisitWindows(const Grid& grid, const Visit& visit) {
  const double gain = Gain(grid);
  std::vector<Moments> columns(static_cast<std::size_t>(grid.columns));  // Of kWindow rows.
  for (int y = 0; y < grid.rows; ++y) {
    for (int x = 0; x < grid.columns; ++x) {
      columns[x].Add(MomentsAt(grid, x, y), 1);
      if (y >= kWindow) columns[x].Add(MomentsAt(grid, x, y - kWindow), -1);
    }
    if (y + 1 < kWindow) continue;
    Moments window;
    for (int x = 0; x < grid.columns; ++x) {
      window.Add(columns[x], 1);
      if (x >= kWindow) window.Add(columns[x - kWindow], -1);
      if (x + 1 >= kWindow) {
        visit(x + 1 - kWindow, y + 1 - kWindow, AgreementOf(window, gain));
      }
    }
  }
}

/// Sums over all windows, and of (correlation − kNeutral) in square cells of them.
struct Cells {
  explicit Cells(const Grid& grid) {
    const int windows_across = grid.columns - kWindow + 1, windows_down = grid.rows - kWindow + 1;
    side = std::max(1, (std::max(windows_across, windows_down) + kCells - 1) / kCells);
    columns = (windows_across + side - 1) / side;
    rows = (windows_down + side - 1) / side;
    values.resize(static_cast<std::size_t>(columns) * rows);
    attainable.resize(values.size());
    windows.resize(values.size());
    attained.resize(values.size());
    agreeing.resize(values.size());
    VisitWindows(grid, [&](int x, int y, const WindowAgreement& window) {
      whole_windows += window.whole;
      if (!window.textured) return;
      const std::size_t cell = static_cast<std::size_t>(y / side) * columns + x / side;
      attained[cell] += window.Attained();
      agreeing[cell] += window.Attained() >= kAgrees;
      ++by_attained[static_cast<std::size_t>(window.Attained() * kSteps)];
      if (window.Attained() < kDisagrees)
        ++disagreeing[static_cast<std::size_t>(window.richer + 1)];
      values[cell] += window.correlation - kNeutral;
      attainable[cell] += window.attainable - kNeutral;
      ++windows[cell];
      weighted += window.correlation * window.texture;
      weight += window.texture;
      ++all_windows;
    });
  }

  int side = 1;
  int columns = 0;
  int rows = 0;
  std::vector<double> values;
  std::vector<double> attainable;             ///< The same sums, did all windows agree.
  std::vector<int> windows;                   ///< Textured ones.
  std::vector<double> attained;               ///< Sums of the shares of the attainable correlation.
  std::vector<int> agreeing;                  ///< Windows that agree.
  std::array<int, kSteps + 1> by_attained{};  ///< Windows by that share.
  /// Windows that disagree, by WindowAgreement::richer + 1.
  std::array<int, 3> disagreeing{};
  int whole_windows = 0;  ///< Textured or not.
  double weighted = 0;    ///< Correlation, by texture.
  double weight = 0;
  int all_windows = 0;
};

/// How many textured windows attain from `least` to less than `most` of what they could.
int CountAttaining(const Cells& cells, double least, double most) {
  const auto first = cells.by_attained.begin() + static_cast<int>(std::lround(least * kSteps));
  const auto last = cells.by_attained.begin() + static_cast<int>(std::lround(most * kSteps));
  return std::accumulate(first, last, 0);
}

/// The share of the attainable correlation that a fifth of the windows reach.
double BestAttained(const Cells& cells) {
  double above = 0;
  for (int step = kSteps; step > 0; --step) {
    above += cells.by_attained[step];
    if (above >= kBest * cells.all_windows) return static_cast<double>(step) / kSteps;
  }
  return 0;
}

/// Places of points in cells: (0, 0) is the corner of the first one.
std::vector<Point> InCells(const Grid& grid, const Cells& cells, std::span<const Point> points) {
  std::vector<Point> places;
  for (const Point& p : points) {
    const auto place = [&](double at, int count) {
      const double window = (at + 0.5) / grid.pitch - 0.5 - (kWindow - 1) / 2.0;
      return std::clamp((window + 0.5) / cells.side, 0.0, count - 1e-6);
    };
    places.push_back({place(p.x, cells.columns), place(p.y, cells.rows)});
  }
  return places;
}

/// Mean, over the points' cells that have textured windows, of what these attain.
double AttainedAt(const Cells& cells, const std::vector<Point>& places) {
  double sum = 0, count = 0;
  for (const Point& p : places) {
    const std::size_t cell =
        static_cast<std::size_t>(p.y) * cells.columns + static_cast<std::size_t>(p.x);
    if (cells.windows[cell] == 0) continue;
    sum += cells.attained[cell] / cells.windows[cell];
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

/// Share of the textured windows that agree, of the cells whose centre lies in a convex polygon.
double AgreeingIn(const Cells& cells, const std::vector<Point>& hull) {
  double windows = 0, agreeing = 0;
  for (int y = 0; y < cells.rows; ++y) {
    for (int x = 0; x < cells.columns; ++x) {
      if (!Holds(hull, {x + 0.5, y + 0.5})) continue;
      const std::size_t cell = static_cast<std::size_t>(y) * cells.columns + x;
      windows += cells.windows[cell];
      agreeing += cells.agreeing[cell];
    }
  }
  return windows > 0 ? agreeing / windows : 0;
}

/// What the windows of a cell say.
enum class Says : char { kNothing, kAgrees, kBetween, kDisagrees };

std::vector<Says> Said(const Cells& cells) {
  std::vector<Says> said;
  for (std::size_t i = 0; i < cells.windows.size(); ++i) {
    const double attained = cells.windows[i] > 0 ? cells.attained[i] / cells.windows[i] : 0;
    if (cells.windows[i] == 0)
      said.push_back(Says::kNothing);
    else if (attained >= kAgrees)
      said.push_back(Says::kAgrees);
    else
      said.push_back(attained < kDisagrees ? Says::kDisagrees : Says::kBetween);
  }
  return said;
}

/// Calls `visit` with each of the up to eight cells around one.
template <typename Visit>
void VisitAround(const Cells& cells, int cell, const Visit& visit) {
  const int x = cell % cells.columns, y = cell / cells.columns;
  for (int v = std::max(0, y - 1); v <= std::min(cells.rows - 1, y + 1); ++v) {
    for (int u = std::max(0, x - 1); u <= std::min(cells.columns - 1, x + 1); ++u) {
      if (u != x || v != y) visit(v * cells.columns + u);
    }
  }
}

/// A connected part of the overlap.
struct Part {
  int windows = 0;      ///< Textured ones.
  double attained = 0;  ///< Sum of what they attain.
};

/// The part of the most textured windows of which no cell speaks against a copy.
Part LargestSolid(const Cells& cells, const std::vector<Says>& said) {
  std::vector<char> seen(said.size());
  const auto joins = [&](int cell) {
    return !seen[cell] && (said[cell] == Says::kAgrees || said[cell] == Says::kNothing);
  };
  Part largest;
  std::vector<int> open;
  for (int first = 0; first < static_cast<int>(said.size()); ++first) {
    if (said[first] != Says::kAgrees || seen[first]) continue;
    Part part;
    seen[first] = 1;
    open.push_back(first);
    while (!open.empty()) {
      const int cell = open.back();
      open.pop_back();
      part.windows += cells.windows[cell];
      part.attained += cells.attained[cell];
      VisitAround(cells, cell, [&](int near) {
        if (joins(near)) seen[near] = 1, open.push_back(near);
      });
    }
    if (part.windows > largest.windows) largest = part;
  }
  return largest;
}

/// Share of the textured windows in cells that are between, but at no border of what disagrees.
double Unsettled(const Cells& cells, const std::vector<Says>& said) {
  double windows = 0;
  for (int cell = 0; cell < static_cast<int>(said.size()); ++cell) {
    if (said[cell] != Says::kBetween) continue;
    bool border = false;
    VisitAround(cells, cell, [&](int near) { border |= said[near] == Says::kDisagrees; });
    if (!border) windows += cells.windows[cell];
  }
  return windows / cells.all_windows;
}

struct Rectangle {
  double sum = 0;
  int left = 0, top = 0, right = 0, bottom = 0;  ///< In cells, the last ones outside.
};

/// Whether the textured windows between two rows and two columns of cells speak against a copy.
bool Disagrees(const Cells& cells, int all_windows, int left, int top, int right, int bottom) {
  double sum = 0;
  int windows = 0;
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const std::size_t cell = static_cast<std::size_t>(y) * cells.columns + x;
      sum += cells.values[cell];
      windows += cells.windows[cell];
    }
  }
  return windows > kFewShare * all_windows && sum < -kAgainst * windows;
}

double AttainableIn(const Cells& cells, const Rectangle& r) {
  double sum = 0;
  for (int y = r.top; y < r.bottom; ++y) {
    for (int x = r.left; x < r.right; ++x) {
      sum += cells.attainable[static_cast<std::size_t>(y) * cells.columns + x];
    }
  }
  return sum;
}

/// Moves the sides of a rectangle outward where nothing beyond them disagrees: flat sky has no
/// windows that could agree.
Rectangle Widened(const Cells& cells, int windows, Rectangle r) {
  if (!Disagrees(cells, windows, 0, r.top, r.left, r.bottom)) r.left = 0;
  if (!Disagrees(cells, windows, r.right, r.top, cells.columns, r.bottom)) r.right = cells.columns;
  if (!Disagrees(cells, windows, r.left, 0, r.right, r.top)) r.top = 0;
  if (!Disagrees(cells, windows, r.left, r.bottom, r.right, cells.rows)) r.bottom = cells.rows;
  return r;
}

/// The rectangle of the largest sum: for each pair of rows, the best run of columns.
Rectangle LargestSum(const Cells& cells) {
  Rectangle best;
  std::vector<double> column(static_cast<std::size_t>(cells.columns));
  for (int top = 0; top < cells.rows; ++top) {
    std::fill(column.begin(), column.end(), 0.0);
    for (int bottom = top; bottom < cells.rows; ++bottom) {
      double sum = 0;
      int left = 0;
      for (int x = 0; x < cells.columns; ++x) {
        column[x] += cells.values[static_cast<std::size_t>(bottom) * cells.columns + x];
        if (sum <= 0) sum = 0, left = x;
        sum += column[x];
        if (sum > best.sum) best = {sum, left, top, x + 1, bottom + 1};
      }
    }
  }
  return best;
}

/// The cells of a rectangle whose values are above zero, and those between them.
Rectangle Trimmed(const Cells& cells, const Rectangle& r) {
  Rectangle trimmed{
      .sum = r.sum, .left = r.right, .top = r.bottom, .right = r.left, .bottom = r.top};
  for (int y = r.top; y < r.bottom; ++y) {
    for (int x = r.left; x < r.right; ++x) {
      if (cells.values[static_cast<std::size_t>(y) * cells.columns + x] <= 0) continue;
      trimmed.left = std::min(trimmed.left, x);
      trimmed.top = std::min(trimmed.top, y);
      trimmed.right = std::max(trimmed.right, x + 1);
      trimmed.bottom = std::max(trimmed.bottom, y + 1);
    }
  }
  return trimmed;
}

/// Share of `region` that the block of it takes up whose windows disagree most.
double CoveredShare(const Cells& cells, int all_windows, const Rectangle& region) {
  Cells against = cells;
  for (int y = 0; y < cells.rows; ++y) {
    for (int x = 0; x < cells.columns; ++x) {
      const std::size_t cell = static_cast<std::size_t>(y) * cells.columns + x;
      const bool inside =
          x >= region.left && x < region.right && y >= region.top && y < region.bottom;
      against.values[cell] = inside ? -cells.values[cell] - kAgainst * cells.windows[cell] : 0;
    }
  }
  const Rectangle block = Trimmed(against, LargestSum(against));
  if (!Disagrees(cells, all_windows, block.left, block.top, block.right, block.bottom)) return 0;
  const auto area = [](const Rectangle& r) {
    return static_cast<double>(r.right - r.left) * (r.bottom - r.top);
  };
  return area(block) / area(region);
}

/// How often each grey level is met, inside the shared region and outside it.
struct Tones {
  std::array<int, 256> inside{};
  std::array<int, 256> outside{};
};

/// Of every second pixel of every second row.
template <typename InRegion>
Tones CountTones(const GreyView& view, const InRegion& in_region) {
  Tones tones;
  for (int y = 0; y < view.height; y += kToneStep) {
    for (int x = 0; x < view.width; x += kToneStep) {
      const std::uint8_t tone = view.pixels[static_cast<std::size_t>(y) * view.width + x];
      ++(in_region(Point{double(x), double(y)}) ? tones.inside : tones.outside)[tone];
    }
  }
  return tones;
}

int CountNear(const std::array<int, 256>& counts, int tone) {
  const int first = std::max(0, tone - kNearTone), last = std::min(255, tone + kNearTone);
  return std::accumulate(counts.begin() + first, counts.begin() + last + 1, 0);
}

/// How much more of the inside than of the outside has the inside's commonest tone.
double OwnTone(const Tones& tones) {
  const int inside = std::accumulate(tones.inside.begin(), tones.inside.end(), 0);
  const int outside = std::accumulate(tones.outside.begin(), tones.outside.end(), 0);
  if (inside < kFewTones || outside < kLeastOutside * (inside + outside)) return 0;
  int most = 0, commonest = 0;
  for (int tone = 0; tone < 256; ++tone) {
    const int near = CountNear(tones.inside, tone);
    if (near > most) most = near, commonest = tone;
  }
  return double(most) / inside - double(CountNear(tones.outside, commonest)) / outside;
}

double OwnBackground(const GreyView& query, const GreyView& image,
                     const Transform& image_from_query, const std::array<double, 4>& rectangle) {
  const auto in_rectangle = [left = rectangle[0], top = rectangle[1], right = rectangle[2],
                             bottom = rectangle[3]](Point p) {
    return p.x >= left && p.x <= right && p.y >= top && p.y <= bottom;
  };
  const Tones ours =
      CountTones(query, [&](Point p) { return in_rectangle(Apply(image_from_query, p)); });
  const double own = OwnTone(ours);
  if (own <= 0) return 0;
  const Transform query_from_image = Inverse(image_from_query);
  const Tones theirs = CountTones(image, [&](Point p) {
    if (!in_rectangle(p)) return false;
    const Point from = Apply(query_from_image, p);
    return from.x >= -0.5 && from.y >= -0.5 && from.x <= query.width - 0.5 &&
           from.y <= query.height - 0.5;
  });
  return std::clamp(OwnTone(theirs), 0.0, own);
}

}  // namespace

bool AgreeingCells::Holds(Point p) const {
  const double x = p.x / side, y = p.y / side;
  if (!(x >= 0 && x < columns && y >= 0)) return false;
  const auto cell =
      static_cast<std::size_t>(y) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(x);
  return cell < agrees.size() && agrees[cell];
}

PixelAgreement CompareAligned(const GreyView& query, const GreyView& image,
                              const Transform& image_from_query, std::span<const Point> points,
                              const Warp& warp) {
  PixelAgreement result;
  if (query.width < 1 || query.height < 1 || image.width < 1 || image.height < 1) return result;
  const Grid grid = Sample(query, image, image_from_query, warp);
  if (grid.columns < kWindow || grid.rows < kWindow) return result;
  const Cells cells(grid);
  if (cells.all_windows < kFewWindows) return {};
  result.windows = cells.all_windows;
  result.correlation = cells.weighted / cells.weight;
  result.agreeing = double(CountAttaining(cells, kAgrees, 1 + 1.0 / kSteps)) / result.windows;
  result.between = double(CountAttaining(cells, kDisagrees, kAgrees)) / result.windows;
  result.best = BestAttained(cells);
  result.textured = double(result.windows) / cells.whole_windows;
  const int extra = std::min(cells.disagreeing.front(), cells.disagreeing.back());
  result.extra_in_both = double(extra) / result.windows;
  const std::vector<Says> said = Said(cells);
  const Part solid = LargestSolid(cells, said);
  result.solid_share = double(solid.windows) / result.windows;
  result.solid_attained = solid.windows > 0 ? solid.attained / solid.windows : 0;
  result.unsettled = Unsettled(cells, said);
  result.cells = {.side = cells.side * grid.pitch, .columns = cells.columns, .agrees = {}};
  for (const Says says : said) {
    result.cells.agrees.push_back(says == Says::kAgrees || says == Says::kNothing);
  }
  const std::vector<Point> places = InCells(grid, cells, points);
  result.at_points = AttainedAt(cells, places);
  result.in_hull = AgreeingIn(cells, ConvexHull(places));
  const Rectangle best = LargestSum(cells);
  if (best.sum > 0) {
    const Rectangle whole{.sum = 0, .right = cells.columns, .bottom = cells.rows};
    result.coherent = std::min(1.0, best.sum / AttainableIn(cells, whole));
    result.inside = std::min(1.0, best.sum / AttainableIn(cells, best));
  }
  const Rectangle wide = Widened(cells, result.windows, best);
  result.covered = best.sum > 0 ? CoveredShare(cells, result.windows, wide) : 0;
  const auto edge = [&](int cell, int count, int size) {
    if (cell == 0) return -0.5;
    if (cell == count) return size - 0.5;
    return (cell * cells.side + (kWindow - 1) / 2.0) * grid.pitch;
  };
  result.rectangle = {
      edge(wide.left, cells.columns, image.width), edge(wide.top, cells.rows, image.height),
      edge(wide.right, cells.columns, image.width), edge(wide.bottom, cells.rows, image.height)};
  result.own_background = OwnBackground(query, image, image_from_query, result.rectangle);
  return result;
}

}  // namespace siftsearch::verify
