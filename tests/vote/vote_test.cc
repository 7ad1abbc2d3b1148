#include "vote/vote.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace siftsearch::vote {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

double Squared(double x) { return x * x; }

const Candidate* Find(const std::vector<Candidate>& candidates, std::int64_t image) {
  for (const Candidate& candidate : candidates) {
    if (candidate.image == image) return &candidate;
  }
  return nullptr;
}

TEST(CountVotesTest, WeighsByTheKthDistance) {
  // Distances 50, 100, 200: the yardstick is 200.
  const std::vector<Neighbour> row = {{5, 1, 2500}, {9, 2, 10'000}, {7, 3, 40'000}};
  const std::vector<Candidate> candidates = CountVotes(row, 3, {});
  ASSERT_THAT(candidates, SizeIs(2));  // The yardstick itself has no vote.
  EXPECT_EQ(candidates[0].image, 1);
  EXPECT_DOUBLE_EQ(candidates[0].votes, Squared(0.75));
  EXPECT_EQ(candidates[1].image, 2);
  EXPECT_DOUBLE_EQ(candidates[1].votes, Squared(0.5));
  ASSERT_THAT(candidates[0].correspondences, SizeIs(1));
  EXPECT_EQ(candidates[0].correspondences[0].query, 0);
  EXPECT_EQ(candidates[0].correspondences[0].row, 5);
  EXPECT_EQ(candidates[0].correspondences[0].distance, 2500);
  EXPECT_FLOAT_EQ(candidates[0].correspondences[0].weight, 0.5625f);
}

