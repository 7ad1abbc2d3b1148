#include "support/memory_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace siftsearch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void Append(WritableFile& file, const std::string& text) {
  ASSERT_TRUE(file.Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}).ok());
}

std::string Read(FileEnv& env, const std::string& path) {
  auto file = env.Map(path);
  if (!file.ok()) return "error: " + file.status().message();
  const auto bytes = (*file)->bytes();
  return {bytes.begin(), bytes.end()};
}

class MemoryEnvCrash : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env_.CreateDirectory("d").ok());
    ASSERT_TRUE(env_.SyncDirectory(".").ok());
  }
  std::unique_ptr<WritableFile> Create(const std::string& path) {
    auto file = env_.Create(path);
    EXPECT_TRUE(file.ok()) << file.status().message();
    return std::move(file).value();
  }
  void WriteDurably(const std::string& path, const std::string& text) {
    auto file = Create(path);
    Append(*file, text);
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(env_.SyncDirectory("d").ok());
  }
  MemoryEnv env_;
};

TEST_F(MemoryEnvCrash, LosesBytesThatWereNotSynced) {
  auto file = Create("d/a");
  Append(*file, "kept");
  ASSERT_TRUE(file->Sync().ok());
  Append(*file, " lost");
  ASSERT_TRUE(env_.SyncDirectory("d").ok());
  EXPECT_EQ(Read(env_, "d/a"), "kept lost");
  env_.Crash();
  EXPECT_EQ(Read(env_, "d/a"), "kept");
}

TEST_F(MemoryEnvCrash, LosesANameWhoseDirectoryWasNotSynced) {
  auto file = Create("d/a");
  ASSERT_TRUE(file->Sync().ok());
  env_.Crash();
  EXPECT_THAT(env_.List("d").value(), IsEmpty());
}

TEST_F(MemoryEnvCrash, TakesBackARenameAndARemovalThatWereNotSynced) {
  WriteDurably("d/a", "a");
  WriteDurably("d/b", "b");
  ASSERT_TRUE(env_.Rename("d/a", "d/c").ok());
  ASSERT_TRUE(env_.Remove("d/b").ok());
  env_.Crash();
  EXPECT_THAT(env_.List("d").value(), ElementsAre("a", "b"));
  EXPECT_EQ(Read(env_, "d/a"), "a");
  ASSERT_TRUE(env_.Rename("d/a", "d/c").ok());
  ASSERT_TRUE(env_.SyncDirectory("d").ok());
  env_.Crash();
  EXPECT_THAT(env_.List("d").value(), ElementsAre("b", "c"));
}

TEST_F(MemoryEnvCrash, LosesADirectoryWhoseParentWasNotSyncedWithAllInIt) {
  ASSERT_TRUE(env_.CreateDirectory("d/new").ok());
  auto file = Create("d/new/a");
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(env_.SyncDirectory("d/new").ok());
  env_.Crash();
  EXPECT_FALSE(env_.Exists("d/new").value());
  EXPECT_FALSE(env_.Exists("d/new/a").value());
}

TEST_F(MemoryEnvCrash, AWriterOfBeforeNoLongerReachesItsFile) {
  WriteDurably("d/a", "a");
  auto file = Create("d/a");
  env_.Crash();
  Append(*file, "late");
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Read(env_, "d/a"), "a");
}

TEST_F(MemoryEnvCrash, FreesLocks) {
  auto old = env_.Lock("d", std::chrono::milliseconds(0));
  env_.Crash();
  auto held = env_.Lock("d", std::chrono::milliseconds(0));
  ASSERT_TRUE(held.ok());
  old.value().reset();
  EXPECT_EQ(env_.Lock("d", std::chrono::milliseconds(0)).status().code(), StatusCode::kBusy);
}

}  // namespace
}  // namespace siftsearch
