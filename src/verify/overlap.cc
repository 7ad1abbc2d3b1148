#include <algorithm>
#include <cmath>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

/// Half plane n·p ≥ d.
struct HalfPlane {
  double nx;
  double ny;
  double d;

  double Side(const Point& p) const { return nx * p.x + ny * p.y - d; }
};

/// One step of Sutherland and Hodgman's clipping (CACM 1974) of a convex polygon.
std::vector<Point> Clip(const std::vector<Point>& polygon, const HalfPlane& half) {
  std::vector<Point> kept;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Point& from = polygon[i];
    const Point& to = polygon[(i + 1) % polygon.size()];
    const double a = half.Side(from);
    const double b = half.Side(to);
    if (a >= 0) kept.push_back(from);
    if ((a >= 0) == (b >= 0)) continue;
    const double t = a / (a - b);
    kept.push_back({from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)});
  }
  return kept;
}

}  // namespace

Transform Product(const Transform& a, const Transform& b) {
  Transform c{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 3; ++k) c[i * 3 + j] += a[i * 3 + k] * b[k * 3 + j];
    }
  }
  return c;
}

Transform Inverse(const Transform& t) {
  const double determinant = t[0] * (t[4] * t[8] - t[5] * t[7]) -
                             t[1] * (t[3] * t[8] - t[5] * t[6]) +
                             t[2] * (t[3] * t[7] - t[4] * t[6]);
  Transform inverse = {
      t[4] * t[8] - t[5] * t[7], t[2] * t[7] - t[1] * t[8], t[1] * t[5] - t[2] * t[4],
      t[5] * t[6] - t[3] * t[8], t[0] * t[8] - t[2] * t[6], t[2] * t[3] - t[0] * t[5],
      t[3] * t[7] - t[4] * t[6], t[1] * t[6] - t[0] * t[7], t[0] * t[4] - t[1] * t[3]};
  for (double& value : inverse) value /= determinant;
  return inverse;
}

std::array<double, 4> JacobianAt(const Transform& t, Point p) {
  const double w = t[6] * p.x + t[7] * p.y + t[8];
  const Point to = Apply(t, p);
  return {(t[0] - to.x * t[6]) / w, (t[1] - to.x * t[7]) / w, (t[3] - to.y * t[6]) / w,
          (t[4] - to.y * t[7]) / w};
}

double PolygonArea(std::span<const Point> polygon) {
  double twice = 0;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Point& a = polygon[i];
    const Point& b = polygon[(i + 1) % polygon.size()];
    twice += a.x * b.y - b.x * a.y;
  }
  return std::abs(twice) / 2;
}

std::vector<Point> ConvexHull(std::vector<Point> points) {
  const auto before = [](const Point& a, const Point& b) {
    return a.x != b.x ? a.x < b.x : a.y < b.y;
  };
  const auto turns_back = [](const Point& a, const Point& b, const Point& c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) <= 0;
  };
  std::sort(points.begin(), points.end(), before);
  std::vector<Point> hull;
  for (int half = 0; half < 2; ++half) {
    const std::size_t first = hull.size();
    for (const Point& p : points) {
      while (hull.size() >= first + 2 && turns_back(hull[hull.size() - 2], hull.back(), p)) {
        hull.pop_back();
      }
      hull.push_back(p);
    }
    if (!hull.empty()) hull.pop_back();  // The other half begins there.
    std::reverse(points.begin(), points.end());
  }
  return hull;
}

bool Holds(std::span<const Point> polygon, Point p) {
  if (polygon.size() < 3) return false;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Point& a = polygon[i];
    const Point& b = polygon[(i + 1) % polygon.size()];
    if ((b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x) < 0) return false;
  }
  return true;
}

std::vector<Point> OverlapInQuery(const Transform& t, Size query, Size image) {
  // A picture reaches half a pixel beyond the centres of its outer pixels.
  const double right = query.width - 0.5;
  const double bottom = query.height - 0.5;
  std::vector<Point> polygon = {{-0.5, -0.5}, {right, -0.5}, {right, bottom}, {-0.5, bottom}};
  // The image's four edges, each pulled back through the transform: x' ≥ −0.5 is a half plane in
  // the query, likewise the others.
  // Of a homography: x'·w ≥ −0.5·w, where w, which is positive in front of the camera, is a third
  // half plane.
  const double x = image.width - 0.5;
  const double y = image.height - 0.5;
  const HalfPlane edges[] = {{t[6], t[7], 1e-9 - t[8]},
                             {t[0] + 0.5 * t[6], t[1] + 0.5 * t[7], -(t[2] + 0.5 * t[8])},
                             {x * t[6] - t[0], x * t[7] - t[1], t[2] - x * t[8]},
                             {t[3] + 0.5 * t[6], t[4] + 0.5 * t[7], -(t[5] + 0.5 * t[8])},
                             {y * t[6] - t[3], y * t[7] - t[4], t[5] - y * t[8]}};
  for (const HalfPlane& edge : edges) polygon = Clip(polygon, edge);
  // A shared edge or corner is no overlap.
  if (!(PolygonArea(polygon) > 1e-9)) polygon.clear();
  return polygon;
}

std::vector<Point> ClipToRectangle(std::vector<Point> polygon, double left, double top,
                                   double right, double bottom) {
  for (const HalfPlane& edge : {HalfPlane{1, 0, left}, HalfPlane{-1, 0, -right},
                                HalfPlane{0, 1, top}, HalfPlane{0, -1, -bottom}}) {
    polygon = Clip(polygon, edge);
  }
  return polygon;
}

}  // namespace siftsearch::verify
