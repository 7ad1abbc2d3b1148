// What every FileEnv promises, with one body for all of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/file_env.h"
#include "support/fault_env.h"
#include "support/memory_env.h"

namespace siftsearch {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

enum class Kind { kDisk, kMemory, kFaultWithoutFault };

class FileEnvContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() != Kind::kDisk) {
      dir_ = "/files";
      ASSERT_TRUE(memory_.CreateDirectory(dir_).ok());
      return;
    }
    dir_ = (std::filesystem::temp_directory_path() / "siftsearch-XXXXXX").string();
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override {
    if (GetParam() == Kind::kDisk) std::filesystem::remove_all(dir_);
  }

  FileEnv& env() {
    switch (GetParam()) {
      case Kind::kDisk:
        return DiskEnv();
      case Kind::kMemory:
        return memory_;
      case Kind::kFaultWithoutFault:
        break;
    }
    return fault_;
  }
  std::string Path(const std::string& name) const { return dir_ + "/" + name; }

  void Write(const std::string& name, const std::string& text) {
    auto file = env().Create(Path(name));
    ASSERT_TRUE(file.ok()) << file.status().message();
    ASSERT_TRUE(
        (*file)->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}).ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  std::string Read(const std::string& name) {
    auto file = env().Map(Path(name));
    if (!file.ok()) return "error: " + file.status().message();
    const auto bytes = (*file)->bytes();
    return {bytes.begin(), bytes.end()};
  }

  std::string dir_;
  MemoryEnv memory_;
  FaultEnv fault_{memory_};
};

TEST_P(FileEnvContract, AFileHoldsWhatWasAppendedInOrder) {
  auto file = env().Create(Path("a"));
  ASSERT_TRUE(file.ok());
  const std::vector<std::uint8_t> first = {1, 2, 0, 3}, second(100'000, 7);
  EXPECT_TRUE((*file)->Append(first).ok());
  EXPECT_TRUE((*file)->Append({}).ok());
  EXPECT_TRUE((*file)->Append(second).ok());
  EXPECT_TRUE((*file)->Close().ok());
  auto mapped = env().Map(Path("a"));
  ASSERT_TRUE(mapped.ok());
  const auto bytes = (*mapped)->bytes();
  ASSERT_EQ(bytes.size(), 100'004u);
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin(), bytes.begin() + 4), first);
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin() + 4, bytes.end()), second);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 4096, 0u);
  EXPECT_EQ(env().FileSize(Path("a")).value(), 100'004);
}

TEST_P(FileEnvContract, CreateEmptiesAFileThatIsThere) {
  Write("a", "long text");
  Write("a", "new");
  EXPECT_EQ(Read("a"), "new");
}

TEST_P(FileEnvContract, APartOfAMappedFileIsRead) {
  Write("a", "0123456789");
  const auto mapped = env().Map(Path("a"));
  ASSERT_TRUE(mapped.ok());
  ASSERT_TRUE(env().Remove(Path("a")).ok());
  std::vector<std::uint8_t> part(4);
  ASSERT_TRUE((*mapped)->Read(3, part).ok());
  EXPECT_EQ(std::string(part.begin(), part.end()), "3456");
  EXPECT_TRUE((*mapped)->Read(10, {}).ok());
  for (const std::size_t beyond : {8, 10, 1000}) {
    EXPECT_EQ((*mapped)->Read(beyond, part).code(), StatusCode::kCorrupt) << beyond;
  }
  std::vector<std::uint8_t> other(4);
  const auto at_once = (*mapped)->ReadAtOnce(5, other);
  ASSERT_TRUE(at_once.ok());
  EXPECT_EQ(std::string(other.begin(), other.end()), *at_once ? "5678" : std::string(4, '\0'));
}

TEST_P(FileEnvContract, AnEmptyFileMapsToNoBytes) {
  Write("empty", "");
  EXPECT_EQ(Read("empty"), "");
  EXPECT_EQ(env().FileSize(Path("empty")).value(), 0);
}

