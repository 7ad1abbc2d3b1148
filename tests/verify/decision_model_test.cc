#include "verify/decision_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <string>

#include "verify/score.h"
#include "verify/shipped_model.h"

namespace siftsearch::verify {
namespace {

using Json = nlohmann::json;

Json Shipped() {
  const auto bytes = ShippedModel();
  return Json::parse(bytes.begin(), bytes.end());
}

std::vector<Evidence> GoldenEvidence() {
  std::vector<Evidence> all;
  const Json shipped = Shipped();
  for (const Json& golden : shipped.at("golden")) {
    Evidence evidence;
    for (const EvidenceTerm& term : kEvidenceTerms) {
      evidence.*term.value = golden.at("evidence").at(std::string(term.name)).get<double>();
    }
    all.push_back(evidence);
  }
  return all;
}

/// Any values that the terms may have.
Evidence RandomEvidence(std::mt19937& random) {
  Evidence evidence;
  for (const EvidenceTerm& term : kEvidenceTerms) {
    evidence.*term.value = std::uniform_real_distribution(term.least, term.most)(random);
  }
  return evidence;
}

TEST(DecisionModelTest, GivesWhatTheTrainerSaidOfFiftyCandidates) {
  const Json golden = Shipped().at("golden");
  const std::vector<Evidence> evidence = GoldenEvidence();
  ASSERT_EQ(golden.size(), 50u);
  for (std::size_t i = 0; i < golden.size(); ++i) {
    const DecisionModel& model = DecisionModel::Shipped();
    EXPECT_NEAR(model.LogOdds(evidence[i]), golden[i].at("log_odds").get<double>(), 1e-5) << i;
    EXPECT_NEAR(model.SceneLogOdds(evidence[i]), golden[i].at("scene_log_odds").get<double>(), 1e-5)
        << i;
  }
}

TEST(DecisionModelTest, GoldenCandidatesAreCopiesAndOthers) {
  int copies = 0;
  for (const Evidence& evidence : GoldenEvidence()) copies += LogOdds(evidence) >= 0;
  EXPECT_GE(copies, 5);
  EXPECT_LT(copies, 45);
}

TEST(DecisionModelTest, MoreOfWhatSpeaksForACopyNeverLowersTheScore) {
  std::mt19937 random(1);
  std::vector<Evidence> starts = GoldenEvidence();
  for (int i = 0; i < 2000; ++i) starts.push_back(RandomEvidence(random));
  for (const Evidence& start : starts) {
    const double before = LogOdds(start);
    for (const EvidenceTerm& term : kEvidenceTerms) {
      if (term.direction == 0) continue;
      Evidence better = start;
      const double towards = term.direction > 0 ? term.most : term.least;
      const double share = std::uniform_real_distribution(0.0, 1.0)(random);
      better.*term.value += share * (towards - better.*term.value);
      EXPECT_GE(LogOdds(better), before) << term.name;
    }
  }
}

TEST(DecisionModelTest, AnExactCopyIsSureAndChanceIsNot) {
  const Evidence exact{.log10_false_alarms = -900,
                       .inliers = 500,
                       .larger_share = 1,
                       .smaller_share = 1,
                       .query_found = 0.98,
                       .image_found = 0.98,
                       .closeness = 0.9,
                       .rarity = 0.9,
                       .residual = 0.05,
                       .scale_spread = 0.01,
                       .angle_spread = 0.2,
                       .descriptor_distance = 10,
                       .hull_share = 0.9,
                       .pixel_correlation = 0.97,
                       .pixels_coherent = 0.99,
                       .pixels_inside = 0.99,
                       .pixels_at_points = 0.99,
                       .pixels_in_hull = 0.99,
                       .pixels_agreeing = 0.99,
                       .pixels_best = 1,
                       .solid_share = 1,
                       .solid_attained = 0.99,
                       .textured = 0.7};
  EXPECT_GT(ScoreFromLogOdds(LogOdds(exact)), 0.95);
  Evidence identical = exact;
  identical.residual = identical.scale_spread = identical.angle_spread = 0;
  identical.descriptor_distance = identical.pdq_distance = 0;
  EXPECT_GT(ScoreFromLogOdds(LogOdds(identical)), 0.95);
  const Evidence chance{.log10_false_alarms = -1,
                        .inliers = 4,
                        .larger_share = 0.6,
                        .smaller_share = 0.5,
                        .query_found = 0.02,
                        .image_found = 0.02,
                        .closeness = 0.1,
                        .rarity = 0.3,
                        .residual = 1.8,
                        .scale_spread = 0.4,
                        .angle_spread = 12,
                        .descriptor_distance = 210,
                        .hull_share = 0.05,
                        .pixels_inside = 0.2,
                        .pixels_between = 0.2,
                        .extra_in_both = 0.05,
                        .solid_share = 0.02,
                        .solid_attained = 0.65,
                        .unsettled = 0.05,
                        .textured = 0.8};
  EXPECT_LT(ScoreFromLogOdds(LogOdds(chance)), 0.05);
}

TEST(DecisionModelTest, ExplanationsAddUpToTheLogOddsButForAConstant) {
  const std::vector<Evidence> all = GoldenEvidence();
  const auto sum = [](const Evidence& evidence) {
    const Contributions contributions = DecisionModel::Shipped().Explain(evidence);
    return std::accumulate(contributions.begin(), contributions.end(), 0.0);
  };
  for (const Evidence& a : all) {
    for (const Evidence& b : all) {
      const DecisionModel& model = DecisionModel::Shipped();
      if (model.LogOdds(a) > model.LogOdds(b) + 1e-3) {
        EXPECT_GT(sum(a), sum(b) - 1e-3);
      }
    }
  }
}

TEST(DecisionModelTest, WrongFilesAreRefusedByField) {
  EXPECT_FALSE(DecisionModel::Parse("not JSON").ok());
  const auto refused = [](const auto& change) {
    Json json = Shipped();
    change(json);
    const auto parsed = DecisionModel::Parse(json.dump());
    EXPECT_FALSE(parsed.ok());
    return parsed.ok() ? "" : parsed.status().message();
  };
  const auto names = [](const std::string& message, const std::string& field) {
    EXPECT_NE(message.find(field), std::string::npos) << message;
  };
  names(refused([](Json& j) { j["format"] = 2; }), "format");
  names(refused([](Json& j) { j.erase("copy"); }), "copy");
  names(refused([](Json& j) { j["terms"][0] = "beauty"; }), "terms: beauty");
  names(refused([](Json& j) { j["copy"]["trees"][0]["left"][0] = 0; }), "trees: child");
  names(refused([](Json& j) { j["copy"]["trees"][0]["left"].push_back(1); }), "trees: sizes");
  names(refused([](Json& j) { j["copy"]["trees"][0]["term"][0] = 99; }), "trees: term");
  names(refused([](Json& j) { j["calibration"]["raw"] = {1, 1}; }), "calibration");
  EXPECT_TRUE(DecisionModel::Parse(Shipped().dump()).ok());
}

TEST(ScoreTest, WithoutPixelsThePointsDecide) {
  Evidence evidence;
  evidence.rarity = 1;
  evidence.log10_false_alarms = -14;
  EXPECT_NEAR(ScoreFromLogOdds(LogOddsOfPoints(evidence)), 0.5, 1e-9);
  evidence.log10_false_alarms = -60;
  EXPECT_GT(ScoreFromLogOdds(LogOddsOfPoints(evidence)), 0.99);
  evidence.rarity = 0.1;
  EXPECT_LT(ScoreFromLogOdds(LogOddsOfPoints(evidence)), 0.1);
  for (const double powers : {-1e300, -1e9, 0.0, 300.0}) {
    evidence.log10_false_alarms = powers;
    EXPECT_TRUE(std::isfinite(LogOddsOfPoints(evidence)));
    EXPECT_TRUE(std::isfinite(LogOdds(evidence)));
  }
}

TEST(ScoreTest, KindsFollowScoreAndChance) {
  Evidence evidence{.log10_false_alarms = -40};
  EXPECT_EQ(KindOf(evidence, 0.7), MatchKind::kCopy);
  EXPECT_NE(KindOf(evidence, 0.3), MatchKind::kCopy);
  EXPECT_NE(KindOf(evidence, 0.3), MatchKind::kUnclear);
  evidence.log10_false_alarms = -5;
  EXPECT_EQ(KindOf(evidence, 0.3), MatchKind::kUnclear);
}

}  // namespace
}  // namespace siftsearch::verify
