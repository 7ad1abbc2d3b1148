#include "verify/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>

namespace siftsearch::verify {
namespace {

using ::testing::IsEmpty;

constexpr Size kQuery = {640, 480};
constexpr Size kImage = {640, 480};

/// A similarity about the origin followed by a shift that keeps the query's centre in the image's.
struct Planted {
  double scale = 1;
  double degrees = 0;

  Transform Matrix(Size query, Size image) const {
    const double a = scale * std::cos(degrees * std::numbers::pi / 180);
    const double b = scale * std::sin(degrees * std::numbers::pi / 180);
    const double cx = query.width / 2.0, cy = query.height / 2.0;
    return {a, -b, image.width / 2.0 - (a * cx - b * cy),
            b, a,  image.height / 2.0 - (b * cx + a * cy),
            0, 0,  1};
  }
};

class Data {
 public:
  explicit Data(unsigned seed) : random_(seed) {}

  double Uniform(double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(random_);
  }

  Keypoint RandomPoint(Size size) {
    return {static_cast<float>(Uniform(0, size.width)), static_cast<float>(Uniform(0, size.height)),
            static_cast<float>(std::exp(Uniform(0.7, 3))), static_cast<float>(Uniform(0, 360))};
  }

  PointPair Outlier(Size query, Size image) {
    return {RandomPoint(query), RandomPoint(image), static_cast<float>(Uniform(0, 1))};
  }

  /// Position off by a deviation of `noise` pixels of the image, scale by 10 %, angle by 3°.
  PointPair Inlier(const Planted& planted, Size query, Size image, double noise) {
    PointPair pair = Outlier(query, image);
    const Point at = Apply(planted.Matrix(query, image), {pair.query.x, pair.query.y});
    std::normal_distribution<double> normal;
    const double sway = noise > 0 ? 1 : 0;
    pair.image.x = static_cast<float>(at.x + noise * normal(random_));
    pair.image.y = static_cast<float>(at.y + noise * normal(random_));
    pair.image.scale = static_cast<float>(pair.query.scale * planted.scale *
                                          std::exp(sway * 0.1 * normal(random_)));
    pair.image.angle = static_cast<float>(
        std::fmod(pair.query.angle + planted.degrees + sway * 3 * normal(random_) + 720, 360));
    return pair;
  }

  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
};

/// An image in which the whole query fits, whatever its rotation.
Size ImageFor(const Planted& planted) {
  const int side = static_cast<int>(std::ceil(800 * planted.scale)) + 20;
  return {side, side};
}

double LargestError(const Transform& a, const Transform& b, Size size) {
  double largest = 0;
  for (const Point corner : {Point{0, 0}, Point{size.width * 1.0, 0}, Point{0, size.height * 1.0},
                             Point{size.width * 1.0, size.height * 1.0}}) {
    const Point p = Apply(a, corner), q = Apply(b, corner);
    largest = std::max(largest, std::hypot(p.x - q.x, p.y - q.y));
  }
  return largest;
}

TEST(FitSimilarityTest, FindsThePlantedTransformAndItsInliersExactly) {
  unsigned seed = 0;
  for (const double scale : {0.2, 0.5, 1.0, 2.3, 5.0}) {
    for (const double degrees : {0.0, 33.0, 90.0, 179.5, 300.0}) {
      for (const double outliers : {0.0, 0.5, 0.9}) {
        SCOPED_TRACE(testing::Message() << scale << ' ' << degrees << ' ' << outliers);
        Data data(++seed);
        const Planted planted{scale, degrees};
        const Size image = ImageFor(planted);
        std::vector<PointPair> pairs;
        for (int i = 0; i < 40; ++i) pairs.push_back(data.Inlier(planted, kQuery, image, 0));
        const int wrong = static_cast<int>(std::lround(40 * outliers / (1 - outliers)));
        for (int i = 0; i < wrong; ++i) {
          PointPair pair = data.Outlier(kQuery, image);
          pair.image.angle = std::fmod(pair.query.angle + static_cast<float>(degrees) + 180, 360.f);
          pairs.push_back(pair);
        }
        const Verification found = FitSimilarity(pairs, kQuery, image, {});
        std::vector<std::int32_t> expected(40);
        std::iota(expected.begin(), expected.end(), 0);
        EXPECT_EQ(found.inliers, expected);
        EXPECT_GT(found.score, 0.9999);
        EXPECT_LT(LargestError(found.image_from_query, planted.Matrix(kQuery, image), kQuery),
                  0.01 * image.width / 640);
      }
    }
  }
}

TEST(FitSimilarityTest, WithstandsNoise) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    Data data(seed);
    const Planted planted{std::exp(data.Uniform(std::log(0.2), std::log(5))), data.Uniform(0, 360)};
    const Size image = ImageFor(planted);
    const double pixel = image.width / 640.0;
    std::vector<PointPair> pairs;
    for (int i = 0; i < 60; ++i) pairs.push_back(data.Inlier(planted, kQuery, image, pixel));
    for (int i = 0; i < 240; ++i) pairs.push_back(data.Outlier(kQuery, image));
    const Verification found = FitSimilarity(pairs, kQuery, image, {});
    const auto right = std::count_if(found.inliers.begin(), found.inliers.end(),
                                     [](std::int32_t i) { return i < 60; });
    EXPECT_GE(right, 55);
    EXPECT_LE(found.inliers.size() - right, 2u);
    EXPECT_GT(found.score, 0.9999);
    EXPECT_LT(LargestError(found.image_from_query, planted.Matrix(kQuery, image), kQuery),
              2 * pixel);
  }
}

