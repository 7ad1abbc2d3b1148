// Failures and power cuts at every step of writing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "segment_test_util.h"
#include "support/fault_env.h"
#include "support/memory_env.h"

namespace siftsearch {
namespace {

const std::string kPath = "segments/1.seg";

std::map<std::int64_t, FeatureSet> Contents() {
  // More than one chunk, so that an append fails in the middle as well.
  return {{1, RandomFeatures(1, 9000)}, {2, RandomFeatures(2, 50)}};
}

void MakeDirectory(FileEnv& env) {
  ASSERT_TRUE(env.CreateDirectory("segments").ok());
  ASSERT_TRUE(env.SyncDirectory(".").ok());
}

std::int64_t OperationsOfWriting() {
  MemoryEnv memory;
  MakeDirectory(memory);
  FaultEnv env(memory);
  EXPECT_TRUE(WriteSegment(env, kPath, Contents()).ok());
  return env.operations();
}

class SegmentFault : public testing::TestWithParam<bool> {};

TEST_P(SegmentFault, OneFailureIsReportedAndLeavesNoFile) {
  const auto contents = Contents();
  const std::int64_t operations = OperationsOfWriting();
  ASSERT_GT(operations, 6);
  for (std::int64_t n = 0; n < operations; ++n) {
    MemoryEnv memory;
    MakeDirectory(memory);
    FaultEnv env(memory);
    env.Arm({.first = n, .status = Status(StatusCode::kOutOfSpace, "full"), .tear = GetParam()});
    EXPECT_EQ(WriteSegment(env, kPath, contents).status().code(), StatusCode::kOutOfSpace)
        << "operation " << n;
    EXPECT_THAT(memory.List("segments").value(), testing::IsEmpty()) << "operation " << n;
    env.Disarm();
    EXPECT_TRUE(WriteSegment(env, kPath, contents).ok()) << "a second attempt must work";
  }
}

TEST_P(SegmentFault, APowerCutLeavesNothingOrTheWholeFile) {
  const auto contents = Contents();
  const std::int64_t operations = OperationsOfWriting();
  for (std::int64_t n = 0; n <= operations; ++n) {
    MemoryEnv memory;
    MakeDirectory(memory);
    FaultEnv env(memory);
    env.Arm({.first = n, .count = FaultEnv::kAllLater, .tear = GetParam()});
    const bool written = WriteSegment(env, kPath, contents).ok();
    EXPECT_EQ(written, n == operations);
    const bool seen = memory.Exists(kPath).value();
    if (seen) {
      EXPECT_TRUE(CheckSegment(memory, kPath).ok()) << "operation " << n;
    }
    memory.Crash();
    const bool kept = memory.Exists(kPath).value();
    EXPECT_TRUE(kept || !written) << "a finished segment was lost";
    if (kept) {
      EXPECT_TRUE(CheckSegment(memory, kPath).ok()) << "operation " << n;
    }
  }
}

// The directory's names may reach the disk at any moment, asked for or not.
TEST_P(SegmentFault, TheFinalNameNeverShowsBytesThatAreNotDurable) {
  const auto contents = Contents();
  const std::int64_t operations = OperationsOfWriting();
  for (std::int64_t n = 0; n <= operations; ++n) {
    MemoryEnv memory;
    MakeDirectory(memory);
    FaultEnv env(memory);
    env.Arm({.first = n, .count = FaultEnv::kAllLater, .tear = GetParam()});
    (void)WriteSegment(env, kPath, contents);
    ASSERT_TRUE(memory.SyncDirectory("segments").ok());
    memory.Crash();
    if (memory.Exists(kPath).value()) {
      EXPECT_TRUE(CheckSegment(memory, kPath).ok()) << "operation " << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Appends, SegmentFault, testing::Bool(),
                         [](const auto& info) { return info.param ? "Torn" : "Whole"; });

TEST(SegmentFaultLater, AfterAFailureEveryCallReturnsIt) {
  MemoryEnv memory;
  MakeDirectory(memory);
  FaultEnv env(memory);
  env.Arm({.first = 2, .status = Status(StatusCode::kOutOfSpace, "full")});
  auto writer = SegmentWriter::Create(env, kPath, kDigest);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ((*writer)->Add(1, RandomFeatures(1, 9000)).code(), StatusCode::kOutOfSpace);
  EXPECT_EQ((*writer)->Add(2, RandomFeatures(1, 1)).code(), StatusCode::kOutOfSpace);
  EXPECT_EQ((*writer)->Finish().status().code(), StatusCode::kOutOfSpace);
}

}  // namespace
}  // namespace siftsearch
