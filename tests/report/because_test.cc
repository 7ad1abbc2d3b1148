#include "report/because.h"

#include <gmock/gmock.h>

#include "report_test_util.h"

namespace siftsearch::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Match Of(MatchKind kind, const Evidence& evidence) {
  Match match = SampleMatch();
  match.kind = kind;
  match.copy = kind == MatchKind::kCopy;
  match.evidence = evidence;
  return match;
}

TEST(BecauseTest, ACopyTellsPointsAndPixels) {
  EXPECT_EQ(Because(Of(MatchKind::kCopy, {.pixels_at_points = 0.934, .textured = 0.5})),
            "143 points agree in one place; around them the pixels agree by 93 %");
  EXPECT_EQ(Because(Of(MatchKind::kCopy, {.pixels_covered = 0.61, .textured = 0.5})),
            "143 points agree in one place; something laid over it covers 61 %");
  EXPECT_EQ(
      Because(Of(MatchKind::kCopy, {.solid_share = 0.25, .solid_attained = 0.95, .textured = 0.5})),
      "143 points agree in one place; one part agrees, 75 % of what both show is something "
      "else");
  EXPECT_THAT(Because(Of(MatchKind::kCopy, {})), HasSubstr("no pixels to compare"));
  EXPECT_THAT(Because(Of(MatchKind::kCopy, {.warp = 8})),
              HasSubstr("when the picture is bent back;"));
}

TEST(BecauseTest, WhatIsNoCopyTellsWhatSpeaksAgainst) {
  EXPECT_THAT(Because(Of(MatchKind::kSameScene, {.parallax = 2})), HasSubstr("another view"));
  EXPECT_THAT(Because(Of(MatchKind::kSameScene, {.pixels_agreeing = 0.12})),
              HasSubstr("only 12 % of the pixels there agree"));
  EXPECT_THAT(Because(Of(MatchKind::kSharedOverlay, {.rarity = 0.1})),
              HasSubstr("other pictures have the same points"));
  EXPECT_THAT(Because(Of(MatchKind::kSharedOverlay, {.rarity = 1, .own_background = 0.9})),
              HasSubstr("background of their own"));
  EXPECT_THAT(Because(Of(MatchKind::kSharedOverlay,
                         {.larger_share = 0.2, .smaller_share = 0.04, .rarity = 1})),
              HasSubstr("20 % of one picture and 4 % of the other"));
  EXPECT_THAT(
      Because(Of(MatchKind::kSharedOverlay,
                 {.larger_share = 1, .smaller_share = 0.96, .rarity = 1, .pixels_agreeing = 0.7})),
      HasSubstr("between them 30 % of the pixels differ"));
  EXPECT_THAT(Because(Of(MatchKind::kUnclear, {})), HasSubstr("chance"));
}

TEST(BecauseTest, FilesAndPeopleDecideFirst) {
  Match match = SampleMatch();
  match.relation = "identical file";
  EXPECT_THAT(Because(match), HasSubstr("equal byte by byte"));
  match.verdict = Verdict::kNotACopy;
  EXPECT_THAT(Because(match), HasSubstr("decided to be no copy"));
  match.verdict = Verdict::kConfirmed;
  EXPECT_THAT(Because(match), HasSubstr("confirmed"));
  match = {};
  EXPECT_THAT(Because(match), HasSubstr("no place"));
}

TEST(ExplanationTableTest, ListsTheStrongestTermsOfEachSide) {
  const auto pushes_of = [](const Evidence&) {
    std::vector<double> pushes(kEvidenceTerms.size());
    pushes[0] = 0.5, pushes[1] = 2.5, pushes[2] = -1, pushes[3] = 0.01;
    return pushes;
  };
  QueryResult result = SampleResult();
  result.matches[0].evidence.inliers = 143;
  const std::string text = ExplanationTable(result, pushes_of);
  EXPECT_THAT(text, HasSubstr("  1: 143 points agree"));
  EXPECT_THAT(text, HasSubstr("for a copy: +2.5 inliers 143, +0.5 log10_false_alarms 0\n"));
  EXPECT_THAT(text, HasSubstr("against: -1.0 larger_share 0\n"));
  result.matches[0].relation = "identical file";
  EXPECT_THAT(ExplanationTable(result, pushes_of), Not(HasSubstr("for a copy")));
}

}  // namespace
}  // namespace siftsearch::report
