// What a segment keeps and what its writer refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <thread>

#include "segment_test_util.h"
#include "support/memory_env.h"

namespace siftsearch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::shared_ptr<const SegmentReader> Open(FileEnv& env, const std::string& path) {
  auto reader = SegmentReader::Open(env, path, kDigests);
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  return reader.ok() ? std::move(reader).value() : nullptr;
}

void ExpectStored(const FeatureSet& stored, const FeatureSet& given) {
  EXPECT_EQ(stored.width, given.width);
  EXPECT_EQ(stored.height, given.height);
  EXPECT_EQ(stored.descriptors, given.descriptors);
  ASSERT_EQ(stored.size(), given.size());
  // Half a step of 1/64 pixel (640 pixels wide), of 1/2048 octave, and of 1/65,536 circle.
  for (std::size_t i = 0; i < given.size(); ++i) {
    EXPECT_NEAR(stored.keypoints[i].x, given.keypoints[i].x, 1 / 128.0 + 1e-4);
    EXPECT_NEAR(stored.keypoints[i].y, given.keypoints[i].y, 1 / 128.0 + 1e-4);
    EXPECT_NEAR(stored.keypoints[i].scale / given.keypoints[i].scale, 1, 1.8e-4);
    EXPECT_NEAR(stored.keypoints[i].angle, given.keypoints[i].angle, 0.0028);
  }
}

TEST(Segment, GivesBackWhatWasAdded) {
  MemoryEnv env;
  const std::map<std::int64_t, FeatureSet> contents = {{3, RandomFeatures(1, 40)},
                                                       {4, RandomFeatures(2, 0)},
                                                       {1'000'000'000'000, RandomFeatures(3, 7)}};
  const auto summary = WriteSegment(env, "s.seg", contents);
  ASSERT_TRUE(summary.ok()) << summary.status().message();
  EXPECT_THAT(env.List(".").value(), ElementsAre("s.seg"));

  const auto reader = Open(env, "s.seg");
  EXPECT_EQ(reader->rows(), 47u);
  EXPECT_EQ(reader->rows(), summary->rows);
  EXPECT_EQ(reader->contents().size(), summary->contents);
  EXPECT_EQ(reader->bytes(), summary->bytes);
  EXPECT_EQ(reader->path(), "s.seg");
  EXPECT_EQ(reader->descriptors().size(), 47u * 128);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(reader->descriptors().data()) % 64, 0u);
  for (const auto& [content, given] : contents) {
    const auto stored = reader->Features(content);
    ASSERT_TRUE(stored.ok());
    ExpectStored(*stored, given);
  }
  EXPECT_EQ(reader->Find(4)->first_row, 40u);
  EXPECT_EQ(reader->Find(4)->rows, 0u);
  EXPECT_EQ(reader->Find(5), nullptr);
  EXPECT_EQ(reader->Features(5).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(reader->Verify(2).ok());
}

TEST(Segment, WorksOnDisk) {
  const std::string path = testing::TempDir() + "/siftsearch_segment_test.seg";
  const FeatureSet features = RandomFeatures(1, 500);
  ASSERT_TRUE(WriteSegment(DiskEnv(), path, {{1, features}}).ok());
  ExpectStored(Open(DiskEnv(), path)->Features(1).value(), features);
  EXPECT_TRUE(CheckSegment(DiskEnv(), path).ok());
  EXPECT_TRUE(DiskEnv().Remove(path).ok());
}

TEST(Segment, TellsTheContentOfEveryRow) {
  MemoryEnv env;
  const std::map<std::int64_t, FeatureSet> contents = {
      {1, RandomFeatures(1, 0)},  {2, RandomFeatures(2, 255)}, {3, RandomFeatures(3, 1)},
      {4, RandomFeatures(4, 0)},  {5, RandomFeatures(5, 1)},   {6, RandomFeatures(6, 1000)},
      {7, RandomFeatures(7, 2)},  {8, RandomFeatures(8, 3)},   {9, RandomFeatures(9, 300)},
      {10, RandomFeatures(10, 0)}};
  ASSERT_TRUE(WriteSegment(env, "s", contents).ok());
  const auto reader = Open(env, "s");
  std::uint64_t row = 0;
  for (const auto& [content, features] : contents) {
    for (const std::uint64_t end = row + features.size(); row < end; ++row) {
      ASSERT_EQ(reader->OfRow(row).content, content) << row;
      std::vector<std::uint8_t> read(kDescriptorBytes);
      ASSERT_TRUE(reader->ReadRow(row, read).ok());
      const auto mapped = reader->descriptors().subspan(row * kDescriptorBytes, kDescriptorBytes);
      ASSERT_TRUE(std::equal(read.begin(), read.end(), mapped.begin())) << row;
    }
  }
  EXPECT_EQ(row, reader->rows());
}

TEST(Segment, MayBeEmpty) {
  MemoryEnv env;
  ASSERT_TRUE(WriteSegment(env, "s", {}).ok());
  const auto reader = Open(env, "s");
  EXPECT_EQ(reader->rows(), 0u);
  EXPECT_TRUE(reader->contents().empty());
  EXPECT_TRUE(reader->descriptors().empty());
  EXPECT_TRUE(reader->Verify(1).ok());
}

