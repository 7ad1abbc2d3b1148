#include "segment/segment_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "segment_test_util.h"
#include "support/memory_env.h"

namespace siftsearch::segment {
namespace {

TEST(SegmentFormat, TheQuantumIsTheSmallestPowerOfTwoThatHoldsTheLongerSide) {
  EXPECT_EQ(PositionQuantum(640, 480), 1 / 64.0);
  EXPECT_EQ(PositionQuantum(480, 640), 1 / 64.0);
  EXPECT_EQ(PositionQuantum(1, 1), 1 / 256.0);
  EXPECT_EQ(PositionQuantum(65'535, 1), 1.0);
  EXPECT_EQ(PositionQuantum(65'536, 1), 2.0);
  EXPECT_EQ(PositionQuantum(2'147'483'647, 1), 32'768.0);
  for (int side = 256; side < 2'000'000; side += 997) {
    const double quantum = PositionQuantum(side, 1);
    EXPECT_LE(side / quantum, 65'535);
    EXPECT_GT(side / (quantum / 2), 65'535);
  }
}

TEST(SegmentFormat, KeypointsKeepTheDocumentedPrecision) {
  std::mt19937 random(1);
  for (const int side : {1, 100, 640, 5000, 100'000, 5'000'000}) {
    const double quantum = PositionQuantum(side, side);
    std::uniform_real_distribution<float> position(0, static_cast<float>(side - 1));
    std::uniform_real_distribution<float> octave(-7.9f, 23.9f), angle(0, 360);
    for (int i = 0; i < 500; ++i) {
      const Keypoint given{position(random), position(random), std::exp2(octave(random)),
                           angle(random)};
      const Keypoint kept = UnpackKeypoint(PackKeypoint(given, quantum).data(), quantum);
      EXPECT_NEAR(kept.x, given.x, quantum / 2 * 1.0001);
      EXPECT_NEAR(kept.y, given.y, quantum / 2 * 1.0001);
      EXPECT_NEAR(std::log2(kept.scale / given.scale), 0, 1 / 4096.0 * 1.01);
      EXPECT_LE(std::fabs(std::remainder(kept.angle - given.angle, 360.0)), 180 / 65'536.0 * 1.02);
      EXPECT_GE(kept.angle, 0);
      EXPECT_LT(kept.angle, 360);
    }
  }
}

TEST(SegmentFormat, PackingWhatWasUnpackedChangesNothing) {
  const double quantum = PositionQuantum(640, 480);
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    PackedKeypoint packed;
    for (auto& byte : packed) byte = static_cast<std::uint8_t>(random());
    EXPECT_EQ(PackKeypoint(UnpackKeypoint(packed.data(), quantum), quantum), packed);
  }
}

TEST(SegmentFormat, ValuesBeyondTheRangeAreMovedToItsEnd) {
  const double quantum = PositionQuantum(640, 480);
  const auto kept = [&](const Keypoint& keypoint) {
    return UnpackKeypoint(PackKeypoint(keypoint, quantum).data(), quantum);
  };
  EXPECT_EQ(kept({-0.4f, 1e9f, 1, 0}).x, 0);
  EXPECT_EQ(kept({-0.4f, 1e9f, 1, 0}).y, static_cast<float>(65'535 * quantum));
  EXPECT_EQ(kept({0, 0, 0, 0}).scale, static_cast<float>(std::exp2(-8)));
  EXPECT_EQ(kept({0, 0, -1, 0}).scale, static_cast<float>(std::exp2(-8)));
  EXPECT_NEAR(kept({0, 0, 1e30f, 0}).scale / std::exp2(24.0), 1, 0.001);
  EXPECT_EQ(kept({0, 0, 1, 359.9999f}).angle, 0);
  EXPECT_NEAR(kept({0, 0, 1, -90}).angle, 270, 1e-3);
  EXPECT_NEAR(kept({0, 0, 1, 450}).angle, 90, 1e-3);
}

// A file as schema/segment.md describes it, built here byte by byte.
TEST(SegmentFormat, TheBytesOfAFileAreAsDocumented) {
  MemoryEnv env;
  FeatureSet features{.width = 640,
                      .height = 480,
                      .keypoints = {{1, 2, 1, 90}},
                      .descriptors = std::vector<std::uint8_t>(128, 9)};
  ASSERT_TRUE(WriteSegment(env, "s", {{0x0102, features}}).ok());
  const auto bytes = ReadAll(env, "s");
  ASSERT_EQ(bytes.size(), 64u + 128 + 64 + 64 + 8 + 128);
  const auto at = [&](std::size_t begin, std::size_t size) {
    return std::vector<int>(bytes.begin() + begin, bytes.begin() + begin + size);
  };
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 8), "SIFTSEG\n");
  EXPECT_EQ(at(8, 16), (std::vector<int>{1, 0, 0, 0, 64, 0, 0, 0, 128, 0, 0, 0, 0, 0, 16, 0}));
  EXPECT_EQ(LoadU64(&bytes[24]), kDigest);
  EXPECT_EQ(at(64, 128), std::vector<int>(128, 9));
  // x = 64 steps, y = 128 steps, scale = 8 octaves of 2048 steps, angle = a quarter of 65,536.
  EXPECT_EQ(at(192, 8), (std::vector<int>{64, 0, 128, 0, 0, 64, 0, 64}));
  EXPECT_EQ(at(200, 56), std::vector<int>(56, 0));
  EXPECT_EQ(at(256, 32), (std::vector<int>{2, 1, 0, 0, 0,   0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0,
                                           1, 0, 0, 0, 128, 2, 0, 0, 224, 1, 0, 0, 0, 0, 0, 0}));
  const std::uint8_t* footer = &bytes[bytes.size() - 128];
  const std::vector<std::uint64_t> expected = {1, 1, 64, 192, 256, 320, bytes.size()};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(LoadU64(footer + 8 * i), expected[i]);
  EXPECT_EQ(std::string(footer + 112, footer + 120), "SIFTEND\n");
}

}  // namespace
}  // namespace siftsearch::segment
