#include "verify/pixels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "verify/verify.h"

namespace siftsearch::verify {
namespace {

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  GreyView view() const { return {width, height, pixels}; }
};

/// Smooth blobs; the same for the same seed.
double Blobs(double x, double y, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> at(0, 200), size(1.5, 5), sign(-1, 1);
  double value = 128;
  for (int i = 0; i < 300; ++i) {
    const double dx = x - at(random), dy = y - at(random), s = size(random);
    value += 90 * sign(random) * std::exp(-(dx * dx + dy * dy) / (2 * s * s));
  }
  return std::clamp(value, 0.0, 255.0);
}

/// The blobs seen by a picture whose pixel p shows the place `place_from_picture` p.
Picture See(int width, int height, const Transform& place_from_picture, unsigned seed) {
  Picture picture{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Point p = Apply(place_from_picture, {double(x), double(y)});
      picture.pixels.push_back(static_cast<std::uint8_t>(Blobs(p.x, p.y, seed)));
    }
  }
  return picture;
}

constexpr Transform kSame = {1, 0, 0, 0, 1, 0, 0, 0, 1};

TEST(CompareAlignedTest, ThePictureItselfAgrees) {
  const Picture a = See(120, 90, kSame, 1);
  EXPECT_GT(CompareAligned(a.view(), a.view(), kSame).correlation, 0.9);
}

TEST(CompareAlignedTest, ThePictureItselfAgreesAllOverHoweverLittleTextureItHas) {
  for (const int contrast : {1, 2}) {
    Picture a = See(120, 90, kSame, 1);
    for (std::uint8_t& p : a.pixels) p = static_cast<std::uint8_t>(100 + p / contrast / 2);
    const PixelAgreement same = CompareAligned(a.view(), a.view(), kSame);
    ASSERT_GT(same.windows, 0) << contrast;
    EXPECT_GT(same.inside, 0.98) << contrast;
    EXPECT_GT(same.coherent, 0.98) << contrast;
  }
}

TEST(CompareAlignedTest, ScaledAndTurnedCopiesAgreeWhereTheTransformSays) {
  const Picture image = See(180, 180, kSame, 1);
  const Transform views[] = {{2, 0, 10, 0, 2, 5, 0, 0, 1},             // Half the size.
                             {0.3, 0, 60, 0, 0.3, 50, 0, 0, 1},        // An enlarged crop.
                             {0.8, -0.6, 80, 0.6, 0.8, 10, 0, 0, 1}};  // Turned.
  for (const Transform& view : views) {
    const Picture query = See(110, 80, view, 1);
    EXPECT_GT(CompareAligned(query.view(), image.view(), view).correlation, 0.85);
    Transform wrong = view;
    wrong[2] += 12;
    EXPECT_LT(CompareAligned(query.view(), image.view(), wrong).correlation, 0.6);
  }
}

TEST(CompareAlignedTest, BrightnessAndContrastDoNotMatterInversionDoes) {
  const Picture image = See(120, 90, kSame, 1);
  Picture changed = image, inverted = image;
  for (std::uint8_t& p : changed.pixels) p = static_cast<std::uint8_t>(40 + p / 2);
  for (std::uint8_t& p : inverted.pixels) p = static_cast<std::uint8_t>(255 - p);
  EXPECT_GT(CompareAligned(changed.view(), image.view(), kSame).correlation, 0.8);
  EXPECT_LT(CompareAligned(inverted.view(), image.view(), kSame).correlation, -0.9);
}

TEST(CompareAlignedTest, AFaintCopyAgreesAndAFaintStrangerDoesNot) {
  const Picture image = See(120, 90, kSame, 1);
  const auto faint = [](Picture picture) {
    for (std::uint8_t& pixel : picture.pixels) pixel = static_cast<std::uint8_t>(110 + pixel / 10);
    return picture;
  };
  EXPECT_GT(CompareAligned(faint(image).view(), image.view(), kSame).correlation, 0.8);
  const Picture stranger = faint(See(120, 90, kSame, 2));
  EXPECT_LT(CompareAligned(stranger.view(), image.view(), kSame).correlation, 0.3);
}

TEST(CompareAlignedTest, WhatIsLaidOverAPictureIsCovered) {
  const Picture image = See(160, 120, kSame, 1);
  const Picture other = See(160, 120, kSame, 2);
  EXPECT_EQ(CompareAligned(image.view(), image.view(), kSame).covered, 0);
  for (const auto [left, top, width, height] :
       {std::array{40, 30, 80, 60}, {104, 66, 48, 48}, {0, 90, 160, 30}}) {
    Picture pasted = image, barred = image;
    for (int y = top; y < top + height; ++y) {
      for (int x = left; x < left + width; ++x) {
        pasted.pixels[y * 160 + x] = other.pixels[y * 160 + x];
        barred.pixels[y * 160 + x] = 20;
      }
    }
    const double share = width * height / (160.0 * 120);
    // A bar at an edge may also be cut off from the shared region.
    const PixelAgreement cut = CompareAligned(pasted.view(), image.view(), kSame);
    const auto [x0, y0, x1, y1] = cut.rectangle;
    const double region = (x1 - x0) * (y1 - y0) / (160.0 * 120);
    EXPECT_NEAR(1 - region * (1 - cut.covered), share, 0.06) << left;
    EXPECT_NEAR(CompareAligned(image.view(), pasted.view(), kSame).covered, cut.covered, 0.03);
    if (left > 0) {
      const PixelAgreement bar = CompareAligned(barred.view(), image.view(), kSame);
      EXPECT_NEAR(bar.covered, share, 0.1) << left;
    }
  }
}

