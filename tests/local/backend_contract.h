#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "siftsearch/search_backend.h"
#include "testing.h"

namespace siftsearch::local {

/// Opens a backend in a folder that the test owns; opened again, it holds what it held.
using BackendFactory = std::function<std::unique_ptr<SearchBackend>(const std::string& folder)>;

struct BackendKind {
  std::string name;
  BackendFactory open;

  friend void PrintTo(const BackendKind& kind, std::ostream* out) { *out << kind.name; }
};

/// What every SearchBackend must do; a backend's tests instantiate it with their factory.
class BackendContractTest : public ::testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    backend_.reset();
    backend_ = GetParam().open(folder_.path("db"));
    ASSERT_NE(backend_, nullptr);
  }

  TestFolder folder_;
  std::unique_ptr<SearchBackend> backend_;
};

TEST_P(BackendContractTest, AnEmptyOneFindsNothing) {
  EXPECT_EQ(BestContent(*backend_, 1), 0);
  EXPECT_FALSE(Pinned(*backend_)->FindPath("/a")->has_value());
  EXPECT_FALSE(Pinned(*backend_)->FindId(1)->has_value());
  EXPECT_EQ(*Pinned(*backend_)->FindContent(MakeHash(1)), 0);
  EXPECT_TRUE(ImagesOf(*backend_, 1).empty());
  EXPECT_EQ(FeaturesOf(*backend_, 1).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(StateOf(*backend_).empty());
  EXPECT_EQ(Pinned(*backend_)->Stats()->images, 0);
  EXPECT_TRUE(backend_->Compact().ok());
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, FindsWhatWasPutAlsoAfterReopening) {
  for (int i = 1; i <= 20; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  for (int round = 0; round < 2; ++round) {
    for (int i = 1; i <= 20; ++i) {
      const auto image = Pinned(*backend_)->FindPath("/" + std::to_string(i));
      ASSERT_TRUE(image.ok() && image->has_value());
      EXPECT_EQ(BestContent(*backend_, i), (*image)->content);
      EXPECT_EQ((*image)->descriptors, 12);
      EXPECT_EQ((*image)->width, 200 + i);
      EXPECT_EQ(Pinned(*backend_)->FindId((*image)->id)->value().path, (*image)->path);
    }
    Reopen();
  }
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, KeepsTheNumberOfPages) {
  PutItem item = MakeItem("/book", 1);
  auto features = std::make_shared<FeatureSet>(*item.features);
  features->pages = 12;
  item.features = features;
  PutItem blank = MakeItem("/blank", 2, 0);
  auto nothing = std::make_shared<FeatureSet>(*blank.features);
  nothing->pages = 3;
  blank.features = nothing;
  PutOne(*backend_, item);
  PutOne(*backend_, blank);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [path, pages] : {std::pair{"/book", 12}, {"/blank", 3}}) {
      const auto image = Pinned(*backend_)->FindPath(path);
      ASSERT_TRUE(image.ok() && image->has_value());
      EXPECT_EQ((*image)->pages, pages);
      EXPECT_EQ(FeaturesOf(*backend_, (*image)->content)->pages, pages);
    }
    EXPECT_TRUE(backend_->Compact().ok());
    Reopen();
  }
}

TEST_P(BackendContractTest, VotesComeWithTheStoredKeypoints) {
  PutOne(*backend_, MakeItem("/a", 1));
  const std::int64_t content = PutOne(*backend_, MakeItem("/b", 2)).id;
  const auto features = MakeFeatures(2);
  const SearchQuery query{.features = features.get()};
  const auto results = Pinned(*backend_)->Search({&query, 1}, {.neighbours = 2});
  ASSERT_TRUE(results.ok());
  const VotedContent& best = results->front().candidates.front();
  EXPECT_EQ(best.content, content);
  EXPECT_EQ(best.width, features->width);
  EXPECT_EQ(best.height, features->height);
  EXPECT_GT(best.votes, 0);
  ASSERT_EQ(best.pairs.size(), features->size());
  for (const VotedPair& pair : best.pairs) {
    const Keypoint& expected = features->keypoints[static_cast<std::size_t>(pair.query)];
    EXPECT_NEAR(pair.image.x, expected.x, 0.01);
    EXPECT_NEAR(pair.image.y, expected.y, 0.01);
    EXPECT_GT(pair.weight, 0);
  }
}

