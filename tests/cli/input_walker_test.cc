#include "cli/input_walker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace siftsearch::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class InputWalkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(::testing::TempDir()) /
        ("walk-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Touch(const std::string& name) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "x";
  }

  /// Paths below the folder, with "!" where there is a problem and "~" where passed over.
  std::vector<std::string> Walk(std::vector<std::string> arguments, std::istream* list = nullptr,
                                char separator = '\n') {
    for (std::string& argument : arguments) {
      if (argument != "-") argument = (folder_ / argument).string();
    }
    InputWalker walker(
        arguments,
        {.database = (folder_ / "db").string(), .list = list, .list_separator = separator});
    std::vector<std::string> seen;
    while (const auto input = walker.Next()) {
      const std::string mark = input->problem.ok() ? "" : input->ignored ? "~" : "!";
      seen.push_back(mark + fs::path(input->path).lexically_relative(folder_).string());
    }
    return seen;
  }

  fs::path folder_;
};

TEST_F(InputWalkerTest, WalksFoldersInOrderAndFilesAsGiven) {
  for (const char* name : {"f/b.jpg", "f/a/z.jpg", "f/a/y.jpg", "f/c.jpg", "g.jpg"}) Touch(name);
  EXPECT_THAT(Walk({"g.jpg", "f", "g.jpg"}),
              ElementsAre("g.jpg", "f/a/y.jpg", "f/a/z.jpg", "f/b.jpg", "f/c.jpg", "g.jpg"));
}

TEST_F(InputWalkerTest, AnEmptyFolderGivesNothing) {
  fs::create_directories(folder_ / "f");
  EXPECT_THAT(Walk({"f"}), IsEmpty());
}

TEST_F(InputWalkerTest, PassesOverHiddenEntriesLinkedFoldersAndTheDatabase) {
  for (const char* name : {"f/.git/x.jpg", "f/.x.jpg", "other/o.jpg", "db/d.jpg"}) Touch(name);
  fs::create_symlink(folder_ / "other", folder_ / "f/linked");
  fs::create_symlink(folder_ / "f", folder_ / "f/self");
  EXPECT_THAT(Walk({"f"}), ElementsAre("~f/.git", "~f/.x.jpg", "~f/linked", "~f/self"));
  EXPECT_THAT(Walk({"f/linked"}), ElementsAre("f/linked/o.jpg"));
  EXPECT_THAT(Walk({"db"}), ElementsAre("!db"));
}

TEST_F(InputWalkerTest, FollowsLinksToFilesAndNamesDeadOnes) {
  Touch("f/a.jpg");
  fs::create_symlink("a.jpg", folder_ / "f/b.jpg");
  fs::create_symlink("nothing.jpg", folder_ / "f/c.jpg");
  EXPECT_THAT(Walk({"f"}), ElementsAre("f/a.jpg", "f/b.jpg", "!f/c.jpg"));
}

TEST_F(InputWalkerTest, ReadsListsWhereTheDashStands) {
  for (const char* name : {"a.jpg", "b.jpg", "f/c.jpg", "line\nbreak.jpg"}) Touch(name);
  std::istringstream lines((folder_ / "b.jpg").string() + "\n\n" + (folder_ / "f").string());
  EXPECT_THAT(Walk({"-", "a.jpg"}, &lines), ElementsAre("b.jpg", "f/c.jpg", "a.jpg"));
  std::istringstream nulls((folder_ / "line\nbreak.jpg").string() + std::string(1, '\0'));
  EXPECT_THAT(Walk({"-"}, &nulls, '\0'), ElementsAre("line\nbreak.jpg"));
}

TEST_F(InputWalkerTest, CountsWhatItWillGive) {
  for (const char* name : {"f/a.jpg", "f/g/b.jpg", "f/.hidden"}) Touch(name);
  EXPECT_EQ(CountInputs({(folder_ / "f").string(), "/no/such"}, "db"), 4);
  EXPECT_EQ(CountInputs({"-"}, "db"), 0);
}

TEST(AbsolutePathTest, IsNormalAndHasNoSlashAtItsEnd) {
  EXPECT_EQ(AbsolutePath("/a/./b/../c//d/"), "/a/c/d");
  EXPECT_EQ(AbsolutePath("/"), "/");
  EXPECT_EQ(AbsolutePath("x"), fs::current_path().string() + "/x");
}

}  // namespace
}  // namespace siftsearch::cli
