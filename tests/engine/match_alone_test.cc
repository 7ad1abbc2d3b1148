#include "engine/match_alone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "engine/impl.h"
#include "vote/vote.h"

namespace siftsearch::engine {
namespace {

constexpr kernel::Variant kVariant = kernel::Variant::kPortable;

/// Random descriptors at random places of a picture of 400 x 300.
FeatureSet RandomFeatures(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  FeatureSet features;
  features.width = 400;
  features.height = 300;
  for (std::size_t i = 0; i < count; ++i) {
    features.keypoints.push_back({static_cast<float>(random() % 400),
                                  static_cast<float>(random() % 300),
                                  static_cast<float>(2 + random() % 10), 0});
    for (int d = 0; d < kDescriptorBytes; ++d) features.descriptors.push_back(random() % 90);
  }
  return features;
}

/// The same picture moved, each descriptor byte off by one.
FeatureSet Moved(FeatureSet features, float dx, float dy) {
  for (Keypoint& point : features.keypoints) point.x += dx, point.y += dy;
  for (std::uint8_t& byte : features.descriptors) byte ^= 1;
  return features;
}

VotedContent Voted(std::int64_t content) {
  VotedContent voted;
  voted.content = content;
  voted.width = 400;
  voted.height = 300;
  voted.votes = 0.7;
  return voted;
}

Result<VotedContent> Matched(const FeatureSet& query, const FeatureSet& image,
                             const VotedContent& voted) {
  const auto descriptors =
      kernel::PreparedQueries::Make(query.descriptors, kDescriptorBytes, kVariant);
  if (!descriptors.ok()) return descriptors.status();
  const auto nearest = NearestAlone(query.size(), *descriptors, image);
  if (!nearest.ok()) return nearest.status();
  return MatchAlone(*nearest, image, voted);
}

TEST(MatchAloneTest, PairsEachPointWithItsNearestRows) {
  const FeatureSet query = RandomFeatures(30, 1);
  const FeatureSet image = Moved(query, 5, 7);
  const auto matched = Matched(query, image, Voted(3));
  ASSERT_TRUE(matched.ok());
  EXPECT_EQ(matched->content, 3);
  std::vector<int> rights(query.size());
  for (const VotedPair& pair : matched->pairs) {
    const Keypoint& ours = query.keypoints[pair.query];
    if (pair.image.x == ours.x + 5 && pair.image.y == ours.y + 7) {
      ++rights[pair.query];
      EXPECT_GT(pair.weight, 0);
      EXPECT_LT(pair.weight, 0.01);
      EXPECT_LT(pair.rarity, 0.5);
    }
  }
  EXPECT_THAT(rights, testing::Each(1));
}

TEST(MatchAloneTest, PairsThatVotedKeepWhatTheyHad) {
  const FeatureSet query = RandomFeatures(10, 2);
  VotedContent voted = Voted(1);
  voted.pairs.push_back({.query = 4, .image = {}, .weight = 0.7f, .rarity = 0.9f});
  const auto matched = Matched(query, Moved(query, 1, 1), voted);
  ASSERT_TRUE(matched.ok());
  EXPECT_EQ(matched->votes, 0.7);
  int of_the_vote = 0;
  for (const VotedPair& pair : matched->pairs) {
    if (pair.query != 4) continue;
    ++of_the_vote;
    EXPECT_EQ(pair.weight, 0.7f);
    EXPECT_EQ(pair.rarity, 0.9f);
  }
  EXPECT_GE(of_the_vote, 1);
}

TEST(MatchAloneTest, FarDescriptorsAreNoPair) {
  FeatureSet query = RandomFeatures(5, 3), image = query;
  for (std::uint8_t& byte : image.descriptors) byte = static_cast<std::uint8_t>(255 - byte);
  const auto matched = Matched(query, image, Voted(1));
  ASSERT_TRUE(matched.ok());
  EXPECT_TRUE(matched->pairs.empty());
}

kernel::Neighbour At(std::int64_t row, double distance) {
  return {.row = row, .distance = static_cast<std::int32_t>(std::lround(distance * distance))};
}

TEST(WithMissedVotesTest, NearRowsVoteWhereNoneDid) {
  const FeatureSet image = RandomFeatures(4, 7);
  VotedContent voted = Voted(2);
  voted.pairs.push_back({.query = 1, .image = {.x = 9}, .weight = 0.7f, .rarity = 0.9f});
  const double half = vote::kTypicalDistance / 2;
  // Of each descriptor two rows. Without a vote: near, none at all, too far.
  const std::vector<kernel::Neighbour> nearest = {At(3, half), At(0, half),  //
                                                  At(2, half), At(0, half),  //
                                                  {},          {},           //
                                                  At(1, 240),  At(0, 250)};
  // Found of the first: three rows about as near, of two other pictures, and one far off.
  const auto near = [&](std::int64_t content, double distance) {
    return NearRow{content, static_cast<std::int32_t>(std::lround(distance * distance))};
  };
  std::vector<NearRow> found = {near(5, 100), near(6, 110), near(5, 120), near(7, 220), {}, {}};
  found.resize(4 * 6);
  const VotedContent complete = WithMissedVotes(nearest, image, found, voted);
  ASSERT_EQ(complete.pairs.size(), 2u);
  EXPECT_EQ(complete.pairs[0].query, 0);
  EXPECT_EQ(complete.pairs[0].image.x, image.keypoints[3].x);
  EXPECT_NEAR(complete.pairs[0].weight, 0.25, 1e-4);
  EXPECT_FLOAT_EQ(complete.pairs[0].rarity, 1.0f / 3);
  EXPECT_EQ(complete.pairs[1].query, 1);
  EXPECT_EQ(complete.pairs[1].image.x, 9);
  EXPECT_EQ(complete.pairs[1].weight, 0.7f);
  EXPECT_EQ(complete.pairs[1].rarity, 0.9f);
  EXPECT_NEAR(complete.votes, 0.95, 1e-4);
}

TEST(WithMissedVotesTest, NoRowVotesThatIsFartherThanAllFoundOnes) {
  const FeatureSet image = RandomFeatures(1, 7);
  const std::vector<kernel::Neighbour> alone = {At(0, 100), {}};
  const auto votes = [&](double kth) {
    const NearRow far{5, static_cast<std::int32_t>(kth * kth)};
    return WithMissedVotes(alone, image, std::vector{NearRow{5, 64}, far}, Voted(2)).pairs.size();
  };
  EXPECT_EQ(votes(99), 0u);
  EXPECT_EQ(votes(101), 1u);
}

/// Half of sixty points were found; with the others it is as sure as if all had been.
TEST(WithMissedVotesTest, AMatchIsJudgedByWhatTheSearchMissed) {
  const FeatureSet query = RandomFeatures(60, 8);
  const FeatureSet image = Moved(query, 8, 3);
  std::vector<QueryForm> forms(1);
  forms[0].features = query;
  VotedContent all = Voted(9);
  for (std::int32_t i = 0; i < 60; ++i) {
    all.pairs.push_back(
        {.query = i, .image = image.keypoints[static_cast<std::size_t>(i)], .weight = 0.9f});
  }
  const auto false_alarms = [&](const VotedContent& voted, bool missed) {
    forms[0].candidates = {voted};
    forms[0].nearest.assign(missed ? 60 : 0, {});
    const auto verified = VerifyCandidates(
        {.features_of = [&](std::int64_t) { return image; }, .forms = forms, .preview = {}}, 1);
    EXPECT_TRUE(verified.ok());
    return verified->at(0).match.evidence.log10_false_alarms;
  };
  VotedContent some = all;
  some.pairs.resize(30);
  const double exact = false_alarms(all, false);
  EXPECT_GT(false_alarms(some, false), 0.7 * exact);
  EXPECT_NEAR(false_alarms(some, true), exact, 0.05 * std::abs(exact));
}

TEST(MatchAloneTest, NothingMatchesAPictureWithoutFeatures) {
  const auto matched = Matched(RandomFeatures(5, 4), {}, Voted(1));
  ASSERT_TRUE(matched.ok());
  EXPECT_TRUE(matched->pairs.empty());
}

/// Where all k neighbours of every descriptor were in other pictures, next to nothing voted for
/// the right one.
TEST(MatchAloneTest, ACopyThatNextToNothingVotedForIsVerified) {
  const FeatureSet query = RandomFeatures(60, 5);
  const FeatureSet image = Moved(query, 8, 3);
  std::vector<QueryForm> forms(1);
  forms[0].features = query;
  forms[0].candidates.push_back(Voted(9));
  forms[0].candidates[0].pairs.push_back(
      {.query = 0, .image = image.keypoints[1], .weight = 0.01f});
  const auto verified = VerifyCandidates(
      {.features_of = [&](std::int64_t) { return image; }, .forms = forms, .preview = {}}, 1);
  ASSERT_TRUE(verified.ok());
  ASSERT_EQ(verified->size(), 1u);
  EXPECT_GT(verified->front().match.inliers, 40);
  EXPECT_NEAR(verified->front().match.image_from_query[2], 8, 0.5);
}

TEST(MatchAloneTest, AnErrorOfTheStoreIsToldAndAMissingContentPassedOver) {
  std::vector<QueryForm> forms(1);
  forms[0].features = RandomFeatures(60, 6);
  forms[0].candidates.push_back(Voted(9));
  const auto with = [&](StatusCode code) {
    return VerifyCandidates(
        {.features_of = [&](std::int64_t) -> Result<FeatureSet> { return Status(code, "so"); },
         .forms = forms,
         .preview = {}},
        1);
  };
  EXPECT_EQ(with(StatusCode::kCorrupt).status().code(), StatusCode::kCorrupt);
  EXPECT_TRUE(with(StatusCode::kNotFound).ok());
}

}  // namespace
}  // namespace siftsearch::engine
