// An engine over a backend that is not ours: what it needs of one, and what it makes of one that
// fails or answers wrongly.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "noise_picture.h"
#include "siftsearch/engine.h"
#include "support/altered_backend.h"
#include "support/memory_backend.h"

namespace siftsearch {
namespace {

using testing::HasSubstr;

class EngineOverTest : public testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::Over(
        std::make_unique<AlteredBackend>(std::make_unique<MemoryBackend>(), alterations_), {});
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    engine_ = std::move(engine).value();
    const auto added = AddNoise(*engine_, 1, 4);
    ASSERT_TRUE(added.ok()) << added.status().message();
    ASSERT_EQ(added->added, 4);
  }

  Status ReportStatus() {
    return engine_->ReportAll({}, [](const ReportPair&) { return Status(); }).status();
  }

  void ExpectFindsAgain() {
    const auto result = engine_->Query(NoiseQuery(2), {});
    ASSERT_TRUE(result.ok()) << result.status().message();
    ASSERT_FALSE(result->matches.empty());
    EXPECT_EQ(result->matches.front().image.path, NoiseName(2));
  }

  std::shared_ptr<Alterations> alterations_ = std::make_shared<Alterations>();
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineOverTest, AnyBackendIsAddedToQueriedAndReportedOn) {
  ExpectFindsAgain();
  const auto unknown = engine_->Query(NoiseQuery(99), {});
  ASSERT_TRUE(unknown.ok());
  for (const Match& match : unknown->matches) EXPECT_FALSE(match.copy);
  EXPECT_TRUE(ReportStatus().ok());
  EXPECT_EQ(AddNoise(*engine_, 1, 5)->added, 1);
}

TEST_F(EngineOverTest, NoBackendIsRefused) {
  EXPECT_EQ(Engine::Over(nullptr, {}).status().code(), StatusCode::kInvalidArgument);
}

/// Every call of the backend in turn is the first that fails.
TEST_F(EngineOverTest, AStoreThatDoesNotAnswerEndsTheCallWithItsReason) {
  const Status failure(StatusCode::kUnavailable, "the store at example.org does not answer");
  const auto fail_each = [&](const std::function<Status()>& operation) {
    for (int good = 0; good < 1000; ++good) {
      alterations_->failure = failure;
      alterations_->good_calls = good;
      const Status status = operation();
      const bool reached = alterations_->good_calls < 0;
      alterations_->failure = {};
      if (!reached) {
        EXPECT_TRUE(status.ok()) << status.message();
        EXPECT_GT(good, 3);
        return;
      }
      EXPECT_EQ(status.code(), StatusCode::kUnavailable) << good;
      EXPECT_THAT(status.message(), HasSubstr("example.org"));
    }
    ADD_FAILURE() << "never done";
  };
  fail_each([&] { return engine_->Query(NoiseQuery(3), {}).status(); });
  fail_each([&] { return ReportStatus(); });
  ExpectFindsAgain();
}

TEST_F(EngineOverTest, ASlowStoreEndsAQueryAtItsDeadline) {
  alterations_->delay = std::chrono::milliseconds(20);
  QueryOptions options;
  const auto begin = std::chrono::steady_clock::now();
  options.call.deadline = begin + std::chrono::milliseconds(30);
  EXPECT_EQ(engine_->Query(NoiseQuery(3), options).status().code(), StatusCode::kDeadlineExceeded);
  options.call = {.deadline = {}, .stop = [] { return true; }};
  EXPECT_EQ(engine_->Query(NoiseQuery(3), options).status().code(), StatusCode::kCancelled);
  alterations_->delay = {};
  ExpectFindsAgain();
}

TEST_F(EngineOverTest, AnswersThatCannotBeRightAreNamed) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  using Found = std::vector<SearchResult>;
  const std::vector<std::function<void(Found&)>> searches = {
      [](Found& found) { found.pop_back(); },
      [](Found& found) { found[0].candidates[0].content = -1; },
      [](Found& found) { found[0].candidates[0].width = 0; },
      [](Found& found) { found[0].candidates[0].pairs[0].query = 1'000'000; },
      [](Found& found) { found[0].candidates[0].pairs.back().query = -1; },
      [](Found& found) {
        std::swap(found[0].candidates[0].pairs.front(), found[0].candidates[0].pairs.back());
      },
      [&](Found& found) { found[0].candidates[0].pairs[0].image.x = nan; },
      [](Found& found) { found[0].candidates[0].pairs[0].rarity = 0; },
      [&](Found& found) { found[0].candidates[0].votes = nan; },
      [](Found& found) { found[0].candidates.resize(1000, found[0].candidates[0]); },
      [](Found& found) { found[0].nearest.resize(1); },
  };
  const auto expect_named = [&](std::size_t which) {
    const Status status = engine_->Query(NoiseQuery(3), {}).status();
    EXPECT_EQ(status.code(), StatusCode::kCorrupt) << which << status.message();
    EXPECT_THAT(status.message(), HasSubstr("the search backend gave an answer"));
  };
  for (std::size_t i = 0; i < searches.size(); ++i) {
    alterations_->search = searches[i];
    expect_named(i);
  }
  alterations_->search = {};
  using Sets = std::vector<FeatureSet>;
  const std::vector<std::function<void(Sets&)>> features = {
      [](Sets& sets) { sets.clear(); },
      [](Sets& sets) { sets[0].descriptors.pop_back(); },
      [](Sets& sets) { sets[0].height = -5; },
      [&](Sets& sets) { sets[0].keypoints[0].scale = nan; },
  };
  for (std::size_t i = 0; i < features.size(); ++i) {
    alterations_->features = features[i];
    expect_named(100 + i);
  }
  alterations_->features = {};
  using Images = std::vector<std::vector<ImageRecord>>;
  const std::vector<std::function<void(Images&)>> descriptions = {
      [](Images& images) { images.emplace_back(); },
      [](Images& images) { images[0][0].content = 77; },
      [](Images& images) { images[0][0].id = 0; },
  };
  for (std::size_t i = 0; i < descriptions.size(); ++i) {
    alterations_->describe = descriptions[i];
    expect_named(200 + i);
  }
  alterations_->describe = {};
  alterations_->put = [](std::vector<PutOutcome>& outcomes) { outcomes.clear(); };
  EXPECT_EQ(AddNoise(*engine_, 50, 1).status().code(), StatusCode::kCorrupt);
  alterations_->put = {};
  ExpectFindsAgain();
}

}  // namespace
}  // namespace siftsearch
