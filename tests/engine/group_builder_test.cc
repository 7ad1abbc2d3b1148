#include "engine/group_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>

namespace siftsearch::engine {
namespace {

const Box kAll{-0.5, -0.5, 100, 100};
const Box kLeft{-0.5, -0.5, 50, 100};
const Box kRight{49.5, -0.5, 50, 100};
const Box kMiddle{19.5, 19.5, 60, 60};

ReportPair Pair(const std::string& query, const Box& query_box, const std::string& image,
                const Box& image_box, double score = 0.9) {
  ReportPair pair;
  pair.query.path = query;
  pair.query.width = pair.query.height = 100;
  pair.match.image = pair.query;
  pair.match.image.path = image;
  pair.match.query_box = query_box;
  pair.match.image_box = image_box;
  pair.match.score = score;
  pair.match.copy = true;
  return pair;
}

using Groups = std::set<std::set<std::string>>;

void Group(std::vector<ReportPair> pairs, GroupBuilder& builder) {
  std::sort(pairs.begin(), pairs.end(), [](const ReportPair& a, const ReportPair& b) {
    return std::tie(b.match.score, a.query.path, a.match.image.path) <
           std::tie(a.match.score, b.query.path, b.match.image.path);
  });
  for (const ReportPair& pair : pairs) builder.Look(pair);
  for (const ReportPair& pair : pairs) builder.Weigh(pair);
  for (const ReportPair& pair : pairs) builder.Answer(pair);
  for (const ReportPair& pair : pairs) builder.Join(pair);
  builder.Settle();
}

/// The groups as sets of names; pairs that are bridges join none.
Groups GroupsOf(const std::vector<ReportPair>& pairs) {
  GroupBuilder builder;
  Group(pairs, builder);
  std::map<std::size_t, std::set<std::string>> groups;
  for (const ReportPair& pair : pairs) {
    if (const auto group = builder.GroupOf(pair)) {
      groups[*group].insert({pair.query.path, pair.match.image.path});
    }
  }
  Groups sets;
  for (const auto& [number, names] : groups) sets.insert(names);
  return sets;
}

TEST(GroupBuilderTest, CopiesOfCopiesAreOneGroup) {
  EXPECT_EQ(GroupsOf({Pair("a", kAll, "b", kAll), Pair("b", kAll, "c", kMiddle)}),
            (Groups{{"a", "b", "c"}}));
}

TEST(GroupBuilderTest, FilesOfEqualBytesAreOnePicture) {
  const auto with_bytes = [](ReportPair pair) {
    pair.query.hash[0] = static_cast<std::uint8_t>(pair.query.path[0]);
    pair.match.image.hash[0] = static_cast<std::uint8_t>(pair.match.image.path[0]);
    return pair;
  };
  std::vector<ReportPair> pairs = {with_bytes(Pair("a1", kAll, "b1", kAll))};
  for (const char* number : {"2", "3", "4"}) {
    for (const std::string bytes : {"a", "b"}) {
      pairs.push_back(with_bytes(Pair(bytes + number, kAll, bytes + "1", kAll, 1)));
    }
  }
  // One pair links four files with four others: of pictures that differ it would be a bridge.
  EXPECT_EQ(GroupsOf(pairs), (Groups{{"a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4"}}));
}

TEST(GroupBuilderTest, ACollageDoesNotJoinWhatItIsMadeOf) {
  EXPECT_EQ(GroupsOf({Pair("collage", kLeft, "a", kAll), Pair("collage", kRight, "b", kAll),
                      Pair("a", kAll, "a2", kAll), Pair("b", kAll, "b2", kAll)}),
            (Groups{{"collage", "a", "a2"}, {"collage", "b", "b2"}}));
}

TEST(GroupBuilderTest, ACollageAndItsCopyAreAGroupOfTheirOwn) {
  EXPECT_EQ(GroupsOf({Pair("collage", kLeft, "a", kAll), Pair("collage", kRight, "b", kAll),
                      Pair("collage", kAll, "same", kAll)}),
            (Groups{{"collage", "a"}, {"collage", "b"}, {"collage", "same"}}));
}

TEST(GroupBuilderTest, CropsOfOnePlaceAreInTheGroupOfTheWhole) {
  const Box tight{29.5, 29.5, 40, 40};
  EXPECT_EQ(GroupsOf({Pair("crop", kAll, "a", kMiddle), Pair("a", kAll, "same", kAll),
                      Pair("crop", kAll, "same", kMiddle), Pair("tighter", kAll, "a", tight),
                      Pair("tighter", kAll, "same", tight),
                      Pair("tighter", kAll, "crop", {16.2, 16.2, 66, 66})}),
            (Groups{{"crop", "a", "same", "tighter"}}));
}

std::vector<ReportPair> TwoDenseGroups() {
  std::vector<ReportPair> pairs;
  for (const char* group : {"x", "y"}) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < i; ++j) {
        pairs.push_back(
            Pair(group + std::to_string(i), kAll, group + std::to_string(j), kAll, 0.99));
      }
    }
  }
  return pairs;
}

