#include "env/place_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "support/fault_env.h"
#include "support/memory_env.h"

namespace siftsearch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kPicture = "the bytes of a picture";
const std::string kOther = "another file";

std::span<const std::uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const ContentHash kHash = Sha256(BytesOf(kPicture));

void WriteDurably(FileEnv& env, const std::string& path, const std::string& text) {
  const auto file = env.Create(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_TRUE((*file)->Append(BytesOf(text)).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  ASSERT_TRUE((*file)->Close().ok());
  ASSERT_TRUE(env.SyncDirectory(DirectoryOf(path)).ok());
}

std::string TextOf(FileEnv& env, const std::string& path) {
  const auto bytes = env.Read(path);
  return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : "";
}

/// One thing done to a file: what it starts from and what it may come to.
struct Deed {
  const char* name;
  bool across;  ///< in/ and out/ are two file systems.
  bool linked;  ///< in/a and in/original are one file.
  std::function<Status(FileEnv&)> act;
  std::vector<std::string> in_after;
  std::vector<std::string> out_after;
};

Status Move(FileEnv& env) { return MoveFile(env, "in/a", "out/a", kHash).status(); }

const Deed kDeeds[] = {
    {"Move", false, false, Move, {"original"}, {"a", "other"}},
    {"MoveAcross", true, false, Move, {"original"}, {"a", "other"}},
    {"Link",
     false,
     false,
     [](FileEnv& env) { return ReplaceByLink(env, "in/a", "in/original"); },
     {"a", "original"},
     {"other"}},
    {"Copy",
     false,
     true,
     [](FileEnv& env) { return ReplaceByCopy(env, "in/a", kHash).status(); },
     {"a", "original"},
     {"other"}},
    {"Remove",
     false,
     false,
     [](FileEnv& env) { return RemoveDurably(env, "in/a"); },
     {"original"},
     {"other"}},
};

class PlaceFile : public testing::TestWithParam<Deed> {
 protected:
  /// in/a and in/original hold the picture, out/other another file.
  static std::unique_ptr<MemoryEnv> Start() {
    auto env = std::make_unique<MemoryEnv>();
    for (const char* folder : {"in", "out"}) EXPECT_TRUE(env->CreateDirectory(folder).ok());
    EXPECT_TRUE(env->SyncDirectory(".").ok());
    if (GetParam().across) env->Mount("out");
    WriteDurably(*env, "in/original", kPicture);
    if (GetParam().linked) {
      EXPECT_TRUE(env->Link("in/original", "in/a").ok());
      EXPECT_TRUE(env->SyncDirectory("in").ok());
    } else {
      WriteDurably(*env, "in/a", kPicture);
    }
    WriteDurably(*env, "out/other", kOther);
    return env;
  }

  /// Nothing that is there has changed, and the picture that the deed is about is whole.
  static void ExpectWhole(FileEnv& env, const std::string& when) {
    EXPECT_EQ(TextOf(env, "in/original"), kPicture) << when;
    EXPECT_EQ(TextOf(env, "out/other"), kOther) << when;
    if (std::string(GetParam().name) == "Remove") return;
    const std::string here = TextOf(env, "in/a"), there = TextOf(env, "out/a");
    EXPECT_TRUE(here == kPicture || there == kPicture) << when;
    EXPECT_THAT(here, testing::AnyOf("", kPicture)) << when;
    EXPECT_THAT(there, testing::AnyOf("", kPicture)) << when;
  }

  static void ExpectNothingElse(FileEnv& env, const std::string& when) {
    EXPECT_THAT(env.List("in").value(), testing::IsSubsetOf({"a", "original"})) << when;
    EXPECT_THAT(env.List("out").value(), testing::IsSubsetOf({"a", "other"})) << when;
  }
};

TEST_P(PlaceFile, DoesItDurably) {
  const auto env = Start();
  ASSERT_TRUE(GetParam().act(*env).ok());
  for (int crash = 0; crash < 2; ++crash) {
    EXPECT_EQ(env->List("in").value(), GetParam().in_after);
    EXPECT_EQ(env->List("out").value(), GetParam().out_after);
    ExpectWhole(*env, "done");
    env->Crash();
  }
}

TEST_P(PlaceFile, AnyCallThatFailsLeavesThePictureWholeAndNothingElse) {
  bool failed = true;
  int calls = 0;
  for (; failed; ++calls) {
    const auto env = Start();
    FaultEnv fault(*env);
    fault.Arm({.first = calls, .tear = true});
    failed = !GetParam().act(fault).ok();
    const std::string when = "call " + std::to_string(calls) + " fails";
    ExpectWhole(*env, when);
    ExpectNothingElse(*env, when);
    env->Crash();
    ExpectWhole(*env, when + ", then the power");
    ASSERT_LT(calls, 100);
  }
  EXPECT_GE(calls, 3);
}

TEST_P(PlaceFile, ADiskThatGoesAwayAtAnyCallLeavesThePictureWhole) {
  bool failed = true;
  for (int calls = 0; failed; ++calls) {
    const auto env = Start();
    FaultEnv fault(*env);
    fault.Arm({.first = calls, .count = FaultEnv::kAllLater, .tear = true});
    failed = !GetParam().act(fault).ok();
    ExpectWhole(*env, "all from call " + std::to_string(calls) + " fail");
    env->Crash();
    ExpectWhole(*env, "all from call " + std::to_string(calls) + " fail, then the power");
    ASSERT_LT(calls, 100);
  }
}

INSTANTIATE_TEST_SUITE_P(AllDeeds, PlaceFile, testing::ValuesIn(kDeeds),
                         [](const auto& info) { return info.param.name; });

TEST(MoveFileTest, NeverTakesATakenNameNorAnotherContent) {
  for (const bool across : {false, true}) {
    MemoryEnv env;
    for (const char* folder : {"in", "out"}) ASSERT_TRUE(env.CreateDirectory(folder).ok());
    if (across) env.Mount("out");
    WriteDurably(env, "in/a", kPicture);
    WriteDurably(env, "out/a", kOther);
    const Status taken = MoveFile(env, "in/a", "out/a", kHash).status();
    EXPECT_EQ(taken.code(), StatusCode::kAlreadyExists) << taken.message();
    EXPECT_THAT(taken.message(), HasSubstr("out/a"));
    EXPECT_EQ(TextOf(env, "out/a"), kOther);
    EXPECT_EQ(env.List("out")->size(), 1u);
    EXPECT_EQ(TextOf(env, "in/a"), kPicture);
  }
  MemoryEnv env;
  for (const char* folder : {"in", "out"}) ASSERT_TRUE(env.CreateDirectory(folder).ok());
  env.Mount("out");
  WriteDurably(env, "in/a", kOther);
  EXPECT_EQ(Move(env).code(), StatusCode::kCorrupt);
  EXPECT_THAT(env.List("out").value(), IsEmpty());
}

TEST(ReplaceByLinkTest, OfOneFileLeavesBothNamesAndNoOther) {
  MemoryEnv env;
  WriteDurably(env, "a", kPicture);
  ASSERT_TRUE(env.Link("a", "b").ok());
  ASSERT_TRUE(ReplaceByLink(env, "b", "a").ok());
  EXPECT_THAT(env.List(".").value(), ElementsAre("a", "b"));
}

TEST(MakeDirectoriesTest, MakesWhatIsMissingDurably) {
  MemoryEnv env;
  ASSERT_TRUE(MakeDirectories(env, "a/b/c").ok());
  ASSERT_TRUE(MakeDirectories(env, "a/b").ok());
  env.Crash();
  EXPECT_TRUE(env.Exists("a/b/c").value());
  WriteDurably(env, "a/file", kOther);
  EXPECT_EQ(MakeDirectories(env, "a/file").code(), StatusCode::kAlreadyExists);
  EXPECT_FALSE(MakeDirectories(env, "a/file/b").ok());
}

/// Two folders on two real file systems.
class AcrossDevices : public testing::Test {
 protected:
  void SetUp() override {
    in_ = testing::TempDir() + "siftsearch-XXXXXX";
    out_ = "/dev/shm/siftsearch-XXXXXX";
    ASSERT_NE(::mkdtemp(in_.data()), nullptr);
    if (::mkdtemp(out_.data()) == nullptr) GTEST_SKIP() << "no folder can be made in /dev/shm";
    struct stat in, out;
    ASSERT_EQ(::stat(in_.c_str(), &in) + ::stat(out_.c_str(), &out), 0);
    if (in.st_dev == out.st_dev) GTEST_SKIP() << in_ << " and " << out_ << " are on one device";
    WriteDurably(DiskEnv(), in_ + "/a", kPicture);
    ASSERT_EQ(::chmod((in_ + "/a").c_str(), 0640), 0);
    std::filesystem::last_write_time(in_ + "/a", kModified);
  }
  void TearDown() override {
    std::filesystem::remove_all(in_);
    std::filesystem::remove_all(out_);
  }

  const std::filesystem::file_time_type kModified{std::chrono::hours(-24 * 365)};
  std::string in_, out_;
};

TEST_F(AcrossDevices, AFileIsMovedWithItsTimeAndPermissions) {
  const auto moved = MoveFile(DiskEnv(), in_ + "/a", out_ + "/b", kHash);
  ASSERT_TRUE(moved.ok()) << moved.status().message();
  EXPECT_EQ(TextOf(DiskEnv(), out_ + "/b"), kPicture);
  EXPECT_THAT(DiskEnv().List(in_).value(), IsEmpty());
  EXPECT_THAT(DiskEnv().List(out_).value(), ElementsAre("b"));
  EXPECT_EQ(std::filesystem::last_write_time(out_ + "/b"), kModified);
  EXPECT_EQ(std::filesystem::status(out_ + "/b").permissions(), std::filesystem::perms(0640));
}

TEST_F(AcrossDevices, AnyCallThatFailsLeavesItWholeAndNothingElse) {
  bool failed = true;
  int calls = 0;
  for (; failed; ++calls) {
    FaultEnv fault(DiskEnv());
    fault.Arm({.first = calls, .tear = true});
    const auto moved = MoveFile(fault, in_ + "/a", out_ + "/a", kHash);
    failed = !moved.ok();
    const bool here = std::filesystem::exists(in_ + "/a");
    const bool there = std::filesystem::exists(out_ + "/a");
    EXPECT_NE(here, there) << "call " << calls;
    EXPECT_EQ(TextOf(DiskEnv(), (here ? in_ : out_) + "/a"), kPicture) << "call " << calls;
    EXPECT_EQ(DiskEnv().List(in_)->size() + DiskEnv().List(out_)->size(), 1u) << "call " << calls;
    if (failed && there) {  // Only the sync after the last step failed.
      std::filesystem::remove(out_ + "/a");
      WriteDurably(DiskEnv(), in_ + "/a", kPicture);
    }
    ASSERT_LT(calls, 100);
  }
  EXPECT_GE(calls, 10);
}

TEST_F(AcrossDevices, NothingIsMovedOverAnything) {
  WriteDurably(DiskEnv(), out_ + "/a", kOther);
  EXPECT_EQ(MoveFile(DiskEnv(), in_ + "/a", out_ + "/a", kHash).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(TextOf(DiskEnv(), out_ + "/a"), kOther);
  EXPECT_EQ(TextOf(DiskEnv(), in_ + "/a"), kPicture);
  EXPECT_EQ(DiskEnv().List(out_)->size(), 1u);
}

}  // namespace
}  // namespace siftsearch
