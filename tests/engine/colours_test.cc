#include "engine/colours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

namespace siftsearch::engine {
namespace {

using Pixel = std::array<int, 3>;

/// Fields of many colours, changed pixel by pixel.
PictureColours Fields(const std::function<Pixel(Pixel)>& change) {
  image::RgbImage picture{160, 120, {}};
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const int field = x / 20 + 8 * (y / 20);
      const Pixel pixel =
          change({40 + field * 53 % 170, 40 + field * 97 % 170, 40 + field * 31 % 170});
      for (const int value : pixel) {
        picture.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value, 0, 255)));
      }
    }
  }
  return ColoursOf(picture);
}

/// All of one picture over all of the other.
Match Whole() {
  Match match;
  match.image_from_query = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  match.query_box = match.image_box = {-0.5, -0.5, 160, 120};
  return match;
}

Pixel Same(Pixel p) { return p; }
Pixel Grey(Pixel p) {
  const int grey = (299 * p[0] + 587 * p[1] + 114 * p[2]) / 1000;
  return {grey, grey, grey};
}

/// What is said of the changed fields.
std::string WordsOf(const std::function<Pixel(Pixel)>& change) {
  return ColourWords(Fields(change), Fields(Same), Whole(), false);
}

TEST(ColourWordsTest, OtherColoursAreTold) {
  EXPECT_EQ(WordsOf([](Pixel p) { return Pixel{p[1], p[2], p[0]}; }), ", other colours");
  EXPECT_EQ(WordsOf([](Pixel p) { return Pixel{p[2], p[1], p[0]}; }), ", other colours");
  EXPECT_EQ(WordsOf([](Pixel p) {
              // The hue turned by 90 degrees: (Cb, Cr) becomes (-Cr, Cb).
              const double y = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
              const double cb = 0.564 * (p[2] - y), cr = 0.713 * (p[0] - y);
              return Pixel{static_cast<int>(y + 1.402 * cb),
                           static_cast<int>(y + 0.344 * cr - 0.714 * cb),
                           static_cast<int>(y - 1.772 * cr)};
            }),
            ", other colours");
}

TEST(ColourWordsTest, GreyAndSepiaAreTold) {
  EXPECT_EQ(WordsOf(Grey), ", in grey");
  EXPECT_EQ(ColourWords(Fields(Same), Fields(Grey), Whole(), false), ", coloured");
  EXPECT_EQ(ColourWords(Fields(Grey), Fields(Same), Whole(), true), ", coloured");
  EXPECT_EQ(WordsOf([](Pixel p) {
              const int grey = Grey(p)[0];
              return Pixel{grey + 30, grey, grey - 35};
            }),
            ", in one tint");
}

TEST(ColourWordsTest, OfTheSameColoursNothingIsSaid) {
  EXPECT_EQ(WordsOf(Same), "");
  EXPECT_EQ(WordsOf([](Pixel p) { return Pixel{p[0] + 40, p[1] + 40, p[2] + 40}; }), "");
  EXPECT_EQ(WordsOf([](Pixel p) { return Pixel{p[0] * 3 / 4, p[1] * 3 / 4, p[2] * 3 / 4}; }), "");
  EXPECT_EQ(WordsOf([](Pixel p) { return Pixel{p[0] + 12, p[1], p[2] - 12}; }), "");  // Warmer.
  EXPECT_EQ(WordsOf([](Pixel p) {                                                     // Paler.
              const int grey = Grey(p)[0];
              return Pixel{(p[0] + grey) / 2, (p[1] + grey) / 2, (p[2] + grey) / 2};
            }),
            "");
  EXPECT_EQ(ColourWords(Fields(Grey), Fields(Grey), Whole(), false), "");
  Match inverted = Whole();
  inverted.inverted = true;
  EXPECT_EQ(ColourWords(Fields([](Pixel p) {
                          return Pixel{255 - p[0], 255 - p[1], 255 - p[2]};
                        }),
                        Fields(Same), inverted, false),
            "");
}

TEST(ColourWordsTest, OnlyWhatIsSharedIsCompared) {
  // The right half is grey in one of them, and the pair is of the left.
  Match match = Whole();
  match.query_box.width = 80;
  const PictureColours all = Fields(Same);
  PictureColours half = all;
  for (int y = 0; y < half.small.height; ++y) {
    for (int x = half.small.width / 2; x < half.small.width; ++x) {
      std::fill_n(&half.small.pixels[3 * (static_cast<std::size_t>(y) * half.small.width + x)], 3,
                  90);
    }
  }
  EXPECT_EQ(ColourWords(half, all, match, false), "");
  match.query_box.x = 80;
  EXPECT_EQ(ColourWords(half, all, match, false), ", in grey");
}

TEST(ColourWordsTest, OfWhatCannotBeReadNothingIsSaid) {
  EXPECT_EQ(ColourWords({}, Fields(Same), Whole(), false), "");
  ColourBook book({});
  ImageRecord query;
  query.path = "/no/such/picture.png";
  Match match = Whole();
  match.copy = true;
  match.query_polygon = {{0, 0}, {1, 0}, {1, 1}};
  match.relation = "same picture";
  match.image.path = "/no/such/other.png";
  book.Tell(query, match);
  EXPECT_EQ(match.relation, "same picture");
}

}  // namespace
}  // namespace siftsearch::engine
