#include "engine/group_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
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

/// The groups as sets of names; pairs that are bridges join none.
Groups GroupsOf(std::vector<ReportPair> pairs) {
  std::sort(pairs.begin(), pairs.end(), [](const ReportPair& a, const ReportPair& b) {
    return std::tie(b.match.score, a.query.path, a.match.image.path) <
           std::tie(a.match.score, b.query.path, b.match.image.path);
  });
  GroupBuilder builder;
  for (const ReportPair& pair : pairs) builder.Look(pair);
  for (const ReportPair& pair : pairs) builder.Join(pair);
  builder.Settle();
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
  EXPECT_EQ(GroupsOf({Pair("crop", kAll, "a", kMiddle), Pair("a", kAll, "same", kAll),
                      Pair("tighter", kAll, "a", {29.5, 29.5, 40, 40})}),
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

}  // namespace
}  // namespace siftsearch::engine