TEST(CompareAlignedTest, StrangersDoNotAgree) {
  const Picture a = See(150, 150, kSame, 1), b = See(150, 150, kSame, 2);
  EXPECT_LT(CompareAligned(a.view(), b.view(), kSame).correlation, 0.3);
}

TEST(CompareAlignedTest, WhereThereIsNothingToCompareItSaysSo) {
  const Picture a = See(100, 100, kSame, 1);
  const Picture flat{100, 100, std::vector<std::uint8_t>(10'000, 200)};
  EXPECT_EQ(CompareAligned(flat.view(), flat.view(), kSame).windows, 0);
  EXPECT_EQ(CompareAligned(a.view(), a.view(), {1, 0, 500, 0, 1, 0, 0, 0, 1}).windows, 0);
  EXPECT_EQ(CompareAligned(a.view(), a.view(), {1e-9, 0, 0, 0, 1e-9, 0, 0, 0, 1}).windows, 0);
  EXPECT_EQ(CompareAligned({}, a.view(), kSame).windows, 0);
  const Picture dot{1, 1, {7}};
  EXPECT_EQ(CompareAligned(dot.view(), a.view(), kSame).windows, 0);
}

/// Rows [top, bottom) painted over with letters (bars of ink) on a flat ground.
void Caption(Picture& picture, int top, int bottom, std::uint8_t ground, std::uint8_t ink) {
  std::mt19937 random(7);
  for (int y = top; y < bottom; ++y) {
    for (int x = 0; x < picture.width; ++x) picture.pixels[y * picture.width + x] = ground;
  }
  for (int letter = 0; letter < 60; ++letter) {
    const int x = 4 + static_cast<int>(random() % (picture.width - 12));
    const int y = top + 4 + static_cast<int>(random() % (bottom - top - 16));
    for (int i = 0; i < 8; ++i) picture.pixels[(y + i) * picture.width + x] = ink;
    for (int i = 0; i < 5; ++i) picture.pixels[y * picture.width + x + i] = ink;
  }
}

TEST(CompareAlignedTest, ACaptionUnderDifferentPicturesHasABackgroundOfItsOwn) {
  for (const std::uint8_t ground : {20, 250}) {
    Picture a = See(160, 120, kSame, 1), b = See(160, 120, kSame, 2);
    Caption(a, 60, 120, ground, 255 - ground);
    Caption(b, 60, 120, ground, 255 - ground);
    const PixelAgreement found = CompareAligned(a.view(), b.view(), kSame);
    EXPECT_GT(found.inside, 0.7);
    EXPECT_GT(found.own_background, 0.6);
  }
}

TEST(CompareAlignedTest, WhatACopyKeepsHasNoBackgroundOfItsOwn) {
  const Picture image = See(160, 120, kSame, 1);
  Picture covered = See(160, 120, kSame, 2);  // Its lower half shows the image.
  std::copy(image.pixels.begin() + 160 * 60, image.pixels.end(), covered.pixels.begin() + 160 * 60);
  EXPECT_LT(CompareAligned(covered.view(), image.view(), kSame).own_background, 0.3);
  // A page of text of which a half is covered: the rest of the page has that ground, too.
  Picture page = image, half = image;
  Caption(page, 0, 120, 250, 0);
  Caption(half, 0, 120, 250, 0);
  std::copy(image.pixels.begin(), image.pixels.begin() + 160 * 60, half.pixels.begin());
  EXPECT_LT(CompareAligned(half.view(), page.view(), kSame).own_background, 0.3);
  // A caption cut out, and the picture with it: nothing of the cutting is outside.
  Picture captioned = image;
  Caption(captioned, 60, 120, 250, 0);
  const Picture cut{160, 60, {captioned.pixels.begin() + 160 * 60, captioned.pixels.end()}};
  const Transform below = {1, 0, 0, 0, 1, 60, 0, 0, 1};
  EXPECT_EQ(CompareAligned(cut.view(), captioned.view(), below).own_background, 0);
}

/// A picture over most of which another one is laid.
Picture WithInset(const Picture& picture, const Picture& other, int margin) {
  Picture result = picture;
  for (int y = margin; y < picture.height - margin; ++y) {
    for (int x = margin; x < picture.width - margin; ++x) {
      const std::size_t at = static_cast<std::size_t>(y) * picture.width + x;
      result.pixels[at] = other.pixels[at];
    }
  }
  return result;
}

TEST(CompareAlignedTest, AroundThePointsACoveredCopyAgreesFully) {
  const Picture image = See(200, 200, kSame, 5);
  const Picture query = WithInset(image, See(200, 200, kSame, 6), 30);
  const std::vector<Point> points = {{10, 10}, {190, 12}, {100, 12}, {15, 188}, {187, 100}};
  const PixelAgreement agreement = CompareAligned(query.view(), image.view(), kSame, points);
  EXPECT_GT(agreement.at_points, 0.85);
  EXPECT_NEAR(agreement.agreeing, 1 - 0.7 * 0.7, 0.1);  // The frame of 30 around 140 × 140.
  EXPECT_GT(agreement.best, 0.9);
  const PixelAgreement same = CompareAligned(image.view(), image.view(), kSame, points);
  EXPECT_GT(same.agreeing, 0.99);
  EXPECT_GT(same.in_hull, 0.99);
  EXPECT_LT(agreement.in_hull, same.in_hull - 0.3);
  EXPECT_EQ(CompareAligned(image.view(), image.view(), kSame).at_points, 0);  // There are none.
}

TEST(CompareAlignedTest, WhatIsLeftOfACoveredCopyIsOneSolidPart) {
  const Picture image = See(240, 240, kSame, 5);
  const Picture query = WithInset(image, See(240, 240, kSame, 6), 45);
  const PixelAgreement covered = CompareAligned(query.view(), image.view(), kSame);
  EXPECT_GT(covered.solid_share, 0.3);
  EXPECT_LT(covered.solid_share, 0.65);
  EXPECT_GT(covered.solid_attained, 0.9);
  EXPECT_LT(covered.unsettled, 0.05);
  const PixelAgreement same = CompareAligned(image.view(), image.view(), kSame);
  EXPECT_EQ(same.solid_share, 1);
  EXPECT_GT(same.solid_attained, 0.99);
}

TEST(CompareAlignedTest, WhatAgreesHalfEverywhereIsUnsettled) {
  Picture image{200, 200, {}};
  for (int i = 0; i < 200 * 200; ++i) {
    const double wave = std::sin(i % 200 / 2.0) * std::sin(i / 200 / 2.0);
    image.pixels.push_back(static_cast<std::uint8_t>(128 + 60 * wave));
  }
  std::mt19937 random(9);
  std::normal_distribution<double> noise(0, 50);
  Picture grained = image;
  for (std::uint8_t& p : grained.pixels) {
    p = static_cast<std::uint8_t>(std::clamp(p + noise(random), 0.0, 255.0));
  }
  const PixelAgreement agreement = CompareAligned(grained.view(), image.view(), kSame);
  EXPECT_GT(agreement.unsettled, 0.8);
  EXPECT_LT(agreement.solid_share, 0.2);
}

/// Black bars of a pixel's width, in a block of 30 × 30.
void FillIn(Picture& picture, int left, int top) {
  for (int y = top; y < top + 30; ++y) {
    for (int x = left; x < left + 30; x += 3) picture.pixels[y * picture.width + x] = 0;
  }
}

TEST(CompareAlignedTest, TwoFormsHaveEachWhatTheOtherLacks) {
  Picture form = See(200, 200, kSame, 10);
  for (int y = 40; y < 160; ++y) std::fill_n(form.pixels.begin() + y * 200 + 40, 120, 250);
  Picture first = form, second = form;
  FillIn(first, 60, 60);
  FillIn(second, 110, 110);
  EXPECT_EQ(CompareAligned(form.view(), form.view(), kSame).extra_in_both, 0);
  EXPECT_EQ(CompareAligned(first.view(), form.view(), kSame).extra_in_both, 0);
  EXPECT_EQ(CompareAligned(form.view(), first.view(), kSame).extra_in_both, 0);
  EXPECT_GT(CompareAligned(first.view(), second.view(), kSame).extra_in_both, 0.01);
}

TEST(CompareAlignedTest, FollowsAWarp) {
  const Picture image = See(200, 200, kSame, 7);
  Picture bent = image;  // Shows at x what the image shows six pixels to the right.
  for (int y = 0; y < 200; ++y) {
    for (int x = 0; x < 194; ++x) {
      bent.pixels[static_cast<std::size_t>(y) * 200 + x] =
          image.pixels[static_cast<std::size_t>(y) * 200 + x + 6];
    }
  }
  std::vector<Point> places, offsets;
  for (int i = 0; i < 400; ++i) {
    places.push_back({10.0 * (i % 20), 10.0 * (i / 20)});
    offsets.push_back({6, 0});
  }
  const Warp warp = Warp::Smooth({200, 200}, 0.5, places, offsets);
  EXPECT_LT(CompareAligned(bent.view(), image.view(), kSame).agreeing, 0.3);
  EXPECT_GT(CompareAligned(bent.view(), image.view(), kSame, {}, warp).agreeing, 0.8);
}

}  // namespace
}  // namespace siftsearch::verify