TEST_P(BackendContractTest, ABatchGivesWhatItsQueriesGiveAlone) {
  for (int i = 1; i <= 12; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  std::vector<std::shared_ptr<const FeatureSet>> features;
  std::vector<SearchQuery> queries;
  for (int i = 0; i < 14; ++i) {
    features.push_back(MakeFeatures(i, i == 5 ? 0 : 12));
    queries.push_back({.features = features.back().get(), .exclude_content = i % 3});
  }
  const auto batch = Pinned(*backend_)->Search(queries, {.neighbours = 4, .threads = 2});
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->size(), queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto alone = Pinned(*backend_)->Search({&queries[i], 1}, {.neighbours = 4});
    ASSERT_TRUE(alone.ok());
    const auto& expected = alone->front().candidates;
    const auto& given = (*batch)[i].candidates;
    ASSERT_EQ(given.size(), expected.size());
    for (std::size_t j = 0; j < expected.size(); ++j) {
      EXPECT_EQ(given[j].content, expected[j].content);
      EXPECT_EQ(given[j].votes, expected[j].votes);
    }
  }
  EXPECT_TRUE((*batch)[5].candidates.empty());
}

/// An image whose descriptors are all alike crowds its own neighbourhood: passing over it has to
/// look further, however many rows it has.
TEST_P(BackendContractTest, AnExcludedContentIsAsIfItWereNotStored) {
  auto crowd = std::make_shared<FeatureSet>(*MakeFeatures(1, 700));
  for (std::size_t i = 1; i < crowd->size(); ++i) {
    std::memcpy(crowd->descriptors.data() + i * kDescriptorBytes, crowd->descriptors.data(),
                kDescriptorBytes - 1);
  }
  for (int i = 2; i <= 9; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  const SearchQuery alone{.features = crowd.get()};
  const auto expected = Pinned(*backend_)->Search({&alone, 1}, {.neighbours = 5});
  ASSERT_TRUE(expected.ok());

  PutItem item = MakeItem("/crowd", 1);
  item.features = crowd;
  const std::int64_t content = PutOne(*backend_, item).id;
  const SearchQuery excluding{.features = crowd.get(), .exclude_content = content};
  const auto found = Pinned(*backend_)->Search({&excluding, 1}, {.neighbours = 5});
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->front().candidates.size(), expected->front().candidates.size());
  for (std::size_t i = 0; i < found->front().candidates.size(); ++i) {
    EXPECT_EQ(found->front().candidates[i].content, expected->front().candidates[i].content);
    EXPECT_EQ(found->front().candidates[i].votes, expected->front().candidates[i].votes);
    EXPECT_EQ(found->front().candidates[i].pairs.size(),
              expected->front().candidates[i].pairs.size());
  }
}

TEST_P(BackendContractTest, TheSameContentUnderAnotherPathIsStoredOnce) {
  const ImageId first = PutOne(*backend_, MakeItem("/a", 1)).id;
  EXPECT_GT(*Pinned(*backend_)->FindContent(MakeHash(1)), 0);
  PutItem again = MakeItem("/b", 1);
  again.features = nullptr;
  const PutOutcome outcome = PutOne(*backend_, again);
  EXPECT_EQ(outcome.action, PutAction::kAdded);
  const auto images = ImagesOf(*backend_, first);
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].id, first);
  EXPECT_EQ(images[1].id, outcome.id);
  EXPECT_EQ(Pinned(*backend_)->Stats()->descriptors, 12);
  // The first path goes, the content stays.
  EXPECT_EQ(*backend_->Remove({&first, 1}), 1);
  EXPECT_EQ(BestContent(*backend_, 1), first);
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, AnUnchangedFileKeepsItsIdAndTakesNewTimeAndAttributes) {
  PutItem item = MakeItem("/a", 1);
  item.attributes = {{"kept", "1"}, {"changed", "1"}};
  const ImageId id = PutOne(*backend_, item).id;
  const std::int64_t generation = Pinned(*backend_)->Stats()->generation;
  EXPECT_EQ(PutOne(*backend_, item).action, PutAction::kUnchanged);
  EXPECT_EQ(Pinned(*backend_)->Stats()->generation, generation);
  item.modified_ns = 77;
  item.attributes = {{"changed", "2"}, {"new", "3"}};
  const PutOutcome outcome = PutOne(*backend_, item);
  EXPECT_EQ(outcome.action, PutAction::kUnchanged);
  EXPECT_EQ(outcome.id, id);
  const auto image = Pinned(*backend_)->FindId(id)->value();
  EXPECT_EQ(image.modified_ns, 77);
  EXPECT_THAT(image.attributes,
              ::testing::ElementsAre(::testing::Pair("changed", "2"), ::testing::Pair("kept", "1"),
                                     ::testing::Pair("new", "3")));
}