TEST(GroupBuilderTest, OneLinkBetweenDenseGroupsIsABridge) {
  auto pairs = TwoDenseGroups();
  pairs.push_back(Pair("x0", kAll, "y0", kAll, 0.6));
  EXPECT_EQ(GroupsOf(pairs), (Groups{{"x0", "x1", "x2", "x3"}, {"y0", "y1", "y2", "y3"}}));
  // A second one from the same picture is no better.
  pairs.push_back(Pair("x0", kAll, "y1", kAll, 0.6));
  EXPECT_EQ(GroupsOf(pairs).size(), 2u);
}

TEST(GroupBuilderTest, IndependentLinksJoinDenseGroups) {
  auto pairs = TwoDenseGroups();
  pairs.push_back(Pair("x0", kAll, "y0", kAll, 0.6));
  pairs.push_back(Pair("x1", kAll, "y1", kAll, 0.6));
  EXPECT_EQ(GroupsOf(pairs).size(), 1u);
}

TEST(GroupBuilderTest, LinksThatAreApartFromEachOtherJoinTooWhenBothTouchTheFirst) {
  auto pairs = TwoDenseGroups();
  pairs.push_back(Pair("x0", kAll, "y0", kAll, 0.7));
  pairs.push_back(Pair("x0", kAll, "y1", kAll, 0.6));
  EXPECT_EQ(GroupsOf(pairs).size(), 2u);
  pairs.push_back(Pair("x1", kAll, "y0", kAll, 0.55));
  EXPECT_EQ(GroupsOf(pairs).size(), 1u);
}

TEST(GroupBuilderTest, TheOrderOfTheInputChangesNothing) {
  auto pairs = TwoDenseGroups();
  pairs.push_back(Pair("x0", kAll, "y0", kAll, 0.6));
  pairs.push_back(Pair("collage", kLeft, "x3", kAll, 0.8));
  pairs.push_back(Pair("collage", kRight, "y3", kAll, 0.8));
  const Groups groups = GroupsOf(pairs);
  std::mt19937 random(3);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(pairs.begin(), pairs.end(), random);
    EXPECT_EQ(GroupsOf(pairs), groups);
  }
}

/// Pairs of generated pictures: a picture is a list of the sources that it shows, each in a box,
/// the later ones over the earlier. Two pictures are a pair where they show 64 points of one source
/// or more; all points of the pair are those that both show.
class Scenes {
 public:
  struct Shown {
    int source;
    Box from;  ///< Of the source, whose sides are 1.
    Box to;    ///< Of the picture, whose sides are 100.
  };

  void Add(const std::string& name, std::vector<Shown> shown) {
    for (const auto& [other, others] : pictures_) AddPair(name, shown, other, others);
    pictures_.emplace_back(name, std::move(shown));
  }

  const std::vector<ReportPair>& pairs() const { return pairs_; }

  /// The one source that a picture shows, or −1.
  int SourceOf(const std::string& name) const {
    for (const auto& [known, shown] : pictures_) {
      if (known == name && shown.size() == 1) return shown[0].source;
    }
    return -1;
  }

 private:
  static constexpr int kGrid = 24;

  static bool Holds(const Box& box, Point p) {
    return p.x >= box.x && p.x < box.x + box.width && p.y >= box.y && p.y < box.y + box.height;
  }

  /// Where a picture shows a point of its layer, if nothing lies over it.
  static std::optional<Point> Place(const std::vector<Shown>& shown, std::size_t layer, Point p) {
    const Shown& s = shown[layer];
    if (!Holds(s.from, p)) return std::nullopt;
    const Point at{s.to.x + (p.x - s.from.x) / s.from.width * s.to.width,
                   s.to.y + (p.y - s.from.y) / s.from.height * s.to.height};
    for (std::size_t over = layer + 1; over < shown.size(); ++over) {
      if (Holds(shown[over].to, at)) return std::nullopt;
    }
    return at;
  }

