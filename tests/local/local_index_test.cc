#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "env/file_env.h"
#include "index/index_cache.h"
#include "local/local_backend.h"
#include "testing.h"

namespace siftsearch::local {
namespace {

constexpr int kRowsEach = 500;
constexpr int kProbe = 40;  // Query descriptors.
/// Enough contents for an index.
constexpr int kContents = 12;

std::unique_ptr<SearchBackend> OpenWith(const std::string& folder, const std::string& key,
                                        bool read_only = false) {
  auto backend = LocalBackend::Open(DiskEnv(), folder,
                                    {.create = !read_only, .read_only = read_only, .index = key});
  EXPECT_TRUE(backend.ok()) << backend.status().message();
  return backend.ok() ? std::move(backend).value() : nullptr;
}

/// Every content is found by its own descriptors, by a reader that begins anew.
void ExpectContentsFound(const std::string& folder, const std::string& key, bool read_only,
                         int last) {
  const auto reader = OpenWith(folder, key, read_only);
  ASSERT_NE(reader, nullptr);
  for (int seed = 1; seed <= last; ++seed) {
    EXPECT_EQ(BestContent(*reader, seed, 0, kProbe), seed);
  }
}

class LocalIndexTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    backend_ = OpenWith(folder(), GetParam());
    ASSERT_NE(backend_, nullptr);
    AddContents(1, kContents);
  }

  std::string folder() const { return root_.path("db"); }
  std::string cache() const { return folder() + "/index.cache"; }

  void AddContents(int first, int last) {
    std::vector<PutItem> items;
    for (int seed = first; seed <= last; ++seed) {
      items.push_back(MakeItem("/p/" + std::to_string(seed), seed, kRowsEach));
    }
    ASSERT_TRUE(backend_->Put(items).ok());
  }

  void ExpectAllFound(int last = kContents) {
    ExpectContentsFound(folder(), GetParam(), /*read_only=*/true, last);
  }

  TestFolder root_;
  std::unique_ptr<SearchBackend> backend_;
};

TEST_P(LocalIndexTest, ACommitStoresTheIndexAndSearchesUseIt) {
  EXPECT_TRUE(std::filesystem::exists(cache()));
  EXPECT_GT(Pinned(*backend_)->Stats()->index_bytes, 0);
  EXPECT_EQ(Pinned(*backend_)->Stats()->index, GetParam());
  ExpectAllFound();
}

TEST_P(LocalIndexTest, ADeletedOrDamagedCacheIsRebuilt) {
  const auto size = std::filesystem::file_size(cache());
  std::filesystem::remove(cache());
  ExpectAllFound();
  EXPECT_TRUE(std::filesystem::exists(cache()));  // A reader that may write stores it.
  std::filesystem::resize_file(cache(), size / 2);
  ExpectAllFound();
  EXPECT_GT(std::filesystem::file_size(cache()), size / 2);
  {
    std::fstream file(cache(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 2));
    file.write("\xa5\x5a\xa5\x5a", 4);
  }
  ExpectAllFound();
}

TEST_P(LocalIndexTest, AnotherDatabasesCacheIsNotTrusted) {
  const std::string other = root_.path("other");
  {
    const auto backend = OpenWith(other, GetParam());
    for (int seed = 1; seed <= kContents; ++seed) {
      // The same numbers of contents and rows, other descriptors.
      PutOne(*backend, MakeItem("/q/" + std::to_string(seed), 100 + seed, kRowsEach));
    }
  }
  std::filesystem::copy_file(other + "/index.cache", cache(),
                             std::filesystem::copy_options::overwrite_existing);
  ExpectAllFound();
}

TEST_P(LocalIndexTest, AnEarlierCacheFindsWhatWasAddedSince) {
  const std::string kept = root_.path("kept.cache");
  std::filesystem::copy_file(cache(), kept);
  AddContents(kContents + 1, 2 * kContents);
  std::filesystem::copy_file(kept, cache(), std::filesystem::copy_options::overwrite_existing);
  ExpectAllFound(2 * kContents);
}