TEST_P(BackendContractTest, AChangedFileGetsANewIdAndKeepsItsAttributes) {
  PutItem item = MakeItem("/a", 1);
  item.attributes = {{"artist", "x"}};
  const ImageId old_id = PutOne(*backend_, item).id;
  const PutOutcome outcome = PutOne(*backend_, MakeItem("/a", 2));
  EXPECT_EQ(outcome.action, PutAction::kReplaced);
  EXPECT_GT(outcome.id, old_id);
  EXPECT_FALSE(Pinned(*backend_)->FindId(old_id)->has_value());
  EXPECT_EQ(Pinned(*backend_)->FindPath("/a")->value().attributes.at("artist"), "x");
  EXPECT_EQ(BestContent(*backend_, 2), outcome.id);
  EXPECT_NE(BestContent(*backend_, 1), old_id);
  EXPECT_EQ(Pinned(*backend_)->Stats()->images, 1);
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, AMovedFileKeepsItsIdAttributesAndVerdicts) {
  PutItem item = MakeItem("/old/a", 1);
  item.attributes = {{"seller", "acme"}, {"state", "old"}};
  const ImageId id = PutOne(*backend_, item).id;
  PutOne(*backend_, MakeItem("/other", 2));
  const VerdictRecord verdict{MakeHash(1), MakeHash(2), Verdict::kNotACopy, 5};
  ASSERT_TRUE(backend_->PutVerdicts({&verdict, 1}).ok());
  PutItem moved = MakeItem("/new/a", 1);
  moved.features = nullptr;
  moved.modified_ns = 77;
  moved.attributes = {{"state", "new"}};
  moved.moved_from = {"/never/stored", "/other", "/old/a"};  // Only the last has these bytes.
  const PutOutcome outcome = PutOne(*backend_, moved);
  EXPECT_EQ(outcome.action, PutAction::kMoved);
  EXPECT_EQ(outcome.id, id);
  EXPECT_EQ(outcome.moved_from, "/old/a");
  Reopen();
  EXPECT_FALSE(Pinned(*backend_)->FindPath("/old/a")->has_value());
  const ImageRecord image = Pinned(*backend_)->FindPath("/new/a")->value();
  EXPECT_EQ(image.id, id);
  EXPECT_EQ(image.modified_ns, 77);
  EXPECT_EQ(image.attributes,
            (std::map<std::string, std::string>{{"seller", "acme"}, {"state", "new"}}));
  EXPECT_EQ(BestContent(*backend_, 1), image.content);
  EXPECT_EQ(Pinned(*backend_)->Verdicts()->size(), 1u);
  EXPECT_EQ(Pinned(*backend_)->Stats()->images, 2);
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, OfOneFileThatIsGoneOnlyTheFirstOfItsCopiesIsTheMovedOne) {
  const ImageId id = PutOne(*backend_, MakeItem("/old", 1)).id;
  std::vector<PutItem> items = {MakeItem("/new/a", 1), MakeItem("/new/b", 1)};
  for (PutItem& item : items) item.moved_from = {"/old"};
  const auto outcomes = backend_->Put(items);
  ASSERT_TRUE(outcomes.ok());
  EXPECT_EQ((*outcomes)[0].action, PutAction::kMoved);
  EXPECT_EQ((*outcomes)[0].id, id);
  EXPECT_EQ((*outcomes)[1].action, PutAction::kAdded);
  EXPECT_EQ(StateOf(*backend_),
            (std::map<std::string, ContentHash>{{"/new/a", MakeHash(1)}, {"/new/b", MakeHash(1)}}));
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, AStoredPathIsReplacedAndNothingIsMovedThere) {
  PutOne(*backend_, MakeItem("/old", 1));
  PutOne(*backend_, MakeItem("/new", 2));
  PutItem item = MakeItem("/new", 1);
  item.moved_from = {"/old"};
  EXPECT_EQ(PutOne(*backend_, item).action, PutAction::kReplaced);
  EXPECT_TRUE(Pinned(*backend_)->FindPath("/old")->has_value());
}

