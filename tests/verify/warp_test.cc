#include "verify/warp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace siftsearch::verify {
namespace {

constexpr Size kPicture = {640, 480};

struct Field {
  std::vector<Point> places;
  std::vector<Point> offsets;
};

/// `offset` on a lattice over the left part of the picture, up to `right`.
template <typename Offset>
Field On(double right, const Offset& offset) {
  Field field;
  for (double x = 5; x < right; x += 15) {
    for (double y = 5; y < kPicture.height; y += 15) {
      field.places.push_back({x, y});
      field.offsets.push_back(offset(x, y));
    }
  }
  return field;
}

TEST(WarpTest, NoneDisplacesNothing) {
  const Warp none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.At({3, 4}).x, 0);
  EXPECT_EQ(none.Rms(), 0);
}

TEST(WarpTest, FollowsASmoothField) {
  const auto bend = [](double x, double y) {
    return Point{4 * std::sin(y / 100), 3e-5 * (x - 320) * (x - 320)};
  };
  const Field field = On(640, bend);
  Warp warp = Warp::Smooth(kPicture, 0.2, field.places, field.offsets);
  for (const Point place : {Point{320, 240}, Point{100, 400}, Point{600, 60}}) {
    EXPECT_NEAR(warp.At(place).x, bend(place.x, place.y).x, 0.6);
    EXPECT_NEAR(warp.At(place).y, bend(place.x, place.y).y, 0.6);
  }
  EXPECT_GT(warp.Rms(), 2);
}

TEST(WarpTest, IsFlatWhereThereAreNoPoints) {
  const Field field = On(200, [](double, double) { return Point{8, 0}; });
  const Warp warp = Warp::Smooth(kPicture, 0.2, field.places, field.offsets);
  EXPECT_NEAR(warp.At({100, 240}).x, 8, 0.5);
  EXPECT_NEAR(warp.At({600, 240}).x, 0, 1e-9);
}

TEST(WarpTest, FieldsAddUp) {
  const Field field = On(640, [](double, double) { return Point{2, 1}; });
  Warp sum;
  sum.Add(Warp::Smooth(kPicture, 0.2, field.places, field.offsets));
  const Point once = sum.At({300, 200});
  sum.Add(Warp::Smooth(kPicture, 0.2, field.places, field.offsets));
  EXPECT_NEAR(sum.At({300, 200}).x, 2 * once.x, 1e-9);
  EXPECT_NEAR(sum.At({300, 200}).y, 2 * once.y, 1e-9);
}

TEST(WarpTest, ScalesWithThePicture) {
  const Field field = On(640, [](double x, double) { return Point{x / 100, 1}; });
  const Warp warp = Warp::Smooth(kPicture, 0.2, field.places, field.offsets);
  const Warp half = warp.Scaled(0.5, 0.25);
  EXPECT_NEAR(half.At({150, 60}).x, 0.5 * warp.At({300, 240}).x, 1e-9);
  EXPECT_NEAR(half.At({150, 60}).y, 0.25 * warp.At({300, 240}).y, 1e-9);
}

}  // namespace
}  // namespace siftsearch::verify
