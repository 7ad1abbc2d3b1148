#include "verify/pixels.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

constexpr int kWindow = 7;
constexpr double kFlat = 6;    // Standard deviation in grey levels below which a window is flat.
constexpr double kNoise = 20;  // Variance that noise and rounding may have; softens the quotient.
constexpr int kFewWindows = 20;
constexpr int kLargestGrid = 1024;

/// Sums over rectangles in constant time.
class Integral {
 public:
  template <typename Value>
  Integral(int width, int height, const Value& value)
      : width_(width), sums_(static_cast<std::size_t>(width + 1) * (height + 1)) {
    for (int y = 0; y < height; ++y) {
      double row = 0;
      for (int x = 0; x < width; ++x) {
        row += value(x, y);
        At(x + 1, y + 1) = At(x + 1, y) + row;
      }
    }
  }

  /// Sum over columns [left, right) and rows [top, bottom).
  double Sum(int left, int top, int right, int bottom) const {
    return At(right, bottom) - At(left, bottom) - At(right, top) + At(left, top);
  }

 private:
  double& At(int x, int y) { return sums_[static_cast<std::size_t>(y) * (width_ + 1) + x]; }
  double At(int x, int y) const { return sums_[static_cast<std::size_t>(y) * (width_ + 1) + x]; }

  const int width_;
  std::vector<double> sums_;
};

/// A picture that can be read at any place, averaged over a square.
class Sampler {
 public:
  Sampler(const GreyView& view, double side)
      : view_(view), half_(side / 2), integral_(view.width, view.height, [&](int x, int y) {
          return static_cast<double>(Pixel(x, y));
        }) {}

  bool Holds(Point p) const {
    return p.x >= 0 && p.y >= 0 && p.x <= view_.width - 1 && p.y <= view_.height - 1;
  }

  double operator()(Point p) const { return half_ > 0.75 ? Average(p) : Between(p); }

 private:
  double Average(Point p) const {
    const auto edge = [](double at, int size) {
      return std::clamp(static_cast<int>(std::lround(at)), 0, size);
    };
    const int left = edge(p.x + 0.5 - half_, view_.width - 1);
    const int top = edge(p.y + 0.5 - half_, view_.height - 1);
    const int right = std::max(left + 1, edge(p.x + 0.5 + half_, view_.width));
    const int bottom = std::max(top + 1, edge(p.y + 0.5 + half_, view_.height));
    return integral_.Sum(left, top, right, bottom) / ((right - left) * (bottom - top));
  }

  double Between(Point p) const {
    const int x = std::min(static_cast<int>(p.x), view_.width - 1);
    const int y = std::min(static_cast<int>(p.y), view_.height - 1);
    const int right = std::min(x + 1, view_.width - 1), below = std::min(y + 1, view_.height - 1);
    const double fx = p.x - x, fy = p.y - y;
    return (Pixel(x, y) * (1 - fx) + Pixel(right, y) * fx) * (1 - fy) +
           (Pixel(x, below) * (1 - fx) + Pixel(right, below) * fx) * fy;
  }

  std::uint8_t Pixel(int x, int y) const {
    return view_.pixels[static_cast<std::size_t>(y) * view_.width + x];
  }

  const GreyView view_;
  const double half_;
  const Integral integral_;
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

Grid Sample(const GreyView& query, const GreyView& image, const Transform& image_from_query) {
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
  for (int y = 0; y < grid.rows; ++y) {
    for (int x = 0; x < grid.columns; ++x) {
      const Point place = grid.Place(x, y);
      const Point from = Apply(query_from_image, place);
      if (!theirs.Holds(place) || !ours.Holds(from)) continue;
      grid.valid[grid.At(x, y)] = 1;
      grid.query[grid.At(x, y)] = ours(from);
      grid.image[grid.At(x, y)] = theirs(place);
    }
  }
  return grid;
}

}  // namespace

PixelAgreement CompareAligned(const GreyView& query, const GreyView& image,
                              const Transform& image_from_query) {
  PixelAgreement result;
  if (query.width < 1 || query.height < 1 || image.width < 1 || image.height < 1) return result;
  const Grid grid = Sample(query, image, image_from_query);
  if (grid.columns < kWindow || grid.rows < kWindow) return result;
  const auto over = [&](auto value) {
    return Integral(grid.columns, grid.rows, [&](int x, int y) { return value(grid.At(x, y)); });
  };
  const auto& a = grid.query;
  const auto& b = grid.image;
  const Integral valid = over([&](std::size_t i) { return double(grid.valid[i]); });
  const Integral sum_a = over([&](std::size_t i) { return a[i]; });
  const Integral sum_b = over([&](std::size_t i) { return b[i]; });
  const Integral sum_aa = over([&](std::size_t i) { return a[i] * a[i]; });
  const Integral sum_bb = over([&](std::size_t i) { return b[i] * b[i]; });
  const Integral sum_ab = over([&](std::size_t i) { return a[i] * b[i]; });
  double weighted = 0, weight = 0;
  constexpr double kCount = kWindow * kWindow;
  for (int y = 0; y + kWindow <= grid.rows; ++y) {
    for (int x = 0; x + kWindow <= grid.columns; ++x) {
      const auto sum = [&](const Integral& of) { return of.Sum(x, y, x + kWindow, y + kWindow); };
      if (sum(valid) < kCount - 0.5) continue;
      const double mean_a = sum(sum_a) / kCount, mean_b = sum(sum_b) / kCount;
      const double var_a = std::max(0.0, sum(sum_aa) / kCount - mean_a * mean_a);
      const double var_b = std::max(0.0, sum(sum_bb) / kCount - mean_b * mean_b);
      const double texture = std::sqrt(std::max(var_a, var_b));
      if (texture <= kFlat) continue;
      const double covariance = sum(sum_ab) / kCount - mean_a * mean_b;
      const double correlation = covariance / std::sqrt((var_a + kNoise) * (var_b + kNoise));
      weighted += correlation * texture;
      weight += texture;
      ++result.windows;
    }
  }
  if (result.windows < kFewWindows) return {};
  result.correlation = weighted / weight;
  return result;
}

}  // namespace siftsearch::verify