TEST_P(LocalIndexTest, OneMoreImageIsFoundWithoutANewIndex) {
  const auto before = std::filesystem::last_write_time(cache());
  AddContents(kContents + 1, kContents + 1);
  EXPECT_EQ(std::filesystem::last_write_time(cache()), before);
  ExpectAllFound(kContents + 1);
}

TEST_P(LocalIndexTest, RemovedImagesAndTheExcludedOneAreNeverReturned) {
  EXPECT_NE(BestContent(*backend_, 4, /*exclude=*/4, kProbe), 4);
  const std::vector<ImageId> ids = {3, 5};
  ASSERT_EQ(*backend_->Remove(ids), 2);
  for (const int seed : {3, 5}) EXPECT_NE(BestContent(*backend_, seed, 0, kProbe), seed);
  ASSERT_TRUE(backend_->Compact().ok());
  for (const int seed : {3, 5}) EXPECT_NE(BestContent(*backend_, seed, 0, kProbe), seed);
  EXPECT_EQ(BestContent(*backend_, 4, 0, kProbe), 4);
  AddContents(3, 3);  // Stored again, with a new number.
  EXPECT_EQ(BestContent(*backend_, 3, 0, kProbe), kContents + 1);
}

TEST_P(LocalIndexTest, MergedSegmentsKeepTheIndex) {
  for (int seed = kContents + 1; seed <= kContents + 10; ++seed) AddContents(seed, seed);
  ExpectAllFound(kContents + 10);
  ASSERT_TRUE(backend_->Compact().ok());
  ExpectAllFound(kContents + 10);
}

TEST_P(LocalIndexTest, AnotherKeyIsRefused) {
  const auto other = LocalBackend::Open(DiskEnv(), folder(), {.index = "IVF8,Flat"});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), StatusCode::kIncompatible);
  EXPECT_NE(other.status().message().find("`siftsearch index IVF8,Flat` changes it"),
            std::string::npos);
  const auto any = LocalBackend::Open(DiskEnv(), folder(), {});
  ASSERT_TRUE(any.ok());
  EXPECT_EQ(Pinned(**any)->Stats()->index, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Keys, LocalIndexTest,
                         ::testing::Values("IDMap,HNSW48", "IVF16,Flat", "IVF16,SQ8"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), ',', '_');
                           return name;
                         });

/// Enough contents for lookups by terms.
constexpr int kTermedContents = 24;

class LocalTermsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    backend_ = OpenWith(folder(), "Terms");
    ASSERT_NE(backend_, nullptr);
    for (int seed = 1; seed <= kTermedContents; ++seed) {
      PutOne(*backend_, MakeItem("/p/" + std::to_string(seed), seed, kRowsEach));
    }
  }

  std::string folder() const { return root_.path("db"); }

  std::vector<std::string> Names(const std::string& part) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder() + "/" + part)) {
      names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::vector<std::string> TermsFiles() const {
    std::vector<std::string> files;
    for (const std::string& name : Names("terms")) {
      files.push_back(folder() + "/terms/" + name + ".terms");
    }
    return files;
  }

  static std::string BytesOf(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void ExpectAllFound() {
    ExpectContentsFound(folder(), "Terms", /*read_only=*/false, kTermedContents);
  }

  TestFolder root_;
  std::unique_ptr<SearchBackend> backend_;
};

TEST_F(LocalTermsTest, EachSegmentHasItsFile) {
  EXPECT_EQ(Names("terms"), Names("segments"));
  EXPECT_GT(Names("terms").size(), 1u);
  // Twelve bytes a row, and tables.
  EXPECT_GE(Pinned(*backend_)->Stats()->index_bytes, 12 * kRowsEach * kTermedContents);
  EXPECT_LT(Pinned(*backend_)->Stats()->index_bytes, 13 * kRowsEach * kTermedContents);
  ExpectAllFound();
}

TEST_F(LocalTermsTest, RemovedImagesThatAreNearerTakeNoPlaces) {
  constexpr int kSeed = 500, kRemoved = 300;
  PutItem kept = MakeItem("/p/kept", kSeed);
  FeatureSet moved = *kept.features;
  for (auto& value : moved.descriptors) value = static_cast<std::uint8_t>(value + value % 23);
  kept.features = std::make_shared<const FeatureSet>(std::move(moved));
  // With so many rows beside those that are removed, the segment stays as it is.
  std::vector<PutItem> items = {kept, MakeItem("/p/many", 900, 5000)};
  for (int i = 1; i <= kRemoved; ++i) {
    items.push_back(MakeItem("/p/removed" + std::to_string(i), kSeed));
    items.back().hash = MakeHash(kSeed + i);
  }
  const auto outcomes = backend_->Put(items);
  ASSERT_TRUE(outcomes.ok());
  std::vector<ImageId> removed;
  for (std::size_t i = 2; i < items.size(); ++i) removed.push_back(outcomes->at(i).id);
  ASSERT_EQ(*backend_->Remove(removed), kRemoved);
  EXPECT_EQ(BestContent(*backend_, kSeed), ImagesOf(*backend_, kTermedContents + 1)[0].content);
}

TEST_F(LocalTermsTest, MissingAndDamagedFilesAreMadeAgain) {
  const std::string file = TermsFiles().front();
  const std::string whole = BytesOf(file);
  std::filesystem::remove(file);
  ExpectAllFound();
  EXPECT_EQ(BytesOf(file), whole);
  for (const std::size_t part : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[part] = static_cast<char>(damaged[part] ^ 1);
    std::ofstream(file, std::ios::binary) << damaged;
    const auto problems = backend_->Check();
    ASSERT_TRUE(problems.ok());
    ASSERT_EQ(problems->size(), 1u);
    EXPECT_EQ(problems->front().file, file);
    ExpectAllFound();
    EXPECT_EQ(BytesOf(file), whole);
    EXPECT_TRUE(backend_->Check()->empty());
    std::ofstream(file, std::ios::binary) << whole.substr(0, part);
    ExpectAllFound();
    EXPECT_EQ(BytesOf(file), whole);
  }
}

TEST_F(LocalTermsTest, WhatAnInterruptedWriteLeftIsNoDamage) {
  std::ofstream(TermsFiles().front() + ".tmp") << "x";
  EXPECT_TRUE(backend_->Check()->empty());
}

TEST_F(LocalTermsTest, AnotherSegmentsFileIsNotTrusted) {
  const auto files = TermsFiles();
  ASSERT_GT(files.size(), 1u);
  const std::string whole = BytesOf(files[0]);
  std::ofstream(files[0], std::ios::binary) << BytesOf(files[1]);
  ExpectAllFound();
  EXPECT_EQ(BytesOf(files[0]), whole);
}

TEST_F(LocalTermsTest, AMergeTakesTermsOverAndGivesWhatComputingGives) {
  ASSERT_TRUE(backend_->Compact().ok());
  ASSERT_EQ(Names("terms"), Names("segments"));
  ASSERT_EQ(Names("terms").size(), 1u);
  ExpectAllFound();
  const std::string merged = BytesOf(TermsFiles().front());
  std::filesystem::remove(TermsFiles().front());
  ExpectAllFound();
  EXPECT_EQ(BytesOf(TermsFiles().front()), merged);
}

TEST_F(LocalTermsTest, RemovedImagesAndTheExcludedOneAreNeverReturned) {
  EXPECT_NE(BestContent(*backend_, 4, /*exclude=*/4, kProbe), 4);
  const std::vector<ImageId> ids = {3, 5};
  ASSERT_EQ(*backend_->Remove(ids), 2);
  for (const int seed : {3, 5}) EXPECT_NE(BestContent(*backend_, seed, 0, kProbe), seed);
  ASSERT_TRUE(backend_->Compact().ok());
  for (const int seed : {3, 5}) EXPECT_NE(BestContent(*backend_, seed, 0, kProbe), seed);
  EXPECT_EQ(BestContent(*backend_, 4, 0, kProbe), 4);
}

TEST_F(LocalTermsTest, DamageIsFoundWhereAnAnswerIsMadeOfIt) {
  ASSERT_TRUE(backend_->Compact().ok());
  const std::string file = folder() + "/segments/" + Names("segments").front() + ".seg";
  const std::string whole = BytesOf(file);
  constexpr std::size_t kHeader = 64, kKeypoints = kHeader + kTermedContents * kRowsEach * 128;
  ASSERT_GT(kKeypoints, std::size_t{1} << 20) << "the last content is not in the first chunk";
  const auto damage = [&](std::size_t at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(file, std::ios::binary) << damaged;
    return OpenWith(folder(), "Terms");
  };
  const auto elsewhere = damage(kHeader);
  EXPECT_EQ(BestContent(*elsewhere, kTermedContents, 0, kProbe), kTermedContents);
  EXPECT_TRUE(FeaturesOf(*elsewhere, kTermedContents).ok());
  const Status status = FeaturesOf(*elsewhere, 1).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find(file), std::string::npos) << status.message();
  EXPECT_EQ(elsewhere->Check()->size(), 1u);
  const auto candidate = damage(kKeypoints);
  const auto features = MakeFeatures(1, kProbe);
  const SearchQuery query{.features = features.get()};
  EXPECT_EQ(Pinned(*candidate)->Search({&query, 1}, {}).status().code(), StatusCode::kCorrupt);
}