TEST_P(BackendContractTest, ARemovedImageIsNeverReturned) {
  std::vector<ImageId> ids;
  for (int i = 1; i <= 4; ++i) {
    ids.push_back(PutOne(*backend_, MakeItem("/" + std::to_string(i), i)).id);
  }
  EXPECT_EQ(BestContent(*backend_, 2), ids[1]);
  const std::vector<ImageId> gone = {ids[1], ids[2], 999, ids[1]};
  EXPECT_EQ(*backend_->Remove(gone), 2);
  EXPECT_NE(BestContent(*backend_, 2), ids[1]);
  EXPECT_EQ(BestContent(*backend_, 4), ids[3]);
  EXPECT_TRUE(ImagesOf(*backend_, ids[1]).empty());
  EXPECT_EQ(Pinned(*backend_)->Stats()->removed_descriptors, 24);
  ExpectSound(*backend_);
  ASSERT_TRUE(backend_->Compact().ok());
  EXPECT_EQ(Pinned(*backend_)->Stats()->removed_descriptors, 0);
  EXPECT_EQ(Pinned(*backend_)->Stats()->descriptors, 24);
  EXPECT_EQ(*Pinned(*backend_)->FindContent(MakeHash(2)), 0);
  EXPECT_EQ(BestContent(*backend_, 4), ids[3]);
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, ARemovedContentStoredAgainIsFoundAgain) {
  const ImageId old_id = PutOne(*backend_, MakeItem("/a", 1)).id;
  PutOne(*backend_, MakeItem("/b", 2));
  EXPECT_EQ(*backend_->Remove({&old_id, 1}), 1);
  EXPECT_GT(*Pinned(*backend_)->FindContent(MakeHash(1)), 0);
  PutItem again = MakeItem("/a", 1);
  again.features = nullptr;
  const PutOutcome outcome = PutOne(*backend_, again);
  EXPECT_GT(outcome.id, old_id);
  EXPECT_EQ(Pinned(*backend_)->FindId(outcome.id)->value().content, BestContent(*backend_, 1));
  EXPECT_EQ(Pinned(*backend_)->Stats()->removed_descriptors, 0);
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, ABlankImageIsCataloguedWithoutDescriptors) {
  const ImageId id = PutOne(*backend_, MakeItem("/blank", 1, 0)).id;
  EXPECT_EQ(Pinned(*backend_)->FindId(id)->value().descriptors, 0);
  EXPECT_EQ(FeaturesOf(*backend_, id)->width, 201);
  EXPECT_EQ(FeaturesOf(*backend_, id)->size(), 0U);
  EXPECT_EQ(BestContent(*backend_, 1), 0);
  PutItem again = MakeItem("/blank2", 1, 0);
  again.features = nullptr;
  const ImageId second = PutOne(*backend_, again).id;
  ExpectSound(*backend_);
  const std::vector<ImageId> both = {id, second};
  EXPECT_EQ(*backend_->Remove(both), 2);
  EXPECT_EQ(*Pinned(*backend_)->FindContent(MakeHash(1)), 0);
  ExpectSound(*backend_);
}

/// A signature whose bits from `first` on for `count` are set.
inline Pdq MakeSignature(int first, int count) {
  Pdq signature{.quality = 100};
  for (int bit = first; bit < first + count; ++bit) signature.bits[bit / 8] |= 1 << bit % 8;
  return signature;
}

