#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "catalog/sqlite.h"
#include "env/file_env.h"
#include "local/local_backend.h"
#include "support/fault_env.h"
#include "testing.h"

namespace siftsearch::local {
namespace {

using ::testing::HasSubstr;

constexpr int kRowsEach = 500;
constexpr int kProbe = 40;  // Query descriptors.
/// Enough contents for lookups by terms and for an index of Faiss.
constexpr int kContents = 24;
/// Where "auto" changes over in these tests.
constexpr std::int64_t kFrom = 10'000;

class SetIndexTest : public ::testing::Test {
 protected:
  std::string folder() const { return root_.path("db"); }
  std::string cache() const { return folder() + "/index.cache"; }

  std::unique_ptr<LocalBackend> Open(OpenOptions options = {}, FileEnv& env = DiskEnv()) {
    options.create = !options.read_only;
    if (options.terms_from == kTermsFrom) options.terms_from = kFrom;
    auto backend = LocalBackend::Open(env, folder(), options);
    EXPECT_TRUE(backend.ok()) << backend.status().message();
    return backend.ok() ? std::move(backend).value() : nullptr;
  }

  static void Add(SearchBackend& backend, int first, int last) {
    for (int seed = first; seed <= last; ++seed) {
      PutOne(backend, MakeItem("/p/" + std::to_string(seed), seed, kRowsEach));
    }
  }

  static void Remove(SearchBackend& backend, int first, int last) {
    std::vector<ImageId> ids;
    for (int id = first; id <= last; ++id) ids.push_back(id);
    EXPECT_TRUE(backend.Remove(ids).ok());
  }

  static void ExpectFound(SearchBackend& backend, int first = 1, int last = kContents) {
    for (int seed = first; seed <= last; ++seed) {
      EXPECT_EQ(BestContent(backend, seed, 0, kProbe), seed);
    }
  }

  /// Whether a search says what was nearest, since it may have missed rows.
  static bool MissesMayBeCounted(SearchBackend& backend) {
    const auto features = MakeFeatures(1, kProbe);
    const SearchQuery query{.features = features.get()};
    return !Pinned(backend)->Search({&query, 1}, {})->front().nearest.empty();
  }

  std::size_t TermsFiles() const {
    const std::string terms = folder() + "/terms";
    if (!std::filesystem::exists(terms)) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(terms), {}));
  }
  std::size_t Segments() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder() + "/segments"), {}));
  }

  void Execute(const std::string& sql) {
    auto db = catalog::Connection::Open(folder() + "/catalog.sqlite",
                                        catalog::Connection::Mode::kExisting);
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE((*db)->Execute(sql).ok());
  }

  TestFolder root_;
};

TEST_F(SetIndexTest, EachKeyFindsTheSameAndLeavesItsOwnFilesOnly) {
  const auto backend = Open();
  Add(*backend, 1, kContents);
  const auto reader = Open({.read_only = true});
  ExpectFound(*reader);
  for (const std::string key : {"Terms", "IDMap,HNSW48", "IVF16,Flat", "IDMap,Flat", "Terms",
                                "auto", "IVF16,SQ8", "auto", "Flat"}) {
    SCOPED_TRACE(key);
    ASSERT_TRUE(backend->SetIndex(key).ok());
    const bool terms = key == "Terms" || key == "auto";
    EXPECT_EQ(TermsFiles(), terms ? Segments() : 0);
    EXPECT_EQ(std::filesystem::exists(cache()), key.starts_with("IVF") || key == "IDMap,HNSW48");
    EXPECT_EQ(Pinned(*backend)->Stats()->index, key);
    EXPECT_EQ(Pinned(*backend)->Stats()->index_in_use, key == "auto" ? "Terms" : key);
    EXPECT_EQ(MissesMayBeCounted(*backend), key != "Flat" && key != "IDMap,Flat");
    ExpectFound(*backend);
    ExpectFound(*reader);
    ExpectFound(*Open({.read_only = true}));
  }
  ExpectSound(*backend);
}

TEST_F(SetIndexTest, WhatGoesOverTheWholeDatabaseTellsHowFarItIs) {
  const auto backend = Open({.index = "IDMap,Flat"});
  Add(*backend, 1, kContents);
  const std::int64_t rows = std::int64_t{kContents} * kRowsEach;
  std::vector<std::int64_t> told;
  const auto progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, rows);
    told.push_back(done);
  };
  const std::vector<std::function<Status()>> calls = {
      [&] { return backend->SetIndex("Terms", progress); },
      [&] { return backend->Check(progress).status(); },
      [&] { return backend->Compact(progress); }};
  for (const auto& call : calls) {
    told.clear();
    ASSERT_TRUE(call().ok());
    ASSERT_FALSE(told.empty());
    EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
    EXPECT_EQ(told.back(), rows);
  }
}

