// Damaged files are reported, never believed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "base/hash.h"
#include "segment/segment_format.h"
#include "segment_test_util.h"
#include "support/memory_env.h"

namespace siftsearch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using namespace segment;  // NOLINT: the names of the format.

class SegmentDamage : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        WriteSegment(env_, "s", {{1, RandomFeatures(1, 3)}, {7, RandomFeatures(2, 2)}}).ok());
    good_ = ReadAll(env_, "s");
  }
  Status Check(std::span<const std::uint8_t> bytes) {
    WriteAll(env_, "bad", bytes);
    return CheckSegment(env_, "bad");
  }
  std::size_t FooterAt(std::size_t offset) const { return good_.size() - kFooterBytes + offset; }

  /// Corrects the checksums of the table of contents, the chunk, the table of checksums, the
  /// header and the footer, in a file of one chunk.
  static void Sign(std::vector<std::uint8_t>* bytes) {
    std::uint8_t* const begin = bytes->data();
    std::uint8_t* const footer = begin + bytes->size() - kFooterBytes;
    std::uint8_t* const checksums = footer - 8;
    StoreU64(Checksum({begin, kHeaderBytes - 8}), begin + kHeaderBytes - 8);
    StoreU64(Checksum({begin + kHeaderBytes, checksums}), checksums);
    const std::uint64_t contents = LoadU64(footer + 32), count = LoadU64(footer);
    if (contents < bytes->size() && count < 100) {
      StoreU64(Checksum({begin + contents, count * kContentEntryBytes}), footer + 56);
    }
    StoreU64(Checksum({checksums, 8}), footer + 64);
    StoreU64(LoadU64(begin + kHeaderBytes - 8), footer + 72);
    StoreU64(Checksum({footer, kFooterBytes - 8}), footer + kFooterBytes - 8);
  }

  MemoryEnv env_;
  std::vector<std::uint8_t> good_;
};

TEST_F(SegmentDamage, EveryChangedByteIsFound) {
  ASSERT_TRUE(Check(good_).ok());
  for (std::size_t i = 0; i < good_.size(); ++i) {
    for (const std::uint8_t flip : {0x01, 0x80, 0xff}) {
      auto bad = good_;
      bad[i] ^= flip;
      const Status status = Check(bad);
      EXPECT_EQ(status.code(), StatusCode::kCorrupt) << "byte " << i;
      EXPECT_THAT(status.message(), StartsWith("bad: ")) << "byte " << i;
    }
  }
}

TEST_F(SegmentDamage, EveryCutIsFoundOnOpening) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    WriteAll(env_, "bad", std::span(good_).first(size));
    EXPECT_EQ(SegmentReader::Open(env_, "bad", kDigests).status().code(), StatusCode::kCorrupt)
        << size << " bytes";
  }
}

TEST_F(SegmentDamage, BytesTooManyAreFoundOnOpening) {
  for (const std::size_t extra : {1, 64, 4096}) {
    auto bad = good_;
    bad.resize(bad.size() + extra);
    EXPECT_EQ(Check(bad).code(), StatusCode::kCorrupt);
    bad = good_;
    bad.insert(bad.end() - kFooterBytes, extra, 0);
    EXPECT_EQ(Check(bad).code(), StatusCode::kCorrupt);
  }
}

TEST_F(SegmentDamage, GarbageIsNoSegment) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint8_t> bad(random() % 5000);
    for (auto& byte : bad) byte = static_cast<std::uint8_t>(random());
    // In two rounds of three, garbage where a true header, or a header and a footer, surround it.
    if (bad.size() >= kHeaderBytes + kFooterBytes && round % 3 > 0) {
      std::copy_n(good_.begin(), kHeaderBytes, bad.begin());
      if (round % 3 > 1)
        std::copy_n(good_.end() - kFooterBytes, kFooterBytes, bad.end() - kFooterBytes);
    }
    EXPECT_EQ(Check(bad).code(), StatusCode::kCorrupt) << "round " << round;
  }
}

// Numbers that lie under checksums that are right.
TEST_F(SegmentDamage, WrongNumbersUnderRightChecksumsAreFoundOnOpening) {
  auto same = good_;
  Sign(&same);
  ASSERT_EQ(same, good_);

  const std::vector<std::uint64_t> values = {
      0,       1,          2,          6,          63,         65,         good_.size(),
      1 << 20, 1ull << 32, 1ull << 57, 1ull << 59, 1ull << 60, 1ull << 63, ~0ull};
  for (std::size_t field = 0; field < 7; ++field) {
    for (const std::uint64_t value : values) {
      auto bad = good_;
      if (LoadU64(&bad[FooterAt(8 * field)]) == value) continue;
      StoreU64(value, &bad[FooterAt(8 * field)]);
      Sign(&bad);
      WriteAll(env_, "bad", bad);
      EXPECT_EQ(SegmentReader::Open(env_, "bad", kDigests).status().code(), StatusCode::kCorrupt)
          << "field " << field << " = " << value;
    }
  }
}

