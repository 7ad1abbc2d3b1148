#include "engine/relation.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

namespace siftsearch::engine {
namespace {

/// image_from_query of a query made by turning the image clockwise by `degrees` and scaling it by
/// `scale`.
std::array<double, 4> Undo(double degrees, double scale) {
  const double a = -degrees * std::numbers::pi / 180;
  const double c = std::cos(a) / scale;
  const double s = std::sin(a) / scale;
  return {c, -s, s, c};
}

TEST(DescribeRelation, NamesWhatTheQueryIsToTheImage) {
  EXPECT_EQ(DescribeRelation({Undo(0, 1), 1, 1}), "same picture");
  EXPECT_EQ(DescribeRelation({Undo(12, 1), 0.99, 0.337}), "crop of, 34 % of its area, rotated 12°");
  EXPECT_EQ(DescribeRelation({Undo(0, 0.5), 1, 1}), "same picture, scaled to 50 %");
  EXPECT_EQ(DescribeRelation({Undo(-90, 2), 0.12, 1}),
            "contains it, at 12 % of the query's area, rotated -90°, scaled to 200 %");
  EXPECT_EQ(DescribeRelation({Undo(0, 1), 0.4, 0.5}),
            "overlaps, 40 % of the query with 50 % of the image");
}

TEST(DescribeRelation, NamesMirroringAndInversion) {
  std::array<double, 4> mirrored = Undo(20, 0.5);
  mirrored[0] = -mirrored[0];
  mirrored[2] = -mirrored[2];
  EXPECT_EQ(DescribeRelation({mirrored, 1, 1}),
            "same picture, mirrored, rotated 20°, scaled to 50 %");
  EXPECT_EQ(DescribeRelation({Undo(0, 1), 1, 1, true}), "same picture, inverted");
}

TEST(DescribeRelation, SaysThatOnlyTheFirstPagesAreMeant) {
  RelationInput input{Undo(0, 1), 1, 1};
  input.query_pages = 12;
  EXPECT_EQ(DescribeRelation(input), "same first page (of 12 and 1)");
  input.image_pages = 9;
  EXPECT_EQ(DescribeRelation(input), "same first page (of 12 and 9)");
  input.image_overlap = 0.34;
  EXPECT_EQ(DescribeRelation(input), "crop of, 34 % of its area, of the first pages (of 12 and 9)");
}

}  // namespace
}  // namespace siftsearch::engine