TEST(FitSimilarityTest, RandomPairsAreNoCopy) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Data data(seed);
    std::vector<PointPair> pairs;
    for (int i = 0; i < 300; ++i) pairs.push_back(data.Outlier(kQuery, kImage));
    EXPECT_LT(FitSimilarity(pairs, kQuery, kImage, {}).score, 0.5) << seed;
  }
}

TEST(FitSimilarityTest, AMirroredPictureIsNoSimilarity) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Data data(seed);
    std::vector<PointPair> pairs;
    for (int i = 0; i < 200; ++i) {
      PointPair pair = data.Outlier(kQuery, kImage);
      pair.image = pair.query;
      pair.image.x = kQuery.width - 1 - pair.query.x;
      pair.image.angle = std::fmod(540 - pair.query.angle, 360.0f);
      pairs.push_back(pair);
    }
    EXPECT_LT(FitSimilarity(pairs, kQuery, kImage, {}).score, 0.5) << seed;
  }
}

TEST(FitSimilarityTest, ManyPairsAtOnePositionCountOnce) {
  Data data(3);
  std::vector<PointPair> pairs;
  for (int i = 0; i < 5; ++i) {
    // Well apart, so that only what is added below is near.
    PointPair pair = data.Inlier({}, kQuery, kImage, 0);
    pair.query.x = pair.image.x = 100.0f * static_cast<float>(i + 1);
    pairs.push_back(pair);
    for (int copy = 1; copy <= 20; ++copy) {
      PointPair near = pair;
      near.query.x += 0.02f * static_cast<float>(copy);
      near.query.angle = near.image.angle = std::fmod(pair.query.angle + 10.f * copy, 360.f);
      pairs.push_back(near);
    }
  }
  const Verification found = FitSimilarity(pairs, kQuery, kImage, {});
  EXPECT_EQ(found.distinct_inliers, 5);
  EXPECT_EQ(found.inliers.size(), pairs.size());
}

TEST(FitSimilarityTest, PositionsAcrossAnyPixelBoundaryAreOne) {
  // 0.6 pixels apart around every offset: no rounding to cells may tell them apart.
  for (double offset = 0; offset < 1; offset += 0.1) {
    std::vector<PointPair> pairs;
    for (int i = 0; i < 6; ++i) {
      const auto x = static_cast<float>(50 + 70 * i + offset);
      const auto y = static_cast<float>(60 + 37 * i + offset);
      pairs.push_back({{x, y, 5, 10}, {x, y, 5, 10}, 1});
      pairs.push_back({{x + 0.6f, y, 5, 10}, {x + 0.6f, y, 5, 10}, 1});
    }
    EXPECT_EQ(FitSimilarity(pairs, kQuery, kImage, {}).distinct_inliers, 6) << offset;
  }
}

