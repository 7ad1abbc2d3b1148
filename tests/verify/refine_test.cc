#include "verify/refine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

namespace siftsearch::verify {
namespace {

constexpr int kWidth = 640;
constexpr int kHeight = 480;

/// Keypoints all over a picture, with descriptors of their own.
FeatureSet RandomFeatures(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> x(10, kWidth - 10), y(10, kHeight - 10), angle(0, 360);
  FeatureSet features;
  features.width = kWidth;
  features.height = kHeight;
  for (int i = 0; i < count; ++i) {
    features.keypoints.push_back({x(random), y(random), 6, angle(random)});
    for (int j = 0; j < kDescriptorBytes; ++j) {
      features.descriptors.push_back(static_cast<std::uint8_t>(random() % 90));
    }
  }
  return features;
}

/// The same features seen through a transform, with noise of a pixel in places and some in bytes.
FeatureSet Through(const FeatureSet& features, const Transform& transform, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 0.5f);
  FeatureSet result = features;
  for (Keypoint& point : result.keypoints) {
    const Point from{point.x, point.y};
    const Point to = Apply(transform, from);
    const auto j = JacobianAt(transform, from);
    point.x = static_cast<float>(to.x) + noise(random);
    point.y = static_cast<float>(to.y) + noise(random);
    point.scale *= static_cast<float>(std::sqrt(std::abs(j[0] * j[3] - j[1] * j[2])));
    point.angle += static_cast<float>(std::atan2(j[2], j[0]) * 180 / std::numbers::pi);
  }
  for (std::uint8_t& byte : result.descriptors) {
    byte = static_cast<std::uint8_t>(byte + random() % 8);
  }
  return result;
}

double WorstCorner(const Transform& found, const Transform& truth) {
  double worst = 0;
  for (const double x : {50.0, kWidth - 50.0}) {
    for (const double y : {50.0, kHeight - 50.0}) {
      const Point a = Apply(found, {x, y}), b = Apply(truth, {x, y});
      worst = std::max(worst, std::hypot(a.x - b.x, a.y - b.y));
    }
  }
  return worst;
}

TEST(RefineTest, FindsAHomographyFromASimilarity) {
  const Transform truth = {0.98, 0.03, 6, -0.02, 0.97, 8, 6e-5, -4e-5, 1};
  const FeatureSet query = RandomFeatures(600, 1);
  const FeatureSet image = Through(query, truth, 2);
  // What a similarity makes of it near the middle.
  const Refinement refined = Refine(query, image, {0.98, 0.03, 6, -0.03, 0.98, 8, 0, 0, 1}, 0.02);
  EXPECT_LT(WorstCorner(refined.image_from_query, truth), 1.5);
  EXPECT_GT(refined.pairs.size(), 500u);
  EXPECT_GT(refined.query_found, 0.95);
  EXPECT_GT(refined.image_found, 0.95);
  for (const auto& [q, i] : refined.pairs) EXPECT_EQ(q, i);
}

TEST(RefineTest, AFitThatIsALittleOffIsImproved) {
  // The first transform reaches all pairs; a better one loses the wrong one.
  const Transform truth = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const FeatureSet query = RandomFeatures(600, 8);
  FeatureSet image = Through(query, truth, 9);
  const auto right_most =
      std::max_element(query.keypoints.begin(), query.keypoints.end(),
                       [](const Keypoint& a, const Keypoint& b) { return a.x < b.x; });
  Keypoint& wrong = image.keypoints[right_most - query.keypoints.begin()];
  wrong.x = right_most->x + 4.6f;
  wrong.y = right_most->y;
  const Refinement refined = Refine(query, image, {1.001, 0, 0.5, 0, 1.001, -0.5, 0, 0, 1});
  EXPECT_EQ(refined.pairs.size(), 599u);
  EXPECT_LT(WorstCorner(refined.image_from_query, truth), 0.3);
}

TEST(RefineTest, ParallaxIsWhatNeighboursShare) {
  const Transform plane = {0.98, 0.03, 6, -0.02, 0.97, 8, 6e-5, -4e-5, 1};
  const FeatureSet query = RandomFeatures(800, 10);
  FeatureSet image = Through(query, plane, 11);
  EXPECT_LT(Refine(query, image, plane).parallax, 0.3);
  // Columns of the scene stand at different depths.
  for (Keypoint& point : image.keypoints) {
    point.x += static_cast<int>(point.x / 80) % 2 == 0 ? 2.0f : -2.0f;
  }
  EXPECT_NEAR(Refine(query, image, plane).parallax, 2, 0.5);
  // In 1/640 of the longer side, whatever the size.
  FeatureSet large = image;
  large.width *= 3;
  large.height *= 3;
  for (Keypoint& point : large.keypoints) {
    point.x *= 3, point.y *= 3, point.scale *= 3;
  }
  const Transform enlarged = Product({3, 0, 0, 0, 3, 0, 0, 0, 1}, plane);
  EXPECT_NEAR(Refine(query, large, enlarged).parallax, 2, 0.5);
}

TEST(RefineTest, FewInaccuratePointsAreNoParallax) {
  constexpr Transform kSame = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  double most = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const FeatureSet query = RandomFeatures(18, 100 + seed);
    FeatureSet image = Through(query, kSame, 200 + seed);
    std::mt19937 random(300 + seed);
    std::normal_distribution<float> noise(0, 1.5f);
    for (Keypoint& point : image.keypoints) point.x += noise(random), point.y += noise(random);
    most = std::max(most, Refine(query, image, kSame).parallax);
  }
  EXPECT_LT(most, 0.5);
}