TEST_F(SetIndexTest, TheDefaultChangesOverWithTheRowsUpAndDown) {
  const auto backend = Open();
  EXPECT_EQ(Pinned(*backend)->Stats()->index, "auto");
  const int below = kFrom / kRowsEach - 1;
  Add(*backend, 1, below);
  EXPECT_EQ(Pinned(*backend)->Stats()->index_in_use, "IDMap,Flat");
  EXPECT_EQ(TermsFiles(), 0u);
  ExpectFound(*backend, 1, below);
  // The commit that crosses makes the files of all segments.
  Add(*backend, below + 1, below + 1);
  EXPECT_EQ(Pinned(*backend)->Stats()->index_in_use, "Terms");
  EXPECT_EQ(TermsFiles(), Segments());
  EXPECT_GT(Pinned(*backend)->Stats()->index_bytes, 8 * kFrom);
  Add(*backend, below + 2, kContents);
  EXPECT_EQ(TermsFiles(), Segments());
  ExpectFound(*backend);
  // Removed rows do not count.
  Remove(*backend, 1, 10);
  EXPECT_EQ(Pinned(*backend)->Stats()->index_in_use, "IDMap,Flat");
  ExpectFound(*backend, 11);
  ASSERT_TRUE(backend->Compact().ok());
  EXPECT_EQ(TermsFiles(), 0u);
  EXPECT_EQ(Pinned(*backend)->Stats()->index_bytes, 0);
  ExpectFound(*backend, 11);
  Remove(*backend, 11, 11);
  ExpectSound(*backend);
}

TEST_F(SetIndexTest, ExplicitExactSearchStaysExactAtAnySize) {
  const auto backend = Open({.index = "IDMap,Flat"});
  Add(*backend, 1, kContents);
  EXPECT_EQ(Pinned(*backend)->Stats()->index_in_use, "IDMap,Flat");
  EXPECT_EQ(TermsFiles(), 0u);
  ASSERT_TRUE(backend->Compact().ok());
  EXPECT_EQ(TermsFiles(), 0u);
  ExpectFound(*backend);
}

TEST_F(SetIndexTest, AReaderOfTheDefaultWithoutItsFilesAnswers) {
  {
    const auto backend = Open();
    Add(*backend, 1, kContents);
  }
  std::filesystem::remove_all(folder() + "/terms");
  // A file in the place of the folder: nothing can be written there.
  std::ofstream(folder() + "/terms") << "x";
  ExpectFound(*Open({.read_only = true}));
  std::filesystem::remove(folder() + "/terms");
  ExpectFound(*Open({.read_only = true}));
  EXPECT_EQ(TermsFiles(), Segments());  // Made again by a reader that may write.
}

