#include "local/merge_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace siftsearch::local {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kRowBytes = 136;

std::int64_t BytesOf(const std::vector<MergePart>& parts) {
  return std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                         [](std::int64_t sum, const MergePart& p) { return sum + p.bytes; });
}

/// Adds parts one at a time, merging as planned; returns the bytes that merges have read.
std::int64_t AddOneByOne(int count, std::int64_t rows, std::vector<MergePart>* parts) {
  std::int64_t read = 0;
  for (int i = 0; i < count; ++i) {
    parts->push_back({.rows = rows, .bytes = rows * kRowBytes});
    std::int64_t read_now = 0;
    for (const auto& group : PlanMerges(*parts)) {
      MergePart merged;
      for (std::size_t part : group) {
        merged.rows += (*parts)[part].rows;
        merged.bytes += (*parts)[part].bytes;
        read_now += (*parts)[part].bytes;
        (*parts)[part] = {};
      }
      parts->push_back(merged);
    }
    EXPECT_LE(read_now, std::max(kMaxMergeBytes, BytesOf(*parts) / kMaxMergePart));
    read += read_now;
    std::erase_if(*parts, [](const MergePart& part) { return part.rows == 0; });
  }
  return read;
}

TEST(MergePlanTest, LeavesFewSegmentsAlone) {
  EXPECT_THAT(PlanMerges({}), IsEmpty());
  EXPECT_THAT(PlanMerges(std::vector<MergePart>(7, {.rows = 100, .bytes = 100})), IsEmpty());
}

TEST(MergePlanTest, MergesEightOfOneTier) {
  std::vector<MergePart> parts(8, {.rows = 100, .bytes = 100});
  parts.insert(parts.begin() + 2, {.rows = 100'000, .bytes = 100});
  EXPECT_THAT(PlanMerges(parts), ElementsAre(ElementsAre(0, 1, 3, 4, 5, 6, 7, 8)));
}

TEST(MergePlanTest, AMergeMayCompleteTheNextTier) {
  std::vector<MergePart> parts(7, {.rows = 800, .bytes = 800});
  parts.insert(parts.end(), 8, {.rows = 100, .bytes = 100});
  ASSERT_EQ(PlanMerges(parts).size(), 1U);
  EXPECT_EQ(PlanMerges(parts).front().size(), 15U);
}

TEST(MergePlanTest, StaysBelowTheByteLimit) {
  const std::int64_t mib = 1 << 20;
  EXPECT_THAT(PlanMerges(std::vector<MergePart>(8, {.rows = 40'000, .bytes = 12 * mib})),
              ElementsAre(ElementsAre(0, 1, 2, 3, 4)));
  EXPECT_THAT(PlanMerges(std::vector<MergePart>(9, {.rows = 40'000, .bytes = 20 * mib})),
              IsEmpty());
}

TEST(MergePlanTest, AThousandSingleAdditionsLeaveFewSegments) {
  for (std::int64_t rows : {1, 10, 300, 1000}) {
    std::vector<MergePart> parts;
    const std::int64_t read = AddOneByOne(1000, rows, &parts);
    EXPECT_LE(parts.size(), 30U) << rows;
    // Each row is rewritten once a tier at most, and once more at the byte limit.
    EXPECT_LE(read, 5 * 1000 * rows * kRowBytes) << rows;
    EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                              [](std::int64_t sum, const MergePart& p) { return sum + p.rows; }),
              1000 * rows);
  }
}

TEST(MergePlanTest, AHundredThousandImagesLieInFewSegments) {
  constexpr std::int64_t kRows = 750;
  for (const std::int64_t at_once : {100, 1000}) {
    std::vector<MergePart> parts;
    const std::int64_t read =
        AddOneByOne(static_cast<int>(100'000 / at_once), at_once * kRows, &parts);
    EXPECT_LE(parts.size(), 24U) << at_once;
    EXPECT_LE(read, 4 * 100'000 * kRows * kRowBytes) << at_once;
  }
}

}  // namespace
}  // namespace siftsearch::local