TEST_F(SegmentDamage, ATableOfContentsThatLiesIsFoundOnOpening) {
  const std::uint64_t table = LoadU64(&good_[FooterAt(32)]);
  const std::uint64_t second = table + kContentEntryBytes;
  const auto refused = [&](std::uint64_t offset, std::uint64_t value, int size) {
    auto bad = good_;
    size == 8 ? StoreU64(value, &bad[offset])
              : StoreU32(static_cast<std::uint32_t>(value), &bad[offset]);
    Sign(&bad);
    WriteAll(env_, "bad", bad);
    return SegmentReader::Open(env_, "bad", kDigests).status().code() == StatusCode::kCorrupt;
  };
  EXPECT_TRUE(refused(table, 0, 8)) << "content 0";
  EXPECT_TRUE(refused(table, ~0ull, 8)) << "a negative content";
  EXPECT_TRUE(refused(second, 1, 8)) << "the same content twice";
  EXPECT_TRUE(refused(table + 8, 1, 8)) << "a first row that is not 0";
  EXPECT_TRUE(refused(second + 8, 2, 8)) << "rows of two contents";
  EXPECT_TRUE(refused(second + 8, ~0ull, 8)) << "rows past the end";
  EXPECT_TRUE(refused(second + 16, 1, 4)) << "a row of no content";
  EXPECT_TRUE(refused(second + 16, 3, 4)) << "a row too many";
  EXPECT_TRUE(refused(second + 16, 0xffffffff, 4)) << "far too many rows";
  for (const int side : {20, 24}) {
    EXPECT_TRUE(refused(table + side, 0, 4)) << "an empty picture";
    EXPECT_TRUE(refused(table + side, 0x80000000, 4)) << "a side above the limit";
  }
}

TEST_F(SegmentDamage, ANewerVersionIsIncompatibleAndSaysSo) {
  auto newer = good_;
  newer[8] = 2;
  Sign(&newer);
  const Status status = Check(newer);
  EXPECT_EQ(status.code(), StatusCode::kIncompatible);
  EXPECT_EQ(status.message(), "bad: has format version 2, this program reads version 1");
}

TEST_F(SegmentDamage, VerifyNamesTheFirstDamagedChunkAndStaysSo) {
  ASSERT_TRUE(WriteSegment(env_, "large", {{1, RandomFeatures(1, 30'000)}}).ok());
  auto bytes = ReadAll(env_, "large");
  bytes[64 + (1 << 20)] ^= 1;
  bytes[64 + (3 << 20) + 5] ^= 1;
  WriteAll(env_, "bad", bytes);
  auto reader = SegmentReader::Open(env_, "bad", kDigests);
  ASSERT_TRUE(reader.ok()) << "opening does not read descriptors";
  for (const int threads : {1, 4}) {
    const Status status = (*reader)->Verify(threads);
    EXPECT_EQ(status.code(), StatusCode::kCorrupt);
    EXPECT_THAT(status.message(), HasSubstr("chunk at byte 1048640"));
  }
}

TEST_F(SegmentDamage, TheFeaturesOfAContentAreVerifiedWithoutTheOthers) {
  ASSERT_TRUE(
      WriteSegment(env_, "large", {{1, RandomFeatures(1, 20'000)}, {2, RandomFeatures(2, 20'000)}})
          .ok());
  const auto bytes = ReadAll(env_, "large");
  const auto open_damaged = [&](std::size_t at) {
    auto damaged = bytes;
    damaged[at] ^= 1;
    WriteAll(env_, "bad", damaged);
    return std::move(SegmentReader::Open(env_, "bad", kDigests)).value();
  };
  const auto descriptor = open_damaged(64 + 5);
  EXPECT_TRUE(descriptor->VerifyFeatures(*descriptor->Find(2)).ok());
  EXPECT_TRUE(descriptor->VerifyKeypoints(*descriptor->Find(1)).ok());
  for (int times = 0; times < 2; ++times) {
    const Status status = descriptor->VerifyFeatures(*descriptor->Find(1));
    EXPECT_EQ(status.code(), StatusCode::kCorrupt);
    EXPECT_THAT(status.message(), HasSubstr("chunk at byte 64"));
  }
  EXPECT_FALSE(descriptor->Verify(2).ok());
  const auto keypoint = open_damaged(64 + 40'000 * 128 + 7);
  EXPECT_EQ(keypoint->VerifyKeypoints(*keypoint->Find(1)).code(), StatusCode::kCorrupt);
  EXPECT_EQ(keypoint->VerifyFeatures(*keypoint->Find(1)).code(), StatusCode::kCorrupt);
}

}  // namespace
}  // namespace siftsearch