TEST_F(LocalTermsTest, AReaderThatMayNotWriteFindsAllTheSame) {
  for (const std::string& file : TermsFiles()) std::filesystem::remove(file);
  // A file in the place of the folder: nothing can be written there.
  std::filesystem::remove(folder() + "/terms");
  std::ofstream(folder() + "/terms") << "x";
  ExpectContentsFound(folder(), "Terms", /*read_only=*/true, kTermedContents);
  // Nor does it keep anybody from storing more.
  PutOne(*backend_, MakeItem("/p/more", kTermedContents + 1, kRowsEach));
  EXPECT_EQ(BestContent(*backend_, kTermedContents + 1, 0, kProbe), kTermedContents + 1);
}

TEST(LocalIndexKeyTest, TwiceTheRowsAreTrainedAnew) {
  const TestFolder root;
  const std::string folder = root.path("db");
  const auto backend = OpenWith(folder, "IVF16,Flat");
  const auto trained_rows = [&] {
    const auto header = index::ReadCacheHeader(DiskEnv(), folder + "/index.cache",
                                               *index::FactoryKey::Parse("IVF16,Flat"));
    EXPECT_TRUE(header.ok()) << header.status().message();
    return header.ok() ? header->trained_rows : 0;
  };
  const auto add = [&](int first, int last) {
    std::vector<PutItem> items;
    for (int seed = first; seed <= last; ++seed) {
      items.push_back(MakeItem("/p/" + std::to_string(seed), seed, kRowsEach));
    }
    ASSERT_TRUE(backend->Put(items).ok());
  };
  add(1, 12);
  EXPECT_EQ(trained_rows(), 12 * kRowsEach);
  add(13, 23);
  EXPECT_EQ(trained_rows(), 12 * kRowsEach);
  add(24, 34);
  EXPECT_EQ(trained_rows(), 34 * kRowsEach);
}

TEST_F(LocalTermsTest, NearestRowsAreWhatVotesWereCountedFrom) {
  const auto features = MakeFeatures(3, kProbe);
  const SearchQuery query{.features = features.get()};
  const auto results = Pinned(*backend_)->Search({&query, 1}, {.neighbours = 4});
  ASSERT_TRUE(results.ok());
  const auto& nearest = results->front().nearest;
  ASSERT_EQ(nearest.size(), 4 * features->size());
  for (std::size_t i = 0; i < features->size(); ++i) {
    EXPECT_EQ(nearest[4 * i].distance, 0);
    EXPECT_EQ(nearest[4 * i].content, 3);
    for (std::size_t n = 1; n < 4 && nearest[4 * i + n].content > 0; ++n) {
      EXPECT_GE(nearest[4 * i + n].distance, nearest[4 * i + n - 1].distance);
    }
  }
}