TEST(FitSimilarityTest, ManyToOnePairsAreNoEvidence) {
  // A collapse to one point, as when one stored keypoint is near to everything.
  Data data(4);
  std::vector<PointPair> pairs;
  for (int i = 0; i < 300; ++i) {
    PointPair pair = data.Outlier(kQuery, kImage);
    pair.image = {300, 200, 2, 0};
    pairs.push_back(pair);
  }
  EXPECT_EQ(FitSimilarity(pairs, kQuery, kImage, {}).score, 0);
}

TEST(FitSimilarityTest, TheOrderOfThePairsDoesNotMatter) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Data data(seed);
    std::vector<PointPair> pairs;
    for (int i = 0; i < 12; ++i) pairs.push_back(data.Inlier({0.8, 70}, kQuery, kImage, 1));
    for (int i = 0; i < 12; ++i) pairs.push_back(data.Inlier({1.3, 20}, kQuery, kImage, 1));
    for (int i = 0; i < 100; ++i) pairs.push_back(data.Outlier(kQuery, kImage));
    for (PointPair& pair : pairs) pair.weight = 1;
    std::vector<std::int32_t> order(pairs.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), data.random());
    std::vector<PointPair> shuffled;
    for (const std::int32_t i : order) shuffled.push_back(pairs[i]);

    const Verification found = FitSimilarity(pairs, kQuery, kImage, {});
    const Verification other = FitSimilarity(shuffled, kQuery, kImage, {});
    std::vector<std::int32_t> mapped;
    for (const std::int32_t i : other.inliers) mapped.push_back(order[i]);
    std::sort(mapped.begin(), mapped.end());
    EXPECT_EQ(mapped, found.inliers);
    EXPECT_EQ(other.image_from_query, found.image_from_query);
    EXPECT_EQ(other.score, found.score);
  }
}

TEST(FitSimilarityTest, SinglePairsMustAgreeInScaleAndRotation) {
  Data data(5);
  std::vector<PointPair> pairs;
  for (int i = 0; i < 60; ++i) pairs.push_back(data.Inlier({}, kQuery, kImage, 0));
  for (int i = 40; i < 50; ++i) pairs[i].image.scale *= 2.5f;
  for (int i = 50; i < 60; ++i) pairs[i].image.angle = std::fmod(pairs[i].image.angle + 40, 360.f);
  EXPECT_EQ(FitSimilarity(pairs, kQuery, kImage, {}).inliers.size(), 40u);
}

/// Pairs whose own turn and scale stray as far as an inlier's may are counted wherever the model
/// lies, also across 0° and among the largest and smallest scales: they outnumber exact pairs that
/// are tried first.
TEST(FitSimilarityTest, StrayingPairsCountAtEveryTurnAndScale) {
  for (const double scale : {0.02, 0.3, 1.0, 3.0, 40.0}) {
    for (double degrees = -5; degrees < 360; degrees += 11) {
      const Planted planted{scale, degrees};
      const Size image = ImageFor(planted);
      Data data(static_cast<unsigned>(degrees + 10));
      std::vector<PointPair> pairs;
      for (int i = 0; i < 20; ++i) {
        pairs.push_back(data.Inlier(planted, kQuery, image, 0));
        pairs[i].weight = 0.1f;
        if (i < 4) continue;  // They propose the model.
        pairs[i].image.scale *= i % 2 == 0 ? 1.95f : 1 / 1.95f;
        pairs[i].image.angle =
            static_cast<float>(std::fmod(pairs[i].image.angle + (i % 4 < 2 ? 29 : 331), 360));
      }
      for (int i = 0; i < 12; ++i) {
        pairs.push_back(data.Inlier({scale, degrees + 90}, kQuery, image, 0));
        pairs.back().weight = 0.9f;
      }
      EXPECT_EQ(FitSimilarity(pairs, kQuery, image, {}).inliers.size(), 20u)
          << scale << " " << degrees;
    }
  }
}

TEST(FitSimilarityTest, ALargerDatabaseLowersTheScore) {
  Data data(6);
  std::vector<PointPair> pairs;
  for (int i = 0; i < 9; ++i) pairs.push_back(data.Inlier({}, kQuery, kImage, 0));
  for (int i = 0; i < 200; ++i) pairs.push_back(data.Outlier(kQuery, kImage));
  const Verification small = FitSimilarity(pairs, kQuery, kImage, {.images_searched = 1});
  const Verification large = FitSimilarity(pairs, kQuery, kImage, {.images_searched = 1e6});
  EXPECT_NEAR(large.log10_false_alarms - small.log10_false_alarms, 6, 1e-9);
  EXPECT_LT(large.score, small.score);
}

