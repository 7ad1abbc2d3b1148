#include "engine/group_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "image/decode.h"

namespace siftsearch::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class GroupReportTest : public testing::Test {
 protected:
  GroupReportTest() {
    folder_ = fs::path(testing::TempDir()) / ("group_report_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    picture_ = {200, 100, {}};
    for (int i = 0; i < 200 * 100; ++i) {
      // Coloured, with some contrast.
      for (const int value : {40 + i % 97, 60 + i % 83, 20 + (i / 200) % 71}) {
        picture_.pixels.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  ~GroupReportTest() override { fs::remove_all(folder_); }

  ImageRecord Write(const std::string& name, const image::RgbImage& picture,
                    std::string_view format, int quality = 95) {
    const auto bytes = image::Encode(picture, format, quality);
    EXPECT_TRUE(bytes.ok());
    ImageRecord image;
    image.path = (folder_ / name).string();
    image.width = picture.width;
    image.height = picture.height;
    image.file_bytes = static_cast<std::int64_t>(bytes->size());
    image.hash[0] = static_cast<std::uint8_t>(++written_);
    image.modified_ns = written_ * 1'000'000'000'000;
    std::ofstream(image.path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes->data()),
               static_cast<std::streamsize>(bytes->size()));
    return image;
  }

  /// All of `query` in the box of `image` that begins at (x, y), `scale` times as large there.
  static ReportPair Pair(const ImageRecord& query, const ImageRecord& image, double x = 0,
                         double y = 0, double scale = 1) {
    ReportPair pair{query, {}};
    pair.match.image = image;
    pair.match.copy = true;
    pair.match.score = 0.9;
    pair.match.image_from_query = {scale, 0, x, 0, scale, y, 0, 0, 1};
    pair.match.query_box = {-0.5, -0.5, 1.0 * query.width, 1.0 * query.height};
    pair.match.query_overlap_percent = 100;
    pair.match.image_overlap_percent =
        100 * query.width * query.height * scale * scale / (image.width * image.height);
    pair.match.relation = pair.match.image_overlap_percent > 95 ? "same picture" : "crop of";
    return pair;
  }

  static std::string RelationOf(const GroupReport& group, const ImageRecord& image) {
    for (const GroupMember& member : group.members) {
      if (member.image.path == image.path) return member.relation;
      for (std::size_t i = 0; i < member.equal_files.size(); ++i) {
        if (member.equal_files[i].path == image.path) return member.equal_relations.at(i);
      }
    }
    return "missing";
  }

  image::RgbImage Changed(int added, int percent, bool grey) const {
    image::RgbImage changed = picture_;
    for (std::size_t i = 0; i < changed.pixels.size(); ++i) {
      const int value = grey ? picture_.pixels[i - i % 3] : picture_.pixels[i];
      changed.pixels[i] =
          static_cast<std::uint8_t>(std::clamp(value * percent / 100 + added, 0, 255));
    }
    return changed;
  }

  fs::path folder_;
  image::RgbImage picture_;
  int written_ = 0;
};

TEST_F(GroupReportTest, TheFilesSayWhatGeometryCannot) {
  const auto original = Write("original.png", picture_, "png");
  const auto same = Write("same.bmp.png", picture_, "png");
  const auto poor = Write("poor.jpg", picture_, "jpeg", 30);
  const auto light = Write("light.png", Changed(60, 100, false), "png");
  const auto strong = Write("strong.png", Changed(-70, 200, false), "png");
  const auto grey = Write("grey.png", Changed(0, 100, true), "png");
  const auto group =
      DescribeGroup({Pair(same, original), Pair(poor, original), Pair(light, original),
                     Pair(strong, original), Pair(grey, original)},
                    {}, 2);
  EXPECT_EQ(group.members.front().image.path, original.path);
  EXPECT_THAT(RelationOf(group, original), HasSubstr("probably the original: oldest"));
  EXPECT_EQ(RelationOf(group, same), "identical pixels, other file");
  EXPECT_THAT(RelationOf(group, poor), HasSubstr("JPEG quality about 30"));
  EXPECT_THAT(RelationOf(group, light), HasSubstr("same picture, brighter"));
  EXPECT_THAT(RelationOf(group, strong), HasSubstr("more contrast"));
  EXPECT_THAT(RelationOf(group, grey), HasSubstr("grey"));
}

TEST_F(GroupReportTest, TheWholeIsTheOriginalOfItsCrops) {
  image::RgbImage small{80, 60, {}};
  small.pixels.assign(80 * 60 * 3, 90);
  const auto crop = Write("crop.png", small, "png");  // Older than the whole.
  const auto whole = Write("whole.png", picture_, "png");
  const auto group = DescribeGroup({Pair(crop, whole, 30, 20)}, {}, 1);
  EXPECT_EQ(group.members.front().image.path, whole.path);
  EXPECT_THAT(RelationOf(group, whole), HasSubstr("1 of the others is cut from it"));
}

TEST_F(GroupReportTest, APictureThatShowsAReducedPartIsNotWhatItWasCutFrom) {
  const auto part = Write("part.png", picture_, "png");
  image::RgbImage large{400, 300, {}};
  large.pixels.assign(400 * 300 * 3, 90);
  const auto container = Write("container.png", large, "png");
  const auto group = DescribeGroup({Pair(part, container, 30, 20, 0.4)}, {}, 1);
  EXPECT_EQ(group.members.front().image.path, part.path);
  EXPECT_THAT(RelationOf(group, part), HasSubstr("shows the shared content largest"));
  EXPECT_THAT(RelationOf(group, container), HasSubstr("contains it"));
}

TEST_F(GroupReportTest, ACollageIsNotTheOriginal) {
  const auto part = Write("part.png", picture_, "png");
  image::RgbImage large{400, 300, {}};
  large.pixels.assign(400 * 300 * 3, 90);
  const auto collage = Write("collage.png", large, "png");
  const auto thumbnail = Write("thumbnail.png", picture_, "png");
  ReportPair pair = Pair(part, collage, 30, 20, 0.4);
  ReportPair other = Pair(thumbnail, collage, 30, 20, 2);
  EXPECT_EQ(DescribeGroup({pair, other}, {}, 1).members.front().image.path, collage.path);
  pair.image_in_parts = other.image_in_parts = true;
  EXPECT_EQ(DescribeGroup({pair, other}, {}, 1).members.front().image.path, part.path);
}

TEST_F(GroupReportTest, WhatIsPutTogetherIsNeverTheOriginalOfAPart) {
  const auto part = Write("part.png", picture_, "png");
  image::RgbImage large{400, 300, {}};
  large.pixels.assign(400 * 300 * 3, 90);
  const auto composite = Write("composite.png", large, "png");
  for (const double scale : {0.3, 0.7, 1.0}) {
    ReportPair pair = Pair(part, composite, 30, 20, scale);
    pair.image_in_parts = true;
    const auto group = DescribeGroup({pair}, {}, 1);
    EXPECT_EQ(group.members.front().image.path, part.path) << scale;
    EXPECT_EQ(
        RelationOf(group, part),
        "probably the original: the other is put together from several pictures or covered in "
        "part");
  }
}

TEST_F(GroupReportTest, TheWeakestLinkIsThatOfTheBestTree) {
  const auto a = Write("a.png", picture_, "png"), b = Write("b.png", picture_, "png");
  const auto c = Write("c.png", picture_, "png");
  auto weak = Pair(a, c), strong = Pair(a, b), middle = Pair(b, c);
  weak.match.score = 0.55;
  strong.match.score = 0.99;
  middle.match.score = 0.8;
  EXPECT_EQ(DescribeGroup({weak, strong, middle}, {}, 1).weakest, 0.8);
}

TEST_F(GroupReportTest, FilesOfEqualBytesAreOneMember) {
  const auto crop = Write("crop.png", Changed(30, 100, false), "png");
  std::vector<ImageRecord> equal;
  for (const char* name : {"d.png", "c.png", "b.png", "a.png"}) {
    equal.push_back(Write(name, picture_, "png"));
    equal.back().hash = equal.front().hash;
  }
  fs::remove(equal[0].path);  // The oldest.
  std::vector<ReportPair> pairs = {Pair(crop, equal[3])};
  for (int i = 0; i < 3; ++i) pairs.push_back(Pair(equal[i], equal[3]));
  const auto group = DescribeGroup(pairs, {}, 2);
  ASSERT_EQ(group.members.size(), 2u);
  EXPECT_EQ(group.weakest, 0.9);
  const auto& member = group.members[group.members[0].image.path == crop.path];
  EXPECT_EQ(member.image.path, equal[1].path);
  std::vector<std::string> others;
  for (const ImageRecord& file : member.equal_files) others.push_back(file.path);
  EXPECT_EQ(others, (std::vector{equal[0].path, equal[2].path, equal[3].path}));
  // Alone they are a group of one member.
  pairs.erase(pairs.begin());
  const auto alone = DescribeGroup(pairs, {}, 1);
  ASSERT_EQ(alone.members.size(), 1u);
  EXPECT_TRUE(alone.members[0].original);
  EXPECT_EQ(alone.members[0].equal_files.size(), 3u);
  // The one that was asked about stands for the others.
  const auto asked = DescribeGroup(pairs, {}, 1, equal[2].path);
  EXPECT_EQ(asked.members[0].image.path, equal[2].path);
}

TEST_F(GroupReportTest, OfAnEditedReportTheLinkMayBeMissing) {
  auto one = Write("one.png", picture_, "png"), twin = Write("twin.png", picture_, "png");
  twin.hash = one.hash;
  const auto a = Write("a.png", Changed(30, 100, false), "png");
  const auto b = Write("b.png", Changed(60, 100, false), "png");
  EXPECT_EQ(DescribeGroup({Pair(one, twin), Pair(a, b)}, {}, 1).members.size(), 3u);
}

TEST_F(GroupReportTest, AFileThatIsGoneIsNotTheOriginal) {
  auto gone = Write("gone.png", picture_, "png");  // The oldest, and the largest.
  gone.width *= 2;
  const auto copy = Write("copy.png", picture_, "png");
  fs::remove(gone.path);
  const auto group = DescribeGroup({Pair(copy, gone)}, {}, 1);
  EXPECT_EQ(group.members.front().image.path, copy.path);
  EXPECT_THAT(RelationOf(group, copy), HasSubstr("the file of the other is gone"));
  EXPECT_THAT(RelationOf(group, gone), HasSubstr(", its file is gone"));
  EXPECT_TRUE(group.members.back().look.gone);
  EXPECT_EQ(group.members.back().look.problem, "there is no such file");
  fs::remove(copy.path);
  EXPECT_EQ(RelationOf(DescribeGroup({Pair(copy, gone)}, {}, 1), gone),
            "its file is gone, as are those of the others");
}

TEST_F(GroupReportTest, AFileThatIsOnlyUnreadableIsNotGone) {
  const auto original = Write("original.png", picture_, "png");
  std::ofstream(original.path) << "no picture";
  const auto copy = Write("copy.png", picture_, "png");
  auto page = copy;
  page.path = "https://example.org/picture.png";
  const auto group = DescribeGroup({Pair(copy, original), Pair(page, copy)}, {}, 1);
  for (const GroupMember& member : group.members) EXPECT_FALSE(member.look.gone);
}

TEST_F(GroupReportTest, TwoPathsToOneFileAreTheSameFile) {
  const auto original = Write("original.png", picture_, "png");
  auto linked = original, hard = original, copy = original;
  linked.path = (folder_ / "soft.png").string();
  hard.path = (folder_ / "hard.png").string();
  copy.path = (folder_ / "copy.png").string();
  fs::create_symlink("original.png", linked.path);
  fs::copy_file(original.path, copy.path);
  const auto group =
      DescribeGroup({Pair(linked, original), Pair(copy, original)}, {}, 1, original.path);
  EXPECT_EQ(RelationOf(group, linked), "same file");
  EXPECT_EQ(RelationOf(group, copy), "identical file");
  fs::create_hard_link(original.path, hard.path);
  EXPECT_EQ(RelationOf(DescribeGroup({Pair(hard, original)}, {}, 1, original.path), hard),
            "same file (hard link)");
}

}  // namespace
}  // namespace siftsearch::engine
