#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Transform kIdentity = {1, 0, 0, 0, 1, 0, 0, 0, 1};

TEST(PolygonAreaTest, KnownShapesInEitherDirection) {
  const std::vector<Point> square = {{0, 0}, {2, 0}, {2, 2}, {0, 2}};
  const std::vector<Point> reversed(square.rbegin(), square.rend());
  EXPECT_DOUBLE_EQ(PolygonArea(square), 4);
  EXPECT_DOUBLE_EQ(PolygonArea(reversed), 4);
  EXPECT_DOUBLE_EQ(PolygonArea(std::vector<Point>{{0, 0}, {4, 0}, {0, 3}}), 6);
  EXPECT_DOUBLE_EQ(PolygonArea(std::vector<Point>{{1, 1}, {5, 5}}), 0);
  EXPECT_DOUBLE_EQ(PolygonArea({}), 0);
}

TEST(ApplyTest, DividesByTheThirdCoordinate) {
  const Point p = Apply({2, 0, 4, 0, 2, 6, 0, 0, 2}, {3, 5});
  EXPECT_DOUBLE_EQ(p.x, 5);
  EXPECT_DOUBLE_EQ(p.y, 8);
}

TEST(OverlapInQueryTest, IdentityIsTheWholeOutline) {
  const std::vector<Point> polygon = OverlapInQuery(kIdentity, {640, 480}, {640, 480});
  ASSERT_THAT(polygon, SizeIs(4));
  EXPECT_DOUBLE_EQ(polygon[0].x, -0.5);
  EXPECT_DOUBLE_EQ(polygon[0].y, -0.5);
  EXPECT_DOUBLE_EQ(polygon[2].x, 639.5);
  EXPECT_DOUBLE_EQ(polygon[2].y, 479.5);
  EXPECT_DOUBLE_EQ(PolygonArea(polygon), 640 * 480);
}

TEST(OverlapInQueryTest, ACropLiesWhollyInTheImageAndTheImageCoversHalfTheOther) {
  // The query is the right half of the image.
  const Transform image_from_query = {1, 0, 320, 0, 1, 0, 0, 0, 1};
  EXPECT_NEAR(PolygonArea(OverlapInQuery(image_from_query, {320, 480}, {640, 480})), 320 * 480,
              1e-6);
  // And the other way round: the image holds the right half of the query.
  const Transform crop_from_whole = {1, 0, -320, 0, 1, 0, 0, 0, 1};
  const std::vector<Point> half = OverlapInQuery(crop_from_whole, {640, 480}, {320, 480});
  EXPECT_NEAR(PolygonArea(half), 320 * 480, 1e-6);
  for (const Point& p : half) EXPECT_GE(p.x, 319.5);
}

TEST(OverlapInQueryTest, TwoSquaresTurnedBy45DegreesShareAnOctagon) {
  const double s = std::numbers::sqrt2 / 2;
  const double c = 49.5;  // The centre of a 100 × 100 picture.
  const Transform turn = {s, -s, c - s * c + s * c, s, s, c - s * c - s * c, 0, 0, 1};
  const std::vector<Point> octagon = OverlapInQuery(turn, {100, 100}, {100, 100});
  EXPECT_THAT(octagon, SizeIs(8));
  EXPECT_NEAR(PolygonArea(octagon), 100 * 100 * 2 * (std::numbers::sqrt2 - 1), 1e-6);
}

TEST(OverlapInQueryTest, NothingOrNoMoreThanAnEdgeIsEmpty) {
  EXPECT_THAT(OverlapInQuery({1, 0, 1000, 0, 1, 0, 0, 0, 1}, {100, 100}, {100, 100}), IsEmpty());
  EXPECT_THAT(OverlapInQuery({1, 0, 100, 0, 1, 0, 0, 0, 1}, {100, 100}, {100, 100}), IsEmpty());
}

TEST(ConvexHullTest, KeepsCornersAndHoldsWhatIsInside) {
  std::vector<Point> points = {{0, 0}, {10, 0}, {10, 8}, {0, 8}, {5, 4}, {5, 0}, {2, 7}};
  const std::vector<Point> hull = ConvexHull(points);
  EXPECT_EQ(hull.size(), 4u);
  EXPECT_NEAR(PolygonArea(hull), 80, 1e-9);
  EXPECT_TRUE(Holds(hull, {5, 4}));
  EXPECT_TRUE(Holds(hull, {0, 0}));
  EXPECT_FALSE(Holds(hull, {10.1, 4}));
  EXPECT_FALSE(Holds(hull, {5, -0.1}));
}

TEST(ConvexHullTest, OfFewPointsOrALineHasNoArea) {
  EXPECT_EQ(PolygonArea(ConvexHull({})), 0);
  EXPECT_EQ(PolygonArea(ConvexHull({{1, 2}})), 0);
  EXPECT_EQ(PolygonArea(ConvexHull({{1, 2}, {1, 2}, {1, 2}})), 0);
  EXPECT_EQ(PolygonArea(ConvexHull({{0, 0}, {1, 1}, {2, 2}, {3, 3}})), 0);
  EXPECT_FALSE(Holds(ConvexHull({{0, 0}, {1, 1}}), {0.5, 0.5}));
}

}  // namespace
}  // namespace siftsearch::verify