  static Box Around(const std::vector<std::pair<Point, Point>>& points, bool query) {
    Box box{1e9, 1e9, -1e9, -1e9};
    for (const auto& [q, i] : points) {
      const Point& p = query ? q : i;
      box = {std::min(box.x, p.x), std::min(box.y, p.y), std::max(box.width, p.x),
             std::max(box.height, p.y)};
    }
    return {box.x - 1, box.y - 1, box.width - box.x + 2, box.height - box.y + 2};
  }

  void AddPair(const std::string& query, const std::vector<Shown>& ours, const std::string& image,
               const std::vector<Shown>& theirs) {
    std::vector<std::pair<Point, Point>> best;
    for (std::size_t a = 0; a < ours.size(); ++a) {
      for (std::size_t b = 0; b < theirs.size(); ++b) {
        if (ours[a].source != theirs[b].source) continue;
        std::vector<std::pair<Point, Point>> points;
        for (int i = 0; i < kGrid * kGrid; ++i) {
          const Point p{(i % kGrid + 0.5) / kGrid, (i / kGrid + 0.5) / kGrid};
          const auto here = Place(ours, a, p), there = Place(theirs, b, p);
          if (here && there) points.emplace_back(*here, *there);
        }
        if (points.size() > best.size()) best = std::move(points);
      }
    }
    if (best.size() < 64) return;
    ReportPair pair = Pair(query, Around(best, true), image, Around(best, false));
    // A report keeps 40 of them.
    for (std::size_t i = 0; i < 40; ++i) {
      pair.match.inlier_points.push_back(best[i * best.size() / 40]);
    }
    pair.match.score = 0.5 + static_cast<double>(best.size() % 97) / 200;
    pairs_.push_back(pair);
  }

  std::vector<std::pair<std::string, std::vector<Shown>>> pictures_;
  std::vector<ReportPair> pairs_;
};

constexpr Box kSource{0, 0, 1, 1};
constexpr Box kFrame{0, 0, 100, 100};

/// No group has two sources; each picture of one source is in a group with the source.
void ExpectSourcesApart(const Scenes& scenes, const std::string& about) {
  std::map<int, std::set<std::string>> copies;
  for (const ReportPair& pair : scenes.pairs()) {
    for (const std::string& name : {pair.query.path, pair.match.image.path}) {
      if (scenes.SourceOf(name) >= 0) copies[scenes.SourceOf(name)].insert(name);
    }
  }
  const Groups groups = GroupsOf(scenes.pairs());
  for (const auto& group : groups) {
    std::set<int> sources;
    for (const std::string& name : group) {
      if (scenes.SourceOf(name) >= 0) sources.insert(scenes.SourceOf(name));
    }
    EXPECT_LE(sources.size(), 1u) << about << ": " << testing::PrintToString(group);
  }
  for (const auto& [number, names] : copies) {
    const std::string source = "source" + std::to_string(number);
    for (const std::string& name : names) {
      const bool together = std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
        return group.contains(name) && group.contains(source);
      });
      EXPECT_TRUE(together) << about << ": " << name;
    }
  }
}

/// The sources with a copy, a crop and a crop of it each.
Scenes Families(int sources) {
  Scenes scenes;
  for (int s = 0; s < sources; ++s) {
    const std::string number = std::to_string(s);
    scenes.Add("source" + number, {{s, kSource, kFrame}});
    scenes.Add("copy" + number, {{s, kSource, kFrame}});
    scenes.Add("crop" + number, {{s, {0.2, 0.1, 0.7, 0.7}, kFrame}});
    scenes.Add("crop of crop" + number, {{s, {0.3, 0.2, 0.45, 0.45}, kFrame}});
  }
  return scenes;
}

TEST(GroupBuilderTest, APictureWithAnotherLaidIntoItJoinsNeither) {
  for (const double share : {0.1, 0.2, 0.3, 0.5, 0.75}) {
    for (const Point place : {Point{0.5, 0.5}, Point{0, 0}, Point{1, 0}, Point{0.3, 1}}) {
      const double side = 100 * std::sqrt(share);
      const Box inset{place.x * (100 - side), place.y * (100 - side), side, side};
      Scenes scenes = Families(2);
      const std::vector<Scenes::Shown> composite = {{0, kSource, kFrame}, {1, kSource, inset}};
      scenes.Add("composite", composite);
      scenes.Add("its copy", composite);
      ExpectSourcesApart(scenes, "inset of " + std::to_string(share) + " at " +
                                     std::to_string(place.x) + ", " + std::to_string(place.y));
    }
  }
}