TEST(CountVotesTest, AnImageGetsOneVotePerQueryDescriptorAndItsNearestRowCounts) {
  const std::vector<Neighbour> rows = {{5, 1, 2500},   {6, 1, 3600},   {7, 2, 40'000},
                                       {8, 1, 10'000}, {6, 2, 14'400}, {3, 9, 40'000}};
  const std::vector<Candidate> candidates = CountVotes(rows, 3, {});
  const Candidate* first = Find(candidates, 1);
  ASSERT_NE(first, nullptr);
  EXPECT_DOUBLE_EQ(first->votes, Squared(0.75) + Squared(0.5));
  ASSERT_THAT(first->correspondences, SizeIs(2));
  EXPECT_EQ(first->correspondences[0].row, 5);
  EXPECT_EQ(first->correspondences[1].query, 1);
  EXPECT_EQ(first->correspondences[1].row, 8);
}

TEST(CountVotesTest, FurtherNeighboursVoteButMeasureNothing) {
  const std::vector<Neighbour> row = {{1, 1, 0}, {2, 2, 0}, {3, 3, 0}, {4, 4, 10'000}};
  const std::vector<Candidate> candidates = CountVotes(row, 2, {.further = 2});
  ASSERT_THAT(candidates, SizeIs(4));
  for (const std::int64_t image : {1, 2, 3}) {
    EXPECT_DOUBLE_EQ(Find(candidates, image)->votes, 1);
    const float rarity = image == 3 ? 1.0f / 3 : 1.0f / 2;  // Both of the first k are as near.
    EXPECT_FLOAT_EQ(Find(candidates, image)->correspondences[0].rarity, rarity);
  }
  EXPECT_NEAR(Find(candidates, 4)->votes, Squared(1 - 100 / kCopyDistance), 1e-6);
}

TEST(CountVotesTest, EqualVotesComeInImageOrderAlsoAcrossTheLimit) {
  const std::vector<Neighbour> row = {{1, 30, 100}, {2, 10, 100}, {3, 20, 100}, {4, 7, 40'000}};
  const std::vector<Candidate> candidates = CountVotes(row, 4, {.max_candidates = 2});
  ASSERT_THAT(candidates, SizeIs(2));
  EXPECT_EQ(candidates[0].image, 10);
  EXPECT_EQ(candidates[1].image, 20);
}

TEST(CountVotesTest, WithoutKRowsTheTypicalDistanceIsTheYardstick) {
  const std::vector<Neighbour> row = {{0, 1, 2500}, {1, 2, 160'000}, {}, {}};
  const std::vector<Candidate> candidates = CountVotes(row, 4, {});
  ASSERT_THAT(candidates, SizeIs(1));
  EXPECT_NEAR(candidates[0].votes, Squared(1 - 50 / kTypicalDistance), 1e-6);
}

TEST(CountVotesTest, AKthNeighbourBeyondTheFarthestYardstickIsNone) {
  // Distances 115, 400; what lies between them may have been missed.
  const std::vector<Neighbour> row = {{5, 1, 115 * 115}, {7, 2, 160'000}};
  const std::vector<Candidate> candidates = CountVotes(row, 2, {.farthest_yardstick = 230});
  ASSERT_THAT(candidates, SizeIs(1));
  EXPECT_DOUBLE_EQ(candidates[0].votes, Squared(0.5));
  EXPECT_NEAR(CountVotes(row, 2, {})[0].votes, Squared(1 - 115.0 / 400), 1e-6);
}

TEST(CountVotesTest, ADatabaseOfOneImageVotes) {
  // All neighbours are rows of the same image, the k-th included.
  const std::vector<Neighbour> row = {{0, 1, 0}, {1, 1, 3600}};
  const std::vector<Candidate> candidates = CountVotes(row, 2, {});
  ASSERT_THAT(candidates, SizeIs(1));
  EXPECT_DOUBLE_EQ(candidates[0].votes, 1);
}

TEST(CountVotesTest, AFarKthNeighbourOfTheSameImageIsStillTheYardstick) {
  const std::vector<Neighbour> row = {{0, 1, 40'000}, {1, 1, 160'000}};
  const std::vector<Candidate> candidates = CountVotes(row, 2, {});
  ASSERT_THAT(candidates, SizeIs(1));
  EXPECT_DOUBLE_EQ(candidates[0].votes, Squared(0.5));
}

TEST(CountVotesTest, ANearKthNeighbourIsACopyAndNoYardstick) {
  const std::vector<Neighbour> row = {{0, 1, 900}, {1, 2, 3600}};
  const std::vector<Candidate> candidates = CountVotes(row, 2, {});
  ASSERT_THAT(candidates, SizeIs(2));
  EXPECT_NEAR(candidates[0].votes, Squared(1 - 30 / kCopyDistance), 1e-6);
  EXPECT_NEAR(candidates[1].votes, Squared(1 - 60 / kCopyDistance), 1e-6);
}

TEST(CountVotesTest, ManyExactCopiesAllVote) {
  // Every slot is taken by another copy at distance 0, so the k-th neighbour is one, too.
  std::vector<Neighbour> row;
  for (int copy = 0; copy < 10; ++copy) row.push_back({100 + copy, copy, 0});
  const std::vector<Candidate> candidates = CountVotes(row, 10, {});
  ASSERT_THAT(candidates, SizeIs(10));
  for (const Candidate& candidate : candidates) EXPECT_DOUBLE_EQ(candidate.votes, 1);
}

TEST(CountVotesTest, TwelveNearlyIdenticalCopiesAllGetVotes) {
  // Twelve copies whose descriptors moved by up to 80, ten slots: which ten appear changes from
  // descriptor to descriptor.
  std::mt19937 random(1);
  std::vector<Neighbour> rows;
  constexpr int kQueries = 200;
  for (int query = 0; query < kQueries; ++query) {
    std::vector<Neighbour> row;
    for (int copy = 0; copy < 12; ++copy) {
      const double distance = 80 * std::generate_canonical<double, 32>(random);
      row.push_back({query * 12 + copy, copy, static_cast<std::int32_t>(distance * distance)});
    }
    std::sort(row.begin(), row.end(),
              [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; });
    rows.insert(rows.end(), row.begin(), row.begin() + 10);
  }
  const std::vector<Candidate> candidates = CountVotes(rows, 10, {});
  ASSERT_THAT(candidates, SizeIs(12));
  for (const Candidate& candidate : candidates) {
    EXPECT_GT(candidate.votes, 0.3 * kQueries) << candidate.image;
  }
}

TEST(MissedVoteTest, IsTheVoteThatTheRowWouldHaveHad) {
  const auto squared = [](double distance) {
    return static_cast<std::int32_t>(distance * distance);
  };
  const std::vector<Neighbour> found = {
      {1, 1, squared(90)}, {2, 2, squared(120)}, {3, 3, squared(200)}, {4, 4, squared(210)}};
  for (const double distance : {80.0, 100.0, 150.0, 205.0}) {
    const Neighbour missed{.row = 9, .image = 7, .distance = squared(distance)};
    std::vector<Neighbour> all = found;
    all.push_back(missed);
    std::sort(all.begin(), all.end(),
              [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; });
    const auto counted = CountVotes(std::span(all).first(4), 4, {});
    const auto true_vote = std::find_if(counted.begin(), counted.end(),
                                        [](const Candidate& c) { return c.image == 7; });
    const auto vote = MissedVote(found, missed, kTypicalDistance);
    ASSERT_EQ(vote.has_value(), true_vote != counted.end()) << distance;
    if (!vote) continue;
    EXPECT_EQ(vote->weight, true_vote->correspondences.front().weight) << distance;
    EXPECT_EQ(vote->rarity, true_vote->correspondences.front().rarity) << distance;
  }
  EXPECT_TRUE(MissedVote(found, {.image = 7, .distance = squared(100)}, kTypicalDistance));
  EXPECT_FALSE(MissedVote(found, {.image = 7, .distance = squared(210)}, kTypicalDistance));
  const std::vector<Neighbour> few = {found[0], {}, {}};
  EXPECT_TRUE(MissedVote(few, {.image = 7, .distance = squared(200)}, kTypicalDistance));
  EXPECT_FALSE(MissedVote(few, {.image = 7, .distance = squared(231)}, kTypicalDistance));
}

TEST(CountVotesTest, NothingGivesNothing) {
  EXPECT_THAT(CountVotes({}, 10, {}), IsEmpty());
  const std::vector<Neighbour> empty_slots(10);
  EXPECT_THAT(CountVotes(empty_slots, 10, {}), IsEmpty());
  EXPECT_THAT(CountVotes(empty_slots, 0, {}), IsEmpty());
  const std::vector<Neighbour> row = {{0, 1, 0}};
  EXPECT_THAT(CountVotes(row, 1, {.max_candidates = 0}), IsEmpty());
}

TEST(CountVotesTest, RenumberingTheImagesRenumbersTheResult) {
  constexpr int kImages = 20, kK = 10, kQueries = 50;
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    std::vector<std::int64_t> renumbered(kImages);
    std::iota(renumbered.begin(), renumbered.end(), 1000);
    std::shuffle(renumbered.begin(), renumbered.end(), random);
    std::vector<Neighbour> rows;
    for (int query = 0; query < kQueries; ++query) {
      std::vector<std::int32_t> distances(kK);
      for (auto& distance : distances) distance = static_cast<std::int32_t>(random() % 90'000);
      std::sort(distances.begin(), distances.end());
      for (const std::int32_t distance : distances) {
        rows.push_back({static_cast<std::int64_t>(random() % 10'000),
                        static_cast<std::int64_t>(random() % kImages), distance});
      }
    }
    std::vector<Neighbour> moved = rows;
    for (Neighbour& neighbour : moved) neighbour.image = renumbered[neighbour.image];
    const std::vector<Candidate> before = CountVotes(rows, kK, {});
    const std::vector<Candidate> after = CountVotes(moved, kK, {});
    ASSERT_EQ(before.size(), after.size());
    for (const Candidate& candidate : before) {
      const Candidate* same = Find(after, renumbered[candidate.image]);
      ASSERT_NE(same, nullptr);
      EXPECT_DOUBLE_EQ(same->votes, candidate.votes);
      EXPECT_EQ(same->correspondences.size(), candidate.correspondences.size());
    }
    for (std::size_t i = 1; i < after.size(); ++i) EXPECT_GE(after[i - 1].votes, after[i].votes);
  }
}

}  // namespace
}  // namespace siftsearch::vote
