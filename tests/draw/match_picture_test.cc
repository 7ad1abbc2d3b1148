#include "draw/match_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "draw/match_svg.h"

namespace siftsearch::draw {
namespace {

image::RgbImage Plain(int width, int height, std::uint8_t value) {
  return {width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height, value)};
}

std::array<int, 3> At(const image::RgbImage& picture, int x, int y) {
  const std::uint8_t* p = &picture.pixels[3 * (std::size_t{1} * y * picture.width + x)];
  return {p[0], p[1], p[2]};
}

TEST(DrawMatch, PutsThePicturesSideBySideAtTheAskedSize) {
  const auto drawing = DrawMatch(Plain(200, 100, 10), Plain(50, 100, 200), {}, {.panel_side = 100});
  ASSERT_TRUE(drawing.ok());
  EXPECT_EQ(drawing->width, 100 + 8 + 50);
  EXPECT_EQ(drawing->height, 128);
  EXPECT_EQ(At(*drawing, 50, 25), (std::array<int, 3>{10, 10, 10}));
  EXPECT_EQ(At(*drawing, 130, 50), (std::array<int, 3>{200, 200, 200}));
}

TEST(DrawMatch, OutlinesTheRegionsAndJoinsTheInliers) {
  Match match;
  match.query_polygon = {{20, 20}, {80, 20}, {80, 80}, {20, 80}};
  match.image_polygon = match.query_polygon;
  match.inlier_points = {{{50, 50}, {50, 50}}};
  const auto drawing =
      DrawMatch(Plain(100, 100, 0), Plain(100, 100, 0), match, {.panel_side = 100});
  ASSERT_TRUE(drawing.ok());
  EXPECT_GT(At(*drawing, 20, 35)[0], 150);   // Outline, left.
  EXPECT_GT(At(*drawing, 128, 35)[0], 150);  // Outline, right.
  EXPECT_GT(At(*drawing, 100, 50)[1], 100);  // The line between the two.
  EXPECT_EQ(At(*drawing, 35, 35), (std::array<int, 3>{0, 0, 0}));
}

TEST(DrawMatch, DrawsNoMoreLinesThanAsked) {
  Match match;
  for (int i = 0; i < 1000; ++i)
    match.inlier_points.push_back({{1.0 * (i % 100), i / 10.0}, {5, 5}});
  const auto none =
      DrawMatch(Plain(100, 100, 0), Plain(100, 100, 0), match, {.panel_side = 100, .max_lines = 0});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(At(*none, 104, 50), (std::array<int, 3>{32, 32, 32}));
}

TEST(DrawMatchSvg, HasBothPicturesOutlinesLinesAndACaption) {
  Match match;
  match.copy = true;
  match.score = 0.9;
  match.relation = "crop of, 34 % of its area, rotated 12°";
  match.query_polygon = {{-0.5, -0.5}, {99.5, -0.5}, {99.5, 99.5}};
  match.image_polygon = match.query_polygon;
  match.inlier_points = {{{10, 10}, {20, 30}}};
  const auto svg = DrawMatchSvg(Plain(100, 100, 0), Plain(50, 80, 0), match, {});
  ASSERT_TRUE(svg.ok()) << svg.status().message();
  EXPECT_THAT(*svg, testing::HasSubstr("data:image/jpeg;base64,"));
  EXPECT_THAT(*svg, testing::HasSubstr("points=\"0.00,0.00 100.00,0.00 100.00,100.00 \""));
  EXPECT_THAT(*svg, testing::HasSubstr("M10.50,10.50L128.50,30.50"));
  EXPECT_THAT(*svg, testing::HasSubstr("rotated 12°; copy, score 0.9000"));
}

}  // namespace
}  // namespace siftsearch::draw
