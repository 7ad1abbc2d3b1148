#include "verify/warp.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "verify/least_squares.h"

namespace siftsearch::verify {
namespace {

constexpr int kNodes = 13;              ///< Along the longer side.
constexpr double kPriorPoints = 1;      ///< Points' worth of no displacement at each node.
constexpr double kPriorGradient = 0.5;  ///< The same of no gradient.

Point NodeDisplacement(Point node, double reach, std::span<const Point> places,
                       std::span<const Point> offsets) {
  LeastSquares<3> x, y;
  x.Add({1, 0, 0}, 0, kPriorPoints), y.Add({1, 0, 0}, 0, kPriorPoints);
  x.Add({0, 1, 0}, 0, kPriorGradient), y.Add({0, 1, 0}, 0, kPriorGradient);
  x.Add({0, 0, 1}, 0, kPriorGradient), y.Add({0, 0, 1}, 0, kPriorGradient);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double dx = (places[i].x - node.x) / reach, dy = (places[i].y - node.y) / reach;
    const double near = 1 - dx * dx - dy * dy;
    if (near <= 0) continue;
    x.Add({1, dx, dy}, offsets[i].x, near * near);
    y.Add({1, dx, dy}, offsets[i].y, near * near);
  }
  const auto a = x.Solve(), b = y.Solve();
  return a && b ? Point{(*a)[0], (*b)[0]} : Point{};
}

}  // namespace

Warp Warp::Smooth(Size picture, double reach, std::span<const Point> places,
                  std::span<const Point> offsets) {
  Warp warp;
  const double side = std::max(picture.width, picture.height);
  const auto nodes = [&](int length) {
    return std::max(2, static_cast<int>(std::lround(kNodes * length / side)));
  };
  warp.columns_ = nodes(picture.width);
  warp.rows_ = nodes(picture.height);
  warp.step_x_ = std::max(1.0, picture.width - 1.0) / (warp.columns_ - 1);
  warp.step_y_ = std::max(1.0, picture.height - 1.0) / (warp.rows_ - 1);
  for (int row = 0; row < warp.rows_; ++row) {
    for (int column = 0; column < warp.columns_; ++column) {
      warp.nodes_.push_back(NodeDisplacement({column * warp.step_x_, row * warp.step_y_},
                                             reach * side, places, offsets));
    }
  }
  return warp;
}

void Warp::Add(const Warp& other) {
  if (nodes_.empty()) {
    *this = other;
    return;
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].x += other.nodes_[i].x;
    nodes_[i].y += other.nodes_[i].y;
  }
}

Point Warp::At(Point place) const {
  if (nodes_.empty()) return {};
  const double x = std::clamp(place.x / step_x_, 0.0, columns_ - 1.0);
  const double y = std::clamp(place.y / step_y_, 0.0, rows_ - 1.0);
  const int column = std::min(static_cast<int>(x), columns_ - 2);
  const int row = std::min(static_cast<int>(y), rows_ - 2);
  const double fx = x - column, fy = y - row;
  const Point* above = &nodes_[static_cast<std::size_t>(row) * columns_ + column];
  const Point* below = above + columns_;
  const auto between = [&](double Point::*of) {
    return (above[0].*of * (1 - fx) + above[1].*of * fx) * (1 - fy) +
           (below[0].*of * (1 - fx) + below[1].*of * fx) * fy;
  };
  return {between(&Point::x), between(&Point::y)};
}

double Warp::Rms() const {
  if (nodes_.empty()) return 0;
  double squares = 0;
  for (const Point& d : nodes_) squares += d.x * d.x + d.y * d.y;
  return std::sqrt(squares / static_cast<double>(nodes_.size()));
}

Warp Warp::Scaled(double x, double y) const {
  Warp scaled = *this;
  scaled.step_x_ *= x;
  scaled.step_y_ *= y;
  for (Point& d : scaled.nodes_) d.x *= x, d.y *= y;
  return scaled;
}

}  // namespace siftsearch::verify