/// Of every keypoint a pair where `found(i)` says so.
template <typename Found>
double UnevennessWhere(const FeatureSet& features, const Found& found) {
  Refinement refined;
  refined.image_from_query = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  for (int i = 0; i < static_cast<int>(features.size()); ++i) {
    if (found(features.keypoints[static_cast<std::size_t>(i)])) refined.pairs.emplace_back(i, i);
  }
  return Unevenness(features, features, refined, [](Point) { return true; });
}

TEST(RefineTest, FormsAgreeUnevenlyWornCopiesDoNot) {
  const FeatureSet features = RandomFeatures(900, 21);
  std::mt19937 random(22);
  EXPECT_EQ(UnevennessWhere(features, [](const Keypoint&) { return true; }), 0);
  EXPECT_LT(UnevennessWhere(features, [&](const Keypoint&) { return random() % 2 == 0; }), 0.05);
  // The left of each field is printed, the right is written.
  const auto printed = [](const Keypoint& point) { return std::fmod(point.x, 160) < 80; };
  EXPECT_GT(UnevennessWhere(features, printed), 0.8);
  EXPECT_EQ(Unevenness(features, features, {}, [](Point) { return false; }), 0);
}

TEST(RefineTest, PairsAreOneToOne) {
  FeatureSet query = RandomFeatures(50, 3);
  FeatureSet image = query;
  // Every keypoint of the image twice.
  image.keypoints.insert(image.keypoints.end(), query.keypoints.begin(), query.keypoints.end());
  image.descriptors.insert(image.descriptors.end(), query.descriptors.begin(),
                           query.descriptors.end());
  const Refinement refined = Refine(query, image, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_EQ(refined.pairs.size(), 50u);
}

TEST(RefineTest, StrangersHaveNoPairs) {
  const Refinement refined =
      Refine(RandomFeatures(500, 4), RandomFeatures(500, 5), {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_LT(refined.query_found, 0.02);
  EXPECT_LT(refined.distinct, 6);
  EXPECT_EQ(refined.image_from_query, (Transform{1, 0, 0, 0, 1, 0, 0, 0, 1}));
}

TEST(RefineTest, OnlyWhatBothCouldShowCounts) {
  // The image is the left half of the query.
  const FeatureSet query = RandomFeatures(400, 6);
  FeatureSet image;
  image.width = kWidth / 2;
  image.height = kHeight;
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (query.keypoints[i].x >= kWidth / 2.0) continue;
    image.keypoints.push_back(query.keypoints[i]);
    image.descriptors.insert(image.descriptors.end(),
                             query.descriptors.begin() + i * kDescriptorBytes,
                             query.descriptors.begin() + (i + 1) * kDescriptorBytes);
  }
  const Refinement refined = Refine(query, image, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_GT(refined.query_found, 0.99);
  EXPECT_GT(refined.image_found, 0.99);
}

TEST(RefineTest, EmptySetsAreNoError) {
  FeatureSet empty;
  empty.width = empty.height = 10;
  EXPECT_TRUE(Refine(empty, RandomFeatures(5, 7), {1, 0, 0, 0, 1, 0, 0, 0, 1}).pairs.empty());
  EXPECT_TRUE(Refine(RandomFeatures(5, 7), empty, {1, 0, 0, 0, 1, 0, 0, 0, 1}).pairs.empty());
}

/// What a wave of this amplitude in pixels makes of features.
FeatureSet Waved(const FeatureSet& features, double amplitude, unsigned seed) {
  FeatureSet waved = Through(features, {1, 0, 0, 0, 1, 0, 0, 0, 1}, seed);
  for (Keypoint& point : waved.keypoints) {
    point.x += static_cast<float>(amplitude * std::sin(point.y / kHeight * 2 * std::numbers::pi));
  }
  return waved;
}

TEST(RefineTest, BendsWhereThePointsLieOffTogether) {
  const FeatureSet query = RandomFeatures(500, 1);
  const FeatureSet image = Waved(query, 9, 2);
  const Refinement refined = Refine(query, image, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  ASSERT_FALSE(refined.warp.empty());
  EXPECT_GT(refined.distinct, 440);
  EXPECT_LT(refined.residual, 1.5);
  EXPECT_LT(refined.parallax, 0.3);
  const Point put = Apply(refined.image_from_query, {320, 120});
  EXPECT_NEAR(put.x + refined.warp.At(put).x, 320 + 9, 1.5);
}

TEST(RefineTest, DoesNotBendForStrangers) {
  const FeatureSet query = RandomFeatures(500, 1);
  const Refinement refined = Refine(query, RandomFeatures(500, 9), {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_TRUE(refined.warp.empty());
  EXPECT_LT(refined.distinct, 8);
}

TEST(RefineTest, SaysHowExactlyPairsAgree) {
  const FeatureSet query = RandomFeatures(300, 1);
  const Refinement exact = Refine(query, query, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_LT(exact.residual, 0.05);
  EXPECT_LT(exact.scale_spread, 0.01);
  EXPECT_LT(exact.angle_spread, 0.1);
  EXPECT_EQ(exact.descriptor_distance, 0);
  FeatureSet off = Through(query, {1, 0, 0, 0, 1, 0, 0, 0, 1}, 3);
  for (Keypoint& point : off.keypoints) point.scale *= 1.19f, point.angle += 10;
  const Refinement inexact = Refine(query, off, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_NEAR(inexact.scale_spread, 0.25, 0.03);
  EXPECT_NEAR(inexact.angle_spread, 10, 1);
  EXPECT_GT(inexact.residual, 0.3);
  EXPECT_GT(inexact.descriptor_distance, 20);
}

TEST(TransformTest, InverseAndProductUndoEachOther) {
  const Transform t = {0.9, 0.1, 30, -0.2, 1.1, 4, 1e-4, 2e-4, 1};
  const Point p = Apply(Product(Inverse(t), t), {12, 34});
  EXPECT_NEAR(p.x, 12, 1e-9);
  EXPECT_NEAR(p.y, 34, 1e-9);
}

TEST(TransformTest, JacobianIsTheDerivative) {
  const Transform t = {0.9, 0.1, 30, -0.2, 1.1, 4, 1e-4, 2e-4, 1};
  const auto j = JacobianAt(t, {100, 50});
  const Point at = Apply(t, {100, 50}), right = Apply(t, {100.001, 50}),
              down = Apply(t, {100, 50.001});
  EXPECT_NEAR(j[0], (right.x - at.x) / 0.001, 1e-4);
  EXPECT_NEAR(j[1], (down.x - at.x) / 0.001, 1e-4);
  EXPECT_NEAR(j[2], (right.y - at.y) / 0.001, 1e-4);
  EXPECT_NEAR(j[3], (down.y - at.y) / 0.001, 1e-4);
}

}  // namespace
}  // namespace siftsearch::verify