TEST_P(BackendContractTest, FindsPicturesThatAreAlikeAsAWhole) {
  const auto put = [&](const std::string& path, unsigned seed, const Pdq& signature) {
    PutItem item = MakeItem(path, static_cast<int>(seed), 0);
    FeatureSet features = *item.features;
    features.pdq = signature;
    item.features = std::make_shared<const FeatureSet>(std::move(features));
    const ImageId id = PutOne(*backend_, item).id;
    return Pinned(*backend_)->FindId(id)->value().content;
  };
  const std::int64_t same = put("/same", 1, MakeSignature(0, 100));
  const std::int64_t near = put("/near", 2, MakeSignature(0, 120));
  const std::int64_t turned = put("/turned", 3, MakeSignature(100, 150));
  put("/far", 4, MakeSignature(0, 132));
  put("/none", 5, {});
  const AlikeQuery query{.turns = {MakeSignature(0, 100), MakeSignature(100, 140)}};
  const AlikeQuery of_stored{.turns = {MakeSignature(0, 100)}, .exclude_content = same};
  const std::vector<AlikeQuery> queries = {query, of_stored, {}};
  auto found = Pinned(*backend_)->FindAlike(queries, 31);
  ASSERT_TRUE(found.ok()) << found.status().message();
  ASSERT_EQ(found->size(), 3u);
  const auto contents = [](const std::vector<AlikeContent>& alike) {
    std::vector<std::array<std::int64_t, 3>> of;
    for (const AlikeContent& one : alike) of.push_back({one.content, one.distance, one.turn});
    return of;
  };
  using Rows = std::vector<std::array<std::int64_t, 3>>;
  EXPECT_EQ(contents((*found)[0]), (Rows{{same, 0, 0}, {turned, 10, 1}, {near, 20, 0}}));
  EXPECT_EQ(contents((*found)[1]), (Rows{{near, 20, 0}}));
  EXPECT_TRUE((*found)[2].empty());
  const std::vector<ImageId> gone = {Pinned(*backend_)->FindPath("/same")->value().id};
  ASSERT_TRUE(backend_->Remove(gone).ok());
  found = Pinned(*backend_)->FindAlike(queries, 31);
  EXPECT_EQ(contents((*found)[0]), (Rows{{turned, 10, 1}, {near, 20, 0}}));
  EXPECT_EQ(FeaturesOf(*backend_, Pinned(*backend_)->FindPath("/near")->value().id)->pdq,
            MakeSignature(0, 120));
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, MissingFeaturesStoreNothingOfTheBatch) {
  std::vector<PutItem> items = {MakeItem("/a", 1), MakeItem("/b", 2)};
  items[1].features = nullptr;
  EXPECT_EQ(backend_->Put(items).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(StateOf(*backend_).empty());
  EXPECT_EQ(*Pinned(*backend_)->FindContent(MakeHash(1)), 0);
}

TEST_P(BackendContractTest, BadItemsAreRefused) {
  PutItem item = MakeItem("/a", 1);
  auto broken = std::make_shared<FeatureSet>(*item.features);
  broken->descriptors.pop_back();
  item.features = broken;
  EXPECT_EQ(backend_->Put({&item, 1}).status().code(), StatusCode::kInvalidArgument);
  item = MakeItem("", 1);
  EXPECT_EQ(backend_->Put({&item, 1}).status().code(), StatusCode::kInvalidArgument);
  item = MakeItem("/a", 1);
  item.attributes = {{"a", "\xff"}};
  EXPECT_EQ(backend_->Put({&item, 1}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(StateOf(*backend_).empty());
  const SearchQuery query{.features = broken.get()};
  EXPECT_EQ(Pinned(*backend_)->Search({&query, 1}, {}).status().code(),
            StatusCode::kInvalidArgument);
  const SearchQuery good{.features = item.features.get()};
  EXPECT_EQ(Pinned(*backend_)->Search({&good, 1}, {.neighbours = 0}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_P(BackendContractTest, APathGivenTwiceInABatchEndsAsItsLast) {
  const std::vector<PutItem> items = {MakeItem("/a", 1), MakeItem("/a", 1), MakeItem("/b", 1),
                                      MakeItem("/c", 2), MakeItem("/c", 3), MakeItem("/d", 3)};
  const auto outcomes = backend_->Put(items);
  ASSERT_TRUE(outcomes.ok()) << outcomes.status().message();
  EXPECT_EQ((*outcomes)[0].action, PutAction::kAdded);
  EXPECT_EQ((*outcomes)[1].action, PutAction::kUnchanged);
  EXPECT_EQ((*outcomes)[1].id, (*outcomes)[0].id);
  EXPECT_EQ((*outcomes)[2].action, PutAction::kAdded);
  EXPECT_EQ((*outcomes)[4].action, PutAction::kReplaced);
  EXPECT_EQ(Pinned(*backend_)->FindPath("/c")->value().hash, MakeHash(3));
  EXPECT_EQ(Pinned(*backend_)->Stats()->images, 4);
  EXPECT_EQ(Pinned(*backend_)->Stats()->contents, 2);
  EXPECT_EQ(Pinned(*backend_)->Stats()->descriptors, 24);
  EXPECT_EQ(Pinned(*backend_)->Stats()->removed_descriptors, 0);
  EXPECT_EQ(*Pinned(*backend_)->FindContent(MakeHash(2)), 0);
  ExpectSound(*backend_);
}

TEST_P(BackendContractTest, GivesFeaturesBack) {
  const ImageId id = PutOne(*backend_, MakeItem("/a", 1)).id;
  const auto features = FeaturesOf(*backend_, id);
  ASSERT_TRUE(features.ok());
  const auto expected = MakeFeatures(1);
  EXPECT_EQ(features->descriptors, expected->descriptors);
  EXPECT_EQ(features->width, expected->width);
  ASSERT_EQ(features->size(), expected->size());
  EXPECT_NEAR(features->keypoints[3].x, expected->keypoints[3].x, 0.01);
}

TEST_P(BackendContractTest, ListsByIdUntilToldToStopAndLetsTheVisitorWrite) {
  for (int i = 1; i <= 5; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  std::vector<ImageId> ids;
  const Status status = Pinned(*backend_)->List([&](const ImageRecord& image) {
    ids.push_back(image.id);
    PutOne(*backend_, MakeItem("/x" + image.path, 50 + static_cast<int>(image.id)));
    return ids.size() < 4;
  });
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_THAT(ids, ::testing::ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(Pinned(*backend_)->Stats()->images, 9);
}

TEST_P(BackendContractTest, ListsFromAnIdOn) {
  for (int i = 1; i <= 300; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  const ImageId gone = 270;
  ASSERT_EQ(*backend_->Remove({&gone, 1}), 1);
  for (const auto& [after, first, count] :
       {std::tuple<ImageId, ImageId, int>{0, 1, 299}, {269, 271, 30}, {299, 300, 1}, {300, 0, 0}}) {
    std::vector<ImageId> ids;
    const Status status = Pinned(*backend_)->List(
        [&](const ImageRecord& image) {
          ids.push_back(image.id);
          return true;
        },
        {}, after);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(ids.empty() ? 0 : ids.front(), first);
  }
}

TEST_P(BackendContractTest, MergingAndCompactingChangeNoResult) {
  for (int i = 1; i <= 60; ++i) {
    PutOne(*backend_, MakeItem("/" + std::to_string(i), i, 1 + i % 13));
    if (i % 7 == 0) {
      const ImageId gone = Pinned(*backend_)->FindPath("/" + std::to_string(i - 3))->value().id;
      EXPECT_EQ(*backend_->Remove({&gone, 1}), 1);
    }
  }
  const auto before = StateOf(*backend_);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [path, hash] : before) {
      const int seed = std::stoi(path.substr(1));
      EXPECT_EQ(BestContent(*backend_, seed, 0, 1 + seed % 13),
                Pinned(*backend_)->FindPath(path)->value().content);
    }
    ASSERT_TRUE(backend_->Compact().ok());
    EXPECT_EQ(StateOf(*backend_), before);
    ExpectSound(*backend_);
  }
  EXPECT_EQ(Pinned(*backend_)->Stats()->segments, 1);
}

TEST_P(BackendContractTest, ASnapshotStaysAsItWasWhateverIsWritten) {
  for (int i = 1; i <= 9; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  const VerdictRecord verdict{MakeHash(1), MakeHash(2), Verdict::kNotACopy, 5};
  ASSERT_TRUE(backend_->PutVerdicts({&verdict, 1}).ok());
  const auto before = Pinned(*backend_);
  const std::vector<ImageId> gone = {2, 4};
  ASSERT_EQ(*backend_->Remove(gone), 2);
  PutOne(*backend_, MakeItem("/5", 50));
  PutOne(*backend_, MakeItem("/new", 51));
  ASSERT_EQ(*backend_->ForgetVerdicts({&verdict, 1}), 1);
  ASSERT_TRUE(backend_->Compact().ok());

  EXPECT_LT(before->generation(), Pinned(*backend_)->generation());
  EXPECT_EQ(before->Stats()->images, 9);
  EXPECT_EQ(before->Stats()->removed_descriptors, 0);
  EXPECT_EQ(before->Verdicts()->size(), 1U);
  EXPECT_FALSE(before->FindPath("/new")->has_value());
  EXPECT_EQ(before->FindPath("/5")->value().hash, MakeHash(5));
  EXPECT_EQ(before->FindId(2)->value().path, "/2");
  EXPECT_EQ(*before->FindContent(MakeHash(4)), 4);
  int listed = 0;
  EXPECT_TRUE(before->List([&](const ImageRecord&) { return ++listed > 0; }).ok());
  EXPECT_EQ(listed, 9);
  const auto features = MakeFeatures(2);
  const SearchQuery query{.features = features.get()};
  EXPECT_EQ(before->Search({&query, 1}, {})->front().candidates.front().content, 2);
  const std::int64_t content = 2;
  EXPECT_EQ(before->Features({&content, 1})->front().descriptors, features->descriptors);
  EXPECT_EQ(before->Describe({&content, 1})->front().size(), 1U);
  EXPECT_EQ(FeaturesOf(*backend_, content).status().code(), StatusCode::kNotFound);
}

TEST_P(BackendContractTest, ManyContentsAreAnsweredInTheOrderAsked) {
  for (int i = 1; i <= 5; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  const auto snapshot = Pinned(*backend_);
  const std::vector<std::int64_t> contents = {4, 1, 4, 5};
  const auto features = snapshot->Features(contents);
  const auto images = snapshot->Describe(contents);
  ASSERT_TRUE(features.ok() && images.ok());
  ASSERT_EQ(features->size(), contents.size());
  ASSERT_EQ(images->size(), contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const int seed = static_cast<int>(contents[i]);
    EXPECT_EQ((*features)[i].descriptors, MakeFeatures(seed)->descriptors);
    ASSERT_EQ((*images)[i].size(), 1U);
    EXPECT_EQ((*images)[i][0].hash, MakeHash(seed));
  }
  EXPECT_TRUE(snapshot->Features({})->empty());
  const std::vector<std::int64_t> one_missing = {1, 77};
  EXPECT_EQ(snapshot->Features(one_missing).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(snapshot->Describe(one_missing)->back().empty());
}

TEST_P(BackendContractTest, CallsEndAtTheirDeadlineAndWhenToldToStop) {
  PutOne(*backend_, MakeItem("/a", 1));
  const auto snapshot = Pinned(*backend_);
  const auto features = MakeFeatures(1);
  const SearchQuery query{.features = features.get()};
  const std::int64_t content = 1;
  const auto expect = [&](const CallOptions& call, StatusCode code) {
    EXPECT_EQ(snapshot->Search({&query, 1}, {.call = call}).status().code(), code);
    EXPECT_EQ(snapshot->Features({&content, 1}, call).status().code(), code);
    EXPECT_EQ(snapshot->Describe({&content, 1}, call).status().code(), code);
    EXPECT_EQ(snapshot->List([](const ImageRecord&) { return true; }, call).code(), code);
  };
  const auto now = std::chrono::steady_clock::now();
  expect({.deadline = now, .stop = {}}, StatusCode::kDeadlineExceeded);
  expect({.deadline = {}, .stop = [] { return true; }}, StatusCode::kCancelled);
  expect({.deadline = now + std::chrono::hours(1), .stop = [] { return false; }}, StatusCode::kOk);
}

TEST_P(BackendContractTest, OneSnapshotServesManyThreads) {
  for (int i = 1; i <= 8; ++i) PutOne(*backend_, MakeItem("/" + std::to_string(i), i));
  const auto snapshot = Pinned(*backend_);
  std::vector<std::thread> threads;
  for (int i = 1; i <= 8; ++i) {
    threads.emplace_back([&, i] {
      const auto features = MakeFeatures(i);
      const SearchQuery query{.features = features.get()};
      for (int round = 0; round < 20; ++round) {
        const auto found = snapshot->Search({&query, 1}, {});
        ASSERT_TRUE(found.ok()) << found.status().message();
        const std::int64_t content = found->front().candidates.front().content;
        EXPECT_EQ(snapshot->Describe({&content, 1})->front().front().hash, MakeHash(i));
        EXPECT_EQ(snapshot->Features({&content, 1})->front().size(), 12U);
        EXPECT_EQ(snapshot->Stats()->images, 8);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace siftsearch::local