TEST_F(LocalTermsTest, AFewDescriptorsGetTheAnswerThatTheyGetAmongMany) {
  // Rows of a few are read, those of many are touched.
  const auto few = MakeFeatures(7, 2), many = MakeFeatures(8, 200);
  const SearchQuery queries[] = {{.features = few.get()}, {.features = many.get()}};
  const auto alone = Pinned(*backend_)->Search({queries, 1}, {});
  const auto among = Pinned(*backend_)->Search({queries, 2}, {});
  ASSERT_TRUE(alone.ok() && among.ok());
  ASSERT_EQ(alone->front().candidates.size(), among->front().candidates.size());
  EXPECT_EQ(alone->front().candidates.front().content, 7);
  for (std::size_t i = 0; i < alone->front().candidates.size(); ++i) {
    EXPECT_EQ(alone->front().candidates[i].content, among->front().candidates[i].content);
    EXPECT_EQ(alone->front().candidates[i].votes, among->front().candidates[i].votes);
  }
}

TEST(LocalIndexKeyTest, AllListsGiveTheExactAnswer) {
  const TestFolder root;
  const auto exact = OpenWith(root.path("exact"), "IDMap,Flat");
  const auto lists = OpenWith(root.path("lists"), "IVF16,Flat");
  ASSERT_TRUE(exact != nullptr && lists != nullptr);
  for (int seed = 1; seed <= kContents; ++seed) {
    PutOne(*exact, MakeItem("/" + std::to_string(seed), seed, kRowsEach));
    PutOne(*lists, MakeItem("/" + std::to_string(seed), seed, kRowsEach));
  }
  const auto features = MakeFeatures(99, 200);
  const SearchQuery query{.features = features.get(), .exclude_content = 2};
  SearchOptions options;
  const auto want = Pinned(*exact)->Search({&query, 1}, options);
  options.approximation = Approximation{.nprobe = 16};
  const auto got = Pinned(*lists)->Search({&query, 1}, options);
  ASSERT_TRUE(want.ok() && got.ok());
  ASSERT_EQ(want->front().candidates.size(), got->front().candidates.size());
  for (std::size_t i = 0; i < want->front().candidates.size(); ++i) {
    EXPECT_EQ(want->front().candidates[i].content, got->front().candidates[i].content);
    EXPECT_EQ(want->front().candidates[i].votes, got->front().candidates[i].votes);
  }
}

TEST(LocalIndexKeyTest, WrongKeysMakeNoDatabase) {
  const TestFolder root;
  const auto refused =
      LocalBackend::Open(DiskEnv(), root.path("db"), {.create = true, .index = "IVF64,PQ7"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(root.path("db")));
}

TEST(LocalIndexKeyTest, NumbersOfAnotherKindOfIndexAreRefused) {
  const TestFolder root;
  const auto code = [](SearchBackend& backend, const Approximation& approximation) {
    const auto features = MakeFeatures(1);
    const SearchQuery query{.features = features.get()};
    return Pinned(backend)->Search({&query, 1}, {.approximation = approximation}).status().code();
  };
  const auto graph = OpenWith(root.path("graph"), "IDMap,HNSW48");
  EXPECT_EQ(code(*graph, {.nprobe = 4}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(*graph, {.ef_search = 64}), StatusCode::kOk);
  const auto exact = OpenWith(root.path("exact"), "IDMap,Flat");
  EXPECT_EQ(code(*exact, {.ef_search = 4}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(*exact, {.rerank = false}), StatusCode::kOk);
}

}  // namespace
}  // namespace siftsearch::local