TEST_P(FileEnvContract, AClosedFileRefusesFurtherUse) {
  auto file = env().Create(Path("a"));
  ASSERT_TRUE((*file)->Close().ok());
  const std::vector<std::uint8_t> bytes = {1};
  EXPECT_FALSE((*file)->Append(bytes).ok());
  EXPECT_FALSE((*file)->Sync().ok());
  EXPECT_FALSE((*file)->Close().ok());
}

TEST_P(FileEnvContract, RenameReplacesAndLeavesMappingsAlone) {
  Write("old", "old");
  Write("new", "new");
  auto mapped = env().Map(Path("old"));
  ASSERT_TRUE(env().Rename(Path("new"), Path("old")).ok());
  EXPECT_EQ(Read("old"), "new");
  EXPECT_FALSE(env().Exists(Path("new")).value());
  ASSERT_TRUE(env().Remove(Path("old")).ok());
  EXPECT_EQ((*mapped)->bytes()[0], 'o');
}

TEST_P(FileEnvContract, ReadGivesTheWholeFile) {
  Write("a", "text");
  const auto bytes = env().Read(Path("a")).value();
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "text");
  Write("empty", "");
  EXPECT_THAT(env().Read(Path("empty")).value(), IsEmpty());
}

TEST_P(FileEnvContract, WhatMakesANewNameNeverTakesOneThatIsThere) {
  Write("a", "a");
  Write("b", "b");
  ASSERT_TRUE(env().CreateDirectory(Path("d")).ok());
  for (const char* taken : {"b", "d"}) {
    for (const Status& status :
         {env().CreateNew(Path(taken), Access::kPrivate).status(),
          env().RenameNew(Path("a"), Path(taken)), env().Link(Path("a"), Path(taken))}) {
      EXPECT_EQ(status.code(), StatusCode::kAlreadyExists) << status.message();
      EXPECT_THAT(status.message(), HasSubstr(dir_));
    }
  }
  EXPECT_EQ(Read("a") + Read("b"), "ab");
  ASSERT_TRUE(env().Link(Path("a"), Path("c")).ok());
  ASSERT_TRUE(env().RenameNew(Path("a"), Path("e")).ok());
  EXPECT_TRUE(env().CreateNew(Path("a"), Access::kPrivate).ok());
  EXPECT_EQ(Read("a") + Read("c") + Read("e"), "aa");
}

TEST_P(FileEnvContract, RenamingOneNameOfAFileOverAnotherLeavesBoth) {
  Write("a", "a");
  ASSERT_TRUE(env().Link(Path("a"), Path("b")).ok());
  ASSERT_TRUE(env().Rename(Path("a"), Path("b")).ok());
  EXPECT_THAT(env().List(dir_).value(), ElementsAre("a", "b"));
}

TEST_P(FileEnvContract, ListGivesSortedNamesOfOneDirectory) {
  EXPECT_THAT(env().List(dir_).value(), IsEmpty());
  Write("b", "");
  Write("a\xff\n", "");
  ASSERT_TRUE(env().CreateDirectory(Path("c")).ok());
  Write("c/inner", "");
  EXPECT_THAT(env().List(dir_).value(), ElementsAre("a\xff\n", "b", "c"));
  EXPECT_THAT(env().List(Path("c/")).value(), ElementsAre("inner"));
}