TEST(FitSimilarityTest, TooFewPairsOrNoPictureScoreNothing) {
  Data data(7);
  std::vector<PointPair> pairs;
  EXPECT_EQ(FitSimilarity(pairs, kQuery, kImage, {}).score, 0);
  for (int i = 0; i < 3; ++i) pairs.push_back(data.Inlier({}, kQuery, kImage, 0));
  const Verification few = FitSimilarity(pairs, kQuery, kImage, {});
  EXPECT_EQ(few.score, 0);
  EXPECT_THAT(few.inliers, IsEmpty());
  for (int i = 0; i < 30; ++i) pairs.push_back(data.Inlier({}, kQuery, kImage, 0));
  EXPECT_GT(FitSimilarity(pairs, kQuery, kImage, {}).score, 0.5);
  EXPECT_EQ(FitSimilarity(pairs, {0, 480}, kImage, {}).score, 0);
  EXPECT_EQ(FitSimilarity(pairs, kQuery, {640, -1}, {}).score, 0);
}

TEST(FitSimilarityTest, DamagedValuesAreIgnored) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  constexpr float kHuge = std::numeric_limits<float>::max();
  Data data(8);
  std::vector<PointPair> pairs;
  for (int i = 0; i < 20; ++i) pairs.push_back(data.Inlier({1.1, 5}, kQuery, kImage, 0));
  const Verification clean = FitSimilarity(pairs, kQuery, kImage, {});
  for (const float bad : {kNan, kInfinite, -kInfinite, kHuge, -kHuge}) {
    for (float Keypoint::*field :
         {&Keypoint::x, &Keypoint::y, &Keypoint::scale, &Keypoint::angle}) {
      if (field == &Keypoint::angle && std::isfinite(bad)) continue;
      pairs.push_back(pairs[0]);
      pairs.back().query.*field = bad;
      pairs.push_back(pairs[0]);
      pairs.back().image.*field = bad;
    }
  }
  for (const float scale : {0.0f, -3.0f}) {
    pairs.push_back(pairs[0]);
    pairs.back().query.scale = scale;
  }
  pairs.push_back(pairs[0]);
  pairs.back().weight = kNan;
  const Verification found = FitSimilarity(pairs, kQuery, kImage, {});
  EXPECT_EQ(found.inliers, clean.inliers);
  EXPECT_EQ(found.score, clean.score);
}

TEST(FitSimilarityTest, CoincidentPointsAndExtremeScalesAreNoCopy) {
  const std::vector<PointPair> coincident(500, {{10, 10, 4, 0}, {20, 20, 4, 0}, 1});
  EXPECT_EQ(FitSimilarity(coincident, kQuery, kImage, {}).score, 0);
  Data data(9);
  std::vector<PointPair> pairs;
  for (int i = 0; i < 200; ++i) {
    pairs.push_back(data.Outlier(kQuery, kImage));
    pairs.back().query.scale = 1e-6f;
    pairs.back().image.scale = 1e6f;
  }
  EXPECT_EQ(FitSimilarity(pairs, kQuery, kImage, {}).score, 0);
}

TEST(ScoreFromFalseAlarmsTest, FallsMonotonicallyFromOneToZero) {
  EXPECT_DOUBLE_EQ(ScoreFromFalseAlarms(kLog10FalseAlarmsAtHalf), 0.5);
  EXPECT_NEAR(ScoreFromFalseAlarms(-30), 0.9999, 1e-6);
  EXPECT_LT(ScoreFromFalseAlarms(0), 0.001);
  EXPECT_EQ(ScoreFromFalseAlarms(-1e9), 1);
  EXPECT_EQ(ScoreFromFalseAlarms(1e9), 0);
  for (double log10 = -40; log10 < 20; log10 += 0.5) {
    EXPECT_GT(ScoreFromFalseAlarms(log10), ScoreFromFalseAlarms(log10 + 0.5));
  }
}

}  // namespace
}  // namespace siftsearch::verify
