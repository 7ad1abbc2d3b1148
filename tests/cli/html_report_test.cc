#include "cli/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace siftsearch::cli {
namespace {

namespace fs = std::filesystem;
using testing::SizeIs;

const std::vector<std::uint8_t> kJpeg = {1, 2, 3};

class PictureFolderTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(root_.data()), nullptr); }
  void TearDown() override { fs::remove_all(root_); }

  std::string page(const std::string& name = "r.html") const { return root_ + "/" + name; }
  /// All files, from the root.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (!entry.is_directory()) files.insert(fs::relative(entry.path(), root_));
    }
    return files;
  }
  /// Makes a page's pictures, and keeps them; gives their paths.
  std::set<std::string> Keep(int pictures, const std::string& name = "r.html") const {
    std::set<std::string> paths;
    PictureFolder folder(page(name));
    for (int i = 0; i < pictures; ++i) paths.insert(folder.Add(kJpeg).value());
    EXPECT_TRUE(folder.Sync().ok());
    folder.Keep();
    return paths;
  }

  std::string root_ = testing::TempDir() + "siftsearch-XXXXXX";
};

TEST_F(PictureFolderTest, EachPageHasItsOwnPicturesOnly) {
  const std::set<std::string> first = Keep(3);
  EXPECT_THAT(first, SizeIs(3));
  EXPECT_EQ(Files(), first);
  const std::set<std::string> second = Keep(2);
  EXPECT_THAT(second, SizeIs(2));
  EXPECT_EQ(Files(), second) << "those of the earlier page are gone";
  const std::set<std::string> other = Keep(1, "r.htm");
  EXPECT_THAT(Files(), SizeIs(3)) << "another page's stay";
  Keep(0);
  EXPECT_EQ(Files(), other);
  Keep(0, "r.htm");
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(PictureFolderTest, APageWithoutItsNameLeavesThoseOfTheEarlierOne) {
  const std::set<std::string> first = Keep(2);
  {
    PictureFolder stopped(page());
    ASSERT_TRUE(stopped.Add(kJpeg).ok());
    EXPECT_THAT(Files(), SizeIs(3));
  }
  EXPECT_EQ(Files(), first);
}

TEST_F(PictureFolderTest, FilesOfOthersStay) {
  const std::set<std::string> others = {
      "r_pictures/000001.jpg", "r_pictures/r.html-notes/000001.jpg",
      "r_pictures/r.html-0123abcd/notes.txt", "r_pictures/r.html-0123abcg/000001.jpg"};
  for (const std::string& other : others) {
    fs::create_directories(fs::path(root_ + "/" + other).parent_path());
    std::ofstream(root_ + "/" + other) << "precious";
  }
  Keep(2);
  Keep(0);
  EXPECT_EQ(Files(), others);
}

}  // namespace
}  // namespace siftsearch::cli