TEST(GroupBuilderTest, CollagesJoinNoneOfTheirPictures) {
  for (int count = 2; count <= 9; ++count) {
    Scenes scenes = Families(count);
    const int columns = static_cast<int>(std::ceil(std::sqrt(count)));
    const int rows = (count + columns - 1) / columns;
    std::vector<Scenes::Shown> collage;
    for (int i = 0; i < count; ++i) {
      const double width = 100.0 / columns, height = 100.0 / rows;
      collage.push_back(
          {i,
           kSource,
           {i % columns * width, static_cast<int>(i / columns) * height, width, height}});
    }
    scenes.Add("collage", collage);
    scenes.Add("its copy", collage);
    ExpectSourcesApart(scenes, std::to_string(count));
  }
}

TEST(GroupBuilderTest, ALargePictureBesideASmallOneIsACollage) {
  Scenes scenes = Families(2);
  scenes.Add("collage", {{0, kSource, {0, 0, 80, 100}}, {1, kSource, {80, 0, 20, 100}}});
  ExpectSourcesApart(scenes, "80 and 20 %");
}

TEST(GroupBuilderTest, ACropOfACompositeIsWithThePictureThatItShows) {
  Scenes scenes = Families(2);
  scenes.Add("composite", {{0, kSource, kFrame}, {1, kSource, {30, 30, 40, 40}}});
  scenes.Add("crop of the inset", {{1, kSource, kFrame}});
  scenes.Add("crop beside the inset", {{0, {0, 0, 0.3, 1}, kFrame}});
  ExpectSourcesApart(scenes, "crops");
}

TEST(GroupBuilderTest, WhoIsPutTogetherIsKnown) {
  Scenes scenes = Families(3);
  scenes.Add("inset", {{0, kSource, kFrame}, {1, kSource, {60, 60, 30, 30}}});
  scenes.Add("left crop", {{2, {0, 0, 0.4, 1}, kFrame}});
  scenes.Add("right crop", {{2, {0.6, 0, 0.4, 1}, kFrame}});
  GroupBuilder builder;
  std::vector<ReportPair> pairs = scenes.pairs();
  // Crops are as large as the region that they were cut from.
  for (ReportPair& pair : pairs) {
    for (const bool query : {true, false}) {
      ImageRecord& image = query ? pair.query : pair.match.image;
      const double scale = image.path.find("crop") != std::string::npos ? 0.4 : 1;
      for (auto& [q, i] : pair.match.inlier_points) {
        Point& point = query ? q : i;
        point = {point.x * scale, point.y * scale};
      }
      Box& box = query ? pair.match.query_box : pair.match.image_box;
      box = {box.x * scale, box.y * scale, box.width * scale, box.height * scale};
      image.width = image.height = static_cast<int>(100 * scale);
    }
  }
  Group(pairs, builder);
  const auto in_parts = [&](const char* path) {
    ImageRecord image;
    image.path = path;
    return builder.InParts(image);
  };
  EXPECT_TRUE(in_parts("inset"));
  for (const char* name : {"source0", "source1", "source2", "copy2", "left crop"}) {
    EXPECT_FALSE(in_parts(name)) << name;
  }
}

TEST(GroupBuilderTest, AMissingPairBetweenCropsAndCopiesSplitsNothingThatPointsHoldTogether) {
  Scenes scenes = Families(1);
  std::vector<ReportPair> pairs = scenes.pairs();
  std::erase_if(pairs, [](const ReportPair& pair) {
    return pair.query.path == "crop of crop0" && pair.match.image.path == "copy0";
  });
  EXPECT_EQ(GroupsOf(pairs), (Groups{{"copy0", "crop of crop0", "crop0", "source0"}}));
}

TEST(GroupBuilderTest, WhatIsLaidOverIsNoPartOfWhatAPairShares) {
  Scenes scenes = Families(2);
  scenes.Add("composite", {{0, kSource, kFrame}, {1, kSource, {25, 25, 50, 50}}});
  GroupBuilder builder;
  Group(scenes.pairs(), builder);
  for (const ReportPair& pair : scenes.pairs()) {
    const std::set<std::string> names = {pair.query.path, pair.match.image.path};
    if (names == std::set<std::string>{"composite", "source0"}) {
      EXPECT_NEAR(builder.Covered(pair), 0.25, 0.03);
    } else if (!names.contains("composite")) {
      EXPECT_EQ(builder.Covered(pair), 0) << testing::PrintToString(names);
    }
  }
}

}  // namespace
}  // namespace siftsearch::engine
