#include "report/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/read_json.h"
#include "report_test_util.h"

namespace siftsearch::report {
namespace {

TEST(QueryJsonTest, IsTheObjectOfTheSchema) {
  EXPECT_EQ(
      QueryJson(SampleResult()),
      R"({"query":"q.jpg","error":null,"width":100,"height":50,"descriptors":812,"pages":1,)"
      R"("sha256":null,"matches":[)"
      R"({"rank":1,"id":17,"path":"/p/a.jpg","pages":1,"width":0,"height":0,)"
      R"("sha256":null,"score":0.998765,"copy":true,"kind":"copy",)"
      R"("shared_overlay":false,"votes":210.5,)"
      R"("inliers":143,"mirrored":false,"inverted":false,"relation":"crop of, 34 % of its area",)"
      R"("image_from_query":[[1.0,0.0,10.0],[0.0,1.0,20.0],[0.0,0.0,1.0]],)"
      R"("query_box":[-0.5,-0.5,100.0,50.0],"image_box":[9.5,19.5,100.0,50.0],)"
      R"("query_polygon":[[-0.5,-0.5],[99.5,-0.5],[99.5,49.5],[-0.5,49.5]],)"
      R"("image_polygon":[[9.5,19.5],[109.5,19.5],[109.5,69.5],[9.5,69.5]],)"
      R"("query_overlap_percent":100.0,"image_overlap_percent":33.7,)"
      R"("attributes":{"seller":"acme"},"verdict":null,)"
      R"("because":"143 points agree in one place; there are no pixels to compare",)"
      R"("evidence":{"log10_false_alarms":0.0,"inliers":0.0,"larger_share":0.0,)"
      R"("smaller_share":0.0,"query_found":0.0,"image_found":0.0,"closeness":0.0,"rarity":0.0,)"
      R"("residual":0.0,"scale_spread":0.0,"angle_spread":0.0,"descriptor_distance":0.0,)"
      R"("parallax":0.0,"warp":0.0,"unevenness":0.0,"hull_share":0.0,"pixel_correlation":0.0,)"
      R"("pixels_coherent":0.0,"pixels_inside":0.0,"pixels_covered":0.0,"pixels_at_points":0.0,)"
      R"("pixels_in_hull":0.0,"pixels_agreeing":0.0,"pixels_between":0.0,"pixels_best":0.0,)"
      R"("extra_in_both":0.0,"solid_share":0.0,"solid_attained":0.0,"unsettled":0.0,)"
      R"("textured":0.0,"pdq_distance":128.0,"own_background":0.0}}],)"
      R"("timings_ms":{"decode":1.23,"extract":2.0,"search":3.0,"verify":4.0}})");
}

TEST(QueryJsonTest, AnErrorIsASentence) {
  QueryResult result;
  result.query = "q.jpg";
  result.error = Status(StatusCode::kCorrupt, "is cut short");
  const auto json = nlohmann::json::parse(QueryJson(result));
  EXPECT_EQ(json["error"], "is cut short");
  EXPECT_TRUE(json["matches"].empty());
}

TEST(QueryJsonTest, WithoutAFitThereIsNoPlace) {
  QueryResult result = SampleResult();
  result.matches[0].query_polygon.clear();
  const auto match = nlohmann::json::parse(QueryJson(result))["matches"][0];
  EXPECT_TRUE(match["image_from_query"].is_null());
  EXPECT_TRUE(match["query_box"].is_null());
  EXPECT_TRUE(match["relation"].is_null());
}

TEST(PathJsonTest, AnyBytesSurvive) {
  AddOutcome outcome;
  outcome.path = "/p/\xff\n\"";
  const auto json = nlohmann::json::parse(AddJson(outcome));
  EXPECT_EQ(json["path"], "/p/\uFFFD\n\"");
  EXPECT_EQ(json["path_base64"], "L3Av/woi");
  outcome.path = "/p/é";
  EXPECT_FALSE(nlohmann::json::parse(AddJson(outcome)).contains("path_base64"));
}

TEST(AddJsonTest, TellsWhatBecameOfAnInput) {
  AddOutcome outcome;
  outcome.path = "/a";
  outcome.action = AddAction::kAdded;
  outcome.id = 5;
  outcome.width = 3;
  outcome.height = 4;
  outcome.descriptors = 6;
  EXPECT_EQ(AddJson(outcome),
            R"({"path":"/a","action":"added","id":5,"width":3,"height":4,"descriptors":6,)"
            R"("pages":1,"reason":null})");
}

TEST(PairJsonTest, AFileOutsideTheDatabaseHasNoId) {
  ReportPair pair;
  pair.query.path = "/q";
  pair.match = SampleMatch();
  const auto json = nlohmann::json::parse(PairJson(pair));
  EXPECT_TRUE(json["query_id"].is_null());
  EXPECT_EQ(json["image_id"], 17);
  EXPECT_TRUE(json["group"].is_null());
}

TEST(PairJsonTest, IsReadBackAsItWas) {
  ReportPair pair;
  pair.query.path = "/q\n\xff\"<script>";
  pair.query.attributes = {{"seller", "acme"}};
  pair.query.pages = 12;
  pair.match = SampleMatch();
  pair.match.image.hash[3] = 7;
  pair.match.inlier_points = {{{1.5, 2}, {3, 4.5}}};
  pair.match.evidence.parallax = 0.25;
  pair.match.evidence.own_background = 0.125;
  pair.group = 3;
  pair.image_in_parts = true;
  pair.covered_percent = 25;
  const std::string text = PairJson(pair);
  const auto read = ReadPairJson(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(PairJson(*read), text);
  EXPECT_EQ(read->query.path, pair.query.path);
  EXPECT_EQ(read->query.pages, 12);
}

TEST(PairJsonTest, WithoutPagesAFileHasOne) {
  ReportPair pair;
  pair.match = SampleMatch();
  auto json = nlohmann::json::parse(PairJson(pair));
  json["query_file"].erase("pages");
  EXPECT_EQ(ReadPairJson(json.dump())->query.pages, 1);
}

TEST(PairJsonTest, AWrongFieldIsNamed) {
  EXPECT_EQ(ReadPairJson("nonsense").status().message(), "is not a JSON object");
  ReportPair pair;
  pair.match = SampleMatch();
  auto json = nlohmann::json::parse(PairJson(pair));
  for (const auto& [field, wrong] :
       std::vector<std::pair<std::string, nlohmann::json>>{{"score", "high"},
                                                           {"query_box", {1, 2}},
                                                           {"image_from_query", {{1}, {2}, {3}}},
                                                           {"kind", "twin"},
                                                           {"points", {{1, 2, 3}}},
                                                           {"query", nullptr}}) {
    auto changed = json;
    changed[field] = wrong;
    EXPECT_THAT(ReadPairJson(changed.dump()).status().message(), testing::HasSubstr(field));
  }
}

TEST(ImageJsonTest, HasTheHashInHex) {
  ImageRecord image;
  image.hash[0] = 0xab;
  const std::string hash = nlohmann::json::parse(ImageJson(image))["sha256"];
  EXPECT_EQ(hash, "ab" + std::string(62, '0'));
}

TEST(CheckJsonTest, NamesEachProblem) {
  EXPECT_EQ(CheckJson({}), R"({"sound":true,"problems":[]})");
  const CheckProblem problem{"f", "is cut"};
  EXPECT_EQ(CheckJson({&problem, 1}),
            R"({"sound":false,"problems":[{"file":"f","problem":"is cut"}]})");
}

TEST(ReadQueryAnswerTest, IsWhatQueryJsonTold) {
  const QueryResult result = SampleResult();
  const std::string json = QueryJson(result, {}, true);
  const auto answer = ReadQueryAnswer("{\"commit\":7,\"results\":[" + json + "]}");
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer->commit, 7);
  ASSERT_EQ(answer->results.size(), 1);
  EXPECT_EQ(QueryJson(answer->results[0], {}, true), json);
}

TEST(ReadQueryAnswerTest, AnErrorStaysOne) {
  QueryResult result;
  result.query = "a.jpg";
  result.error = {StatusCode::kCorrupt, "ends early"};
  const auto answer = ReadQueryAnswer("{\"commit\":7,\"results\":[" + QueryJson(result) + "]}");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->results[0].error.message(), "ends early");
}

TEST(ReadQueryAnswerTest, NamesTheFieldThatIsWrong) {
  for (const std::string text : {"", "[]", "{}", R"({"commit":1,"results":[{"query":"a"}]})",
                                 R"({"commit":1,"results":[7]})", R"({"commit":"x"})"}) {
    const auto answer = ReadQueryAnswer(text);
    EXPECT_EQ(answer.status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ReadAddJsonTest, IsWhatAddJsonTold) {
  AddOutcome outcome;
  outcome.path = "b/\xff.jpg";
  outcome.action = AddAction::kMoved;
  outcome.id = 7;
  outcome.width = 640;
  outcome.moved_from = "a.jpg";
  const auto read = ReadAddJson(AddJson(outcome));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->path, outcome.path);
  EXPECT_EQ(AddJson(*read), AddJson(outcome));
  EXPECT_FALSE(ReadAddJson(R"({"path":"a","action":"eaten"})").ok());
}

TEST(ReadImagePageTest, IsWhatImageJsonTold) {
  ImageRecord image;
  image.id = 3;
  image.path = "a.jpg";
  image.hash[0] = 1;
  image.attributes["seller"] = "x";
  const auto page = ReadImagePage("{\"images\":[" + ImageJson(image) + "],\"next\":null}");
  ASSERT_TRUE(page.ok()) << page.status().message();
  EXPECT_EQ(page->next, 0);
  ASSERT_EQ(page->images.size(), 1);
  EXPECT_EQ(ImageJson(page->images[0]), ImageJson(image));
}

TEST(ReadProblemTest, IsTheDetail) {
  EXPECT_EQ(ReadProblem(R"({"detail":"no such image"})"), "no such image");
  EXPECT_EQ(ReadProblem("<html>"), "");
}

}  // namespace
}  // namespace siftsearch::report