TEST_F(SetIndexTest, BadKeysAndReadersChangeNothing) {
  const auto backend = Open();
  Add(*backend, 1, 2);
  const auto generation = Pinned(*backend)->Stats()->generation;
  for (const std::string key : {"", "Nonsense", "IVF64,PQ7", "AUTO", "auto "}) {
    const Status refused = backend->SetIndex(key);
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << key;
    EXPECT_THAT(refused.message(), HasSubstr("can't be"));
  }
  EXPECT_EQ(Open({.read_only = true})->SetIndex("Terms").code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(backend->SetIndex("auto").ok());  // Is so already: no commit.
  EXPECT_EQ(Pinned(*backend)->Stats()->index, "auto");
  EXPECT_EQ(Pinned(*backend)->Stats()->generation, generation);
}

TEST_F(SetIndexTest, ADamagedKeyFailsSearchesUntilAnotherIsSet) {
  const auto backend = Open();
  Add(*backend, 1, 2);
  Execute("UPDATE meta SET index_key = 'IVF0,Nonsense', generation = generation + 1");
  for (const bool fresh : {false, true}) {
    const auto reader = fresh ? Open({.read_only = true}) : nullptr;
    SearchBackend& searched = fresh ? *reader : *backend;
    const auto features = MakeFeatures(1);
    const SearchQuery query{.features = features.get()};
    const Status status = Pinned(searched)->Search({&query, 1}, {}).status();
    EXPECT_EQ(status.code(), StatusCode::kIncompatible);
    EXPECT_THAT(status.message(), HasSubstr(folder()));
    EXPECT_THAT(status.message(), HasSubstr("IVF0,Nonsense"));
    EXPECT_THAT(status.message(), HasSubstr("siftsearch index auto"));
    EXPECT_EQ(Pinned(searched)->Stats()->index, "IVF0,Nonsense");
    EXPECT_EQ(Pinned(searched)->Stats()->index_in_use, "");
    const auto problems = searched.Check();
    ASSERT_TRUE(problems.ok());
    ASSERT_EQ(problems->size(), 1u);
    EXPECT_THAT(problems->front().problem, HasSubstr("IVF0,Nonsense"));
  }
  Add(*backend, 3, 3);
  ASSERT_TRUE(backend->SetIndex("auto").ok());
  ExpectFound(*backend, 1, 3);
  ExpectSound(*backend);
}

TEST_F(SetIndexTest, WhatIsPinnedKeepsTheIndexThatItHad) {
  const auto backend = Open({.index = "IVF16,Flat"});
  Add(*backend, 1, kContents);
  const auto features = MakeFeatures(1);
  const SearchQuery query{.features = features.get()};
  const SearchOptions thorough{.neighbours = 3, .approximation = {.nprobe = 16}};
  const auto before = Pinned(*backend);
  ASSERT_TRUE(Open()->SetIndex("IDMap,Flat").ok());
  EXPECT_TRUE(before->Search({&query, 1}, thorough).ok());
  EXPECT_EQ(before->Stats()->index, "IVF16,Flat");
  EXPECT_EQ(Pinned(*backend)->Search({&query, 1}, thorough).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(SetIndexTest, SearchesGoOnWhileAnotherProcessChangesTheIndex) {
  Add(*Open(), 1, kContents);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // No key of Faiss: its threads do not live on in a process that was forked.
    for (const std::string key : {"Terms", "IDMap,Flat", "auto", "Flat", "Terms"}) {
      auto writer = LocalBackend::Open(DiskEnv(), folder(), {.terms_from = kFrom});
      if (!writer.ok() || !(*writer)->SetIndex(key).ok()) _exit(1);
    }
    _exit(0);
  }
  const auto reader = Open({.read_only = true});
  int status = 0;
  int searches = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    const int seed = searches++ % kContents + 1;
    ASSERT_EQ(BestContent(*reader, seed, 0, kProbe), seed);
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_GT(searches, 0);
  EXPECT_EQ(Pinned(*reader)->Stats()->index, "Terms");
  ExpectFound(*reader);
}

TEST_F(SetIndexTest, TwoWritersAddAndChangeTheIndexAtOnce) {
  Add(*Open(), 1, kContents - 4);
  std::thread adding([&] {
    const auto backend = Open();
    Add(*backend, kContents - 3, kContents);
  });
  const auto backend = Open();
  for (const std::string key : {"Terms", "IVF16,Flat", "auto"}) {
    EXPECT_TRUE(backend->SetIndex(key).ok());
  }
  adding.join();
  EXPECT_EQ(TermsFiles(), Segments());
  EXPECT_FALSE(std::filesystem::exists(cache()));
  ExpectFound(*Open({.read_only = true}));
  ExpectSound(*backend);
}

TEST_F(SetIndexTest, WhatFailsAnywhereLeavesADatabaseThatAnswers) {
  Add(*Open(), 1, kContents);
  const std::string kept = root_.path("kept");
  std::filesystem::copy(folder(), kept, std::filesystem::copy_options::recursive);
  for (const std::string key : {"Terms", "IVF16,Flat", "IDMap,Flat"}) {
    for (std::int64_t operation = 0;; ++operation) {
      SCOPED_TRACE(key + " " + std::to_string(operation));
      std::filesystem::remove_all(folder());
      std::filesystem::copy(kept, folder(), std::filesystem::copy_options::recursive);
      FaultEnv env(DiskEnv());
      const auto backend = Open({}, env);
      env.Arm({.first = operation,
               .count = FaultEnv::kAllLater,
               .status = Status(StatusCode::kOutOfSpace, "no space, says the test"),
               .tear = operation % 2 == 1});
      const Status changed = backend->SetIndex(key);
      const bool reached = env.operations() > operation;
      env.Disarm();
      EXPECT_TRUE(changed.ok() || changed.code() == StatusCode::kOutOfSpace) << changed.message();
      EXPECT_EQ(changed.ok(), !reached) << changed.message();
      ExpectFound(*Open({.read_only = true}), 1, 3);
      ASSERT_TRUE(backend->SetIndex(key).ok());
      EXPECT_EQ(TermsFiles(), key == "Terms" ? Segments() : 0u);
      EXPECT_EQ(std::filesystem::exists(cache()), key == "IVF16,Flat");
      if (HasFailure() || !reached) break;
    }
  }
}

}  // namespace
}  // namespace siftsearch::local