TEST_P(FileEnvContract, CreateDirectoryIsOkWhenItIsThereButNotOverAFile) {
  EXPECT_TRUE(env().CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(env().CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(env().SyncDirectory(Path("d")).ok());
  EXPECT_TRUE(env().Exists(Path("d")).value());
  Write("file", "");
  EXPECT_EQ(env().CreateDirectory(Path("file")).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(env().CreateDirectory(Path("none/d")).code(), StatusCode::kNotFound);
}

TEST_P(FileEnvContract, AMissingNameIsNotFoundAndNamedInTheMessage) {
  const std::string path = Path("missing/x");
  const std::vector<Status> statuses = {env().Map(path).status(),
                                        env().Read(path).status(),
                                        env().Create(path).status(),
                                        env().CreateNew(path, Access::kShared).status(),
                                        env().Rename(path, Path("y")),
                                        env().RenameNew(path, Path("y")),
                                        env().Link(path, Path("y")),
                                        env().CopyMetadata(path, Path("y")).status(),
                                        env().Remove(path),
                                        env().SyncDirectory(path),
                                        env().List(path).status(),
                                        env().FileSize(path).status(),
                                        env().Lock(path, milliseconds(0)).status(),
                                        env().LockFile(path).status()};
  for (const Status& status : statuses) {
    EXPECT_EQ(status.code(), StatusCode::kNotFound) << status.message();
    EXPECT_THAT(status.message(), HasSubstr("missing"));
  }
  EXPECT_FALSE(env().Exists(path).value());
}

TEST_P(FileEnvContract, ADirectoryIsNotAFile) {
  EXPECT_EQ(env().Map(dir_).status().code(), StatusCode::kIoError);
  EXPECT_EQ(env().Read(dir_).status().code(), StatusCode::kIoError);
  EXPECT_EQ(env().LockFile(dir_).status().code(), StatusCode::kIoError);
  EXPECT_EQ(env().Create(dir_).status().code(), StatusCode::kIoError);
  EXPECT_EQ(env().FileSize(dir_).status().code(), StatusCode::kIoError);
  EXPECT_FALSE(env().Remove(dir_).ok());
}

TEST_P(FileEnvContract, ALockExcludesOthersUntilItIsDestroyed) {
  auto held = env().Lock(dir_, milliseconds(0));
  ASSERT_TRUE(held.ok()) << held.status().message();
  const auto refused = env().Lock(dir_, milliseconds(20));
  EXPECT_EQ(refused.status().code(), StatusCode::kBusy);
  EXPECT_EQ(refused.status().message(), dir_ + " is being written by another process");
  held.value().reset();
  EXPECT_TRUE(env().Lock(dir_, milliseconds(0)).ok());
  EXPECT_THAT(env().List(dir_).value(), IsEmpty());
}

TEST_P(FileEnvContract, AWaitingLockIsHadOnceTheHolderReleasesIt) {
  auto held = env().Lock(dir_, milliseconds(0));
  ASSERT_TRUE(held.ok());
  std::atomic<bool> had = false;
  std::thread waiting([&] { had = env().Lock(dir_, milliseconds(60'000)).ok(); });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(had);
  held.value().reset();
  waiting.join();
  EXPECT_TRUE(had);
}

TEST_P(FileEnvContract, ALockedFileIsBusyUntilTheLockIsDestroyed) {
  auto held = env().LockFile(Path("a"));
  ASSERT_TRUE(held.ok()) << held.status().message();
  EXPECT_EQ(env().FileSize(Path("a")).value(), 0) << "made, where there is none";
  const auto refused = env().LockFile(Path("a"));
  EXPECT_EQ(refused.status().code(), StatusCode::kBusy);
  EXPECT_EQ(refused.status().message(), Path("a") + " is being written by another process");
  Write("a", "text");
  EXPECT_EQ(env().LockFile(Path("a")).status().code(), StatusCode::kBusy);
  held.value().reset();
  EXPECT_TRUE(env().LockFile(Path("a")).ok());
  EXPECT_EQ(Read("a"), "text") << "a lock changes nothing";
}

TEST_P(FileEnvContract, AFilesLockGoesWithItsNewName) {
  auto held = env().LockFile(Path("a"));
  ASSERT_TRUE(env().Rename(Path("a"), Path("b")).ok());
  EXPECT_TRUE(env().LockFile(Path("a")).ok());
  EXPECT_EQ(env().LockFile(Path("b")).status().code(), StatusCode::kBusy);
}

INSTANTIATE_TEST_SUITE_P(AllEnvs, FileEnvContract,
                         testing::Values(Kind::kDisk, Kind::kMemory, Kind::kFaultWithoutFault),
                         [](const auto& info) {
                           switch (info.param) {
                             case Kind::kDisk:
                               return "Disk";
                             case Kind::kMemory:
                               return "Memory";
                             case Kind::kFaultWithoutFault:
                               break;
                           }
                           return "FaultWithoutFault";
                         });

}  // namespace
}  // namespace siftsearch
