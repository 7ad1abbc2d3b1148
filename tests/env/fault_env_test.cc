#include "support/fault_env.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "support/memory_env.h"

namespace siftsearch {
namespace {

const std::vector<std::uint8_t> kBytes = {1, 2, 3, 4, 5, 6};

/// Every changing operation once, each whatever became of the others; how many failed.
int RunAll(FileEnv& env) {
  int failed = 0;
  const auto note = [&](const Status& status) { failed += !status.ok(); };
  note(env.CreateDirectory("d"));
  auto file = env.Create("a");
  note(file.status());
  if (file.ok()) {
    note((*file)->Append(kBytes));
    note((*file)->Sync());
    note((*file)->Close());
  }
  note(env.CreateNew("new", Access::kShared).status());
  note(env.Read("a").status());
  note(env.CopyMetadata("a", "new").status());
  note(env.Rename("a", "b"));
  note(env.Link("b", "c"));
  note(env.RenameNew("c", "d2"));
  note(env.SyncDirectory("."));
  note(env.Remove("b"));
  return failed;
}

TEST(FaultEnv, WithoutAFaultCountsAndPassesEverythingOn) {
  MemoryEnv memory;
  FaultEnv env(memory);
  EXPECT_EQ(RunAll(env), 0);
  EXPECT_EQ(env.operations(), 13);
}

TEST(FaultEnv, FailsTheOperationAskedForWithTheStatusAskedFor) {
  MemoryEnv memory;
  FaultEnv env(memory);
  env.Arm({.first = 1, .status = Status(StatusCode::kOutOfSpace, "full")});
  EXPECT_TRUE(env.Create("a").ok());
  EXPECT_EQ(env.Create("b").status().code(), StatusCode::kOutOfSpace);
  EXPECT_TRUE(env.Create("c").ok());
  EXPECT_EQ(env.operations(), 3);
  EXPECT_EQ(env.List(".").value(), (std::vector<std::string>{"a", "c"}));
}

TEST(FaultEnv, FailsAllLaterOperationsUntilDisarmed) {
  MemoryEnv memory;
  FaultEnv env(memory);
  env.Arm({.first = 1, .count = FaultEnv::kAllLater});
  EXPECT_TRUE(env.CreateDirectory("d").ok());
  EXPECT_FALSE(env.Create("a").ok());
  EXPECT_FALSE(env.Create("a").ok());
  EXPECT_TRUE(env.List("d").ok()) << "reading changes nothing";
  env.Disarm();
  EXPECT_EQ(env.operations(), 0);
  EXPECT_TRUE(env.Create("a").ok());
}

TEST(FaultEnv, ATornAppendWritesHalf) {
  MemoryEnv memory;
  FaultEnv env(memory);
  env.Arm({.first = 1, .tear = true});
  auto file = env.Create("a");
  EXPECT_FALSE((*file)->Append(kBytes).ok());
  EXPECT_EQ(env.FileSize("a").value(), 3);
}

}  // namespace
}  // namespace siftsearch