TEST(Segment, MergingKeepsEveryByte) {
  MemoryEnv env;
  const std::map<std::int64_t, FeatureSet> contents = {{1, RandomFeatures(1, 30)},
                                                       {2, RandomFeatures(2, 9, 90'000, 10)}};
  ASSERT_TRUE(WriteSegment(env, "a", contents).ok());
  const auto reader = Open(env, "a");
  auto writer = SegmentWriter::Create(env, "b", kDigest);
  for (const SegmentContent& content : reader->contents()) {
    ASSERT_TRUE((*writer)
                    ->AddRaw(content.content, content.width, content.height,
                             reader->Descriptors(content), reader->PackedKeypoints(content))
                    .ok());
  }
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(ReadAll(env, "a"), ReadAll(env, "b"));
}

TEST(Segment, SpansSeveralChunksWhateverTheSizesOfTheContents) {
  MemoryEnv env;
  std::map<std::int64_t, FeatureSet> contents;
  for (int i = 1; i <= 5; ++i) contents[i] = RandomFeatures(i, 3000 * i + i);
  ASSERT_TRUE(WriteSegment(env, "s", contents).ok());
  const auto reader = Open(env, "s");
  EXPECT_GT(reader->bytes(), 5 << 20);
  EXPECT_TRUE(reader->Verify(3).ok());
  for (const auto& [content, given] : contents) {
    EXPECT_EQ(reader->Features(content)->descriptors, given.descriptors);
  }
}

TEST(Segment, CostsLittleMoreThanItsDescriptors) {
  MemoryEnv env;
  std::map<std::int64_t, FeatureSet> contents;
  for (int i = 1; i <= 8; ++i) contents[i] = RandomFeatures(i, 1000);
  const auto summary = WriteSegment(env, "s", contents);
  EXPECT_LE(static_cast<double>(summary->bytes) / summary->rows, 136.1);
}

TEST(Segment, ASecondVerifyIsFreeAndSafeFromSeveralThreads) {
  MemoryEnv env;
  ASSERT_TRUE(WriteSegment(env, "s", {{1, RandomFeatures(1, 20'000)}}).ok());
  const auto reader = Open(env, "s");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(reader->Verify(2).ok()); });
  }
  for (auto& thread : threads) thread.join();
}

TEST(Segment, OtherExtractorSettingsAreIncompatible) {
  MemoryEnv env;
  ASSERT_TRUE(WriteSegment(env, "s.seg", {{1, RandomFeatures(1, 2)}}).ok());
  const std::vector<std::uint64_t> others = {kDigest + 1, kDigest + 2};
  const Status status = SegmentReader::Open(env, "s.seg", others).status();
  EXPECT_EQ(status.code(), StatusCode::kIncompatible);
  EXPECT_THAT(status.message(), StartsWith("s.seg: "));
  EXPECT_THAT(status.message(), HasSubstr("extractor settings"));
}

TEST(Segment, OneOfSeveralExtractorSettingsIsEnough) {
  MemoryEnv env;
  ASSERT_TRUE(WriteSegment(env, "s.seg", {{1, RandomFeatures(1, 2)}}).ok());
  const std::vector<std::uint64_t> digests = {kDigest + 1, kDigest};
  EXPECT_TRUE(SegmentReader::Open(env, "s.seg", digests).ok());
}

TEST(Segment, AMissingFileIsNotFound) {
  MemoryEnv env;
  EXPECT_EQ(SegmentReader::Open(env, "none", kDigests).status().code(), StatusCode::kNotFound);
}

TEST(SegmentWriter, RefusesWhatDoesNotFitAndGoesOn) {
  MemoryEnv env;
  auto writer = SegmentWriter::Create(env, "s", kDigest);
  const FeatureSet good = RandomFeatures(1, 3);
  const auto refused = [&](std::int64_t content, const FeatureSet& features) {
    return (*writer)->Add(content, features).code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(0, good));
  EXPECT_TRUE(refused(-1, good));
  ASSERT_TRUE((*writer)->Add(5, good).ok());
  EXPECT_TRUE(refused(5, good));
  EXPECT_TRUE(refused(4, good));
  FeatureSet bad = good;
  bad.descriptors.pop_back();
  EXPECT_TRUE(refused(6, bad));
  bad = good;
  bad.keypoints.pop_back();
  EXPECT_TRUE(refused(6, bad));
  bad = good;
  bad.width = 0;
  EXPECT_TRUE(refused(6, bad));
  for (float Keypoint::*field : {&Keypoint::x, &Keypoint::y, &Keypoint::scale, &Keypoint::angle}) {
    for (const float value :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      bad = good;
      bad.keypoints[1].*field = value;
      EXPECT_TRUE(refused(6, bad));
    }
  }
  const std::vector<std::uint8_t> part(9);
  EXPECT_EQ((*writer)->AddRaw(6, 10, 10, std::span(good.descriptors).first(128), part).code(),
            StatusCode::kInvalidArgument);
  ASSERT_TRUE((*writer)->Add(6, good).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_TRUE(refused(7, good));
  EXPECT_FALSE((*writer)->Finish().ok());
  EXPECT_EQ(Open(env, "s")->rows(), 6u);
  EXPECT_TRUE(CheckSegment(env, "s").ok());
}

TEST(SegmentWriter, LeavesNoFileWhenItIsGivenUp) {
  MemoryEnv env;
  {
    auto writer = SegmentWriter::Create(env, "s", kDigest);
    ASSERT_TRUE((*writer)->Add(1, RandomFeatures(1, 10'000)).ok());
    EXPECT_THAT(env.List(".").value(), ElementsAre("s.tmp"));
  }
  EXPECT_TRUE(env.List(".").value().empty());
}

}  // namespace
}  // namespace siftsearch
