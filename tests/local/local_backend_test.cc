#include "local/local_backend.h"

#include <faiss/Index.h>
#include <faiss/index_io.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "catalog/sqlite.h"
#include "env/file_env.h"
#include "support/fault_env.h"
#include "testing.h"

namespace siftsearch::local {
namespace {

using ::testing::HasSubstr;

class LocalBackendTest : public ::testing::Test {
 protected:
  std::string database() const { return folder_.path("db"); }

  static Result<std::unique_ptr<LocalBackend>> TryOpen(const std::string& folder,
                                                       OpenOptions options = {}) {
    return LocalBackend::Open(DiskEnv(), folder, options);
  }
  std::unique_ptr<LocalBackend> Open(OpenOptions options = {.create = true}) {
    auto backend = TryOpen(database(), options);
    EXPECT_TRUE(backend.ok()) << backend.status().message();
    return std::move(backend).value();
  }
  std::vector<std::filesystem::path> SegmentFiles() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(database() + "/segments")) {
      files.push_back(entry.path());
    }
    return files;
  }
  /// A database of three images in three segments.
  void MakeThree() {
    const auto backend = Open();
    for (int i = 1; i <= 3; ++i) PutOne(*backend, MakeItem("/" + std::to_string(i), i));
  }
  /// Searches and checks a database whose segment `file` was damaged.
  void ExpectDamageNamed(const std::filesystem::path& file) {
    const auto backend = Open({});
    const auto features = MakeFeatures(1);
    const SearchQuery query{.features = features.get()};
    const auto results = Pinned(*backend)->Search({&query, 1}, {});
    EXPECT_EQ(results.status().code(), StatusCode::kCorrupt);
    EXPECT_THAT(results.status().message(), HasSubstr(file.filename().string()));
    EXPECT_THAT(results.status().message(), HasSubstr("siftsearch check"));
    const auto problems = backend->Check();
    ASSERT_TRUE(problems.ok());
    ASSERT_FALSE(problems->empty());
    EXPECT_EQ(problems->front().file, file.string());
    // The catalogue goes on working.
    EXPECT_EQ(StateOf(*backend).size(), 3U);
    EXPECT_EQ(backend->Compact().code(), StatusCode::kCorrupt);
  }

  TestFolder folder_;
};

TEST_F(LocalBackendTest, AMissingDatabaseIsNamedAndNotMade) {
  const Status status = TryOpen(database()).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "there is no database at " + database() + " (make one with: siftsearch add)");
  EXPECT_FALSE(std::filesystem::exists(database()));
  EXPECT_FALSE(TryOpen(folder_.path("no/such/parent"), {.create = true}).ok());
}

TEST_F(LocalBackendTest, AnEmptyFolderIsUsedWhenCreating) {
  std::filesystem::create_directory(database());
  EXPECT_EQ(TryOpen(database()).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(TryOpen(database(), {.create = true}).ok());
  EXPECT_TRUE(TryOpen(database()).ok());
}

TEST_F(LocalBackendTest, WhatACrashLeftOfACreationIsUsed) {
  std::filesystem::create_directories(database() + "/segments");
  std::ofstream{database() + "/catalog.sqlite"};
  EXPECT_EQ(TryOpen(database()).status().code(), StatusCode::kNotFound);
  PutOne(*Open(), MakeItem("/a", 1));
}

TEST_F(LocalBackendTest, ARelativeFolderWorks) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path(""));
  for (const std::string name : {"one", "./two", "three/"}) {
    auto backend = TryOpen(name, {.create = true});
    ASSERT_TRUE(backend.ok()) << backend.status().message();
    PutOne(**backend, MakeItem("/a", 1));
    EXPECT_EQ(BestContent(**backend, 1), 1);
  }
  std::filesystem::current_path(before);
}

TEST_F(LocalBackendTest, AFolderThatIsSomethingElseIsRefused) {
  std::filesystem::create_directory(database());
  std::ofstream(database() + "/holiday.jpg") << "x";
  for (bool create : {false, true}) {
    const Status status = TryOpen(database(), {.create = create}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), database() + " is not a siftsearch database");
    EXPECT_EQ(TryOpen(database() + "/holiday.jpg", {.create = create}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(LocalBackendTest, OtherSettingsAreRefusedAndNamed) {
  ExtractorSettings settings;
  settings.max_features = 500;
  Open({.create = true, .settings = settings});
  EXPECT_EQ(Open({})->settings(), settings);
  EXPECT_TRUE(TryOpen(database(), {.settings = settings}).ok());
  settings.max_features = 600;
  settings.max_side = 100;
  const Status status = TryOpen(database(), {.create = true, .settings = settings}).status();
  EXPECT_EQ(status.code(), StatusCode::kIncompatible);
  EXPECT_THAT(status.message(), HasSubstr("max_features is 500 there and 600 here"));
  EXPECT_THAT(status.message(), HasSubstr("max_side is 640 there and 100 here"));
}

TEST_F(LocalBackendTest, ANewerFormatIsRefused) {
  Open();
  {
    auto db = catalog::Connection::Open(database() + "/catalog.sqlite",
                                        catalog::Connection::Mode::kExisting);
    ASSERT_TRUE((*db)->Execute("PRAGMA user_version = 9").ok());
  }
  for (bool read_only : {false, true}) {
    const Status status = TryOpen(database(), {.create = true, .read_only = read_only}).status();
    EXPECT_EQ(status.code(), StatusCode::kIncompatible);
    EXPECT_THAT(status.message(),
                HasSubstr("was made by a newer siftsearch (format 9; this program reads up to 5)"));
  }
}

TEST_F(LocalBackendTest, ReadOnlyRefusesWrites) {
  MakeThree();
  const auto backend = Open({.read_only = true});
  EXPECT_EQ(BestContent(*backend, 2), 2);
  const PutItem item = MakeItem("/new", 9);
  EXPECT_EQ(backend->Put({&item, 1}).status().code(), StatusCode::kPermissionDenied);
  const ImageId id = 1;
  EXPECT_EQ(backend->Remove({&id, 1}).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(backend->Compact().code(), StatusCode::kPermissionDenied);
}

/// In a child process that gives up the rights that root has.
TEST_F(LocalBackendTest, AFolderWithoutWritePermissionCanBeQueried) {
  MakeThree();
  for (const std::string name : {"", "/catalog.sqlite", "/segments"}) {
    const bool folder = name != "/catalog.sqlite";
    ASSERT_EQ(chmod((database() + name).c_str(), folder ? 0555 : 0444), 0);
  }
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(1);
    auto backend = LocalBackend::Open(DiskEnv(), database(), {});
    if (!backend.ok()) _exit(2);
    if (BestContent(**backend, 2) != 2) _exit(3);
    const PutItem item = MakeItem("/new", 9);
    const auto put = (*backend)->Put({&item, 1});
    _exit(put.status().code() == StatusCode::kPermissionDenied ? 0 : 4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  for (const std::string name : {"", "/segments"}) chmod((database() + name).c_str(), 0755);
}

TEST_F(LocalBackendTest, AMissingSegmentIsNamed) {
  MakeThree();
  const auto file = SegmentFiles().front();
  std::filesystem::remove(file);
  ExpectDamageNamed(file);
}

TEST_F(LocalBackendTest, AFlippedByteAnywhereIsNamed) {
  MakeThree();
  const auto file = SegmentFiles().front();
  const auto size = std::filesystem::file_size(file);
  for (std::size_t at :
       {std::size_t{3}, std::size_t{100}, std::size_t{1700}, size - 200, size - 5}) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(stream.get());
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(byte ^ 0x10));
    stream.flush();
    ExpectDamageNamed(file);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  }
}

TEST_F(LocalBackendTest, ACutSegmentIsNamed) {
  MakeThree();
  const auto file = SegmentFiles().front();
  for (std::uintmax_t size : {1000, 10, 0}) {
    std::filesystem::resize_file(file, size);
    ExpectDamageNamed(file);
  }
}

TEST_F(LocalBackendTest, ASegmentOfAnotherDatabaseIsNamed) {
  MakeThree();
  const auto files = SegmentFiles();
  std::filesystem::remove(files[0]);
  std::filesystem::copy(files[1], files[0]);
  const auto problems = Open({})->Check();
  ASSERT_TRUE(problems.ok());
  EXPECT_FALSE(problems->empty());
}

TEST_F(LocalBackendTest, CheckNamesEveryProblem) {
  MakeThree();
  const auto files = SegmentFiles();
  std::filesystem::remove(files[0]);
  std::filesystem::resize_file(files[1], 64);
  std::ofstream(database() + "/segments/notes.txt") << "x";
  const auto problems = Open({})->Check();
  ASSERT_TRUE(problems.ok());
  std::vector<std::string> named;
  for (const CheckProblem& problem : *problems) named.push_back(problem.file);
  EXPECT_THAT(named, ::testing::UnorderedElementsAre(files[0].string(), files[1].string(),
                                                     database() + "/catalog.sqlite",
                                                     database() + "/segments/notes.txt"));
}

TEST_F(LocalBackendTest, AThousandSinglePutsLeaveFewSegments) {
  const auto backend = Open();
  for (int i = 1; i <= 1000; ++i) {
    PutOne(*backend, MakeItem("/" + std::to_string(i), i, 1 + i % 3));
  }
  EXPECT_LT(Pinned(*backend)->Stats()->segments, 40);
  EXPECT_EQ(static_cast<std::int64_t>(SegmentFiles().size()), Pinned(*backend)->Stats()->segments);
  for (int i = 1; i <= 1000; i += 111) EXPECT_EQ(BestContent(*backend, i, 0, 1 + i % 3), i);
  ExpectSound(*backend);
}

TEST_F(LocalBackendTest, MergingDropsRemovedContents) {
  const auto backend = Open();
  for (int i = 1; i <= 7; ++i) {
    const ImageId id = PutOne(*backend, MakeItem("/" + std::to_string(i), i)).id;
    if (i % 2 == 0) {
      EXPECT_EQ(*backend->Remove({&id, 1}), 1);
    }
  }
  EXPECT_EQ(Pinned(*backend)->Stats()->removed_descriptors, 3 * 12);
  PutOne(*backend, MakeItem("/8", 8));
  EXPECT_EQ(Pinned(*backend)->Stats()->segments, 1);
  EXPECT_EQ(Pinned(*backend)->Stats()->removed_descriptors, 0);
  EXPECT_EQ(Pinned(*backend)->Stats()->descriptors, 5 * 12);
  EXPECT_EQ(*Pinned(*backend)->FindContent(MakeHash(2)), 0);
  ExpectSound(*backend);
}

TEST_F(LocalBackendTest, CompactGivesSpaceBack) {
  const auto backend = Open();
  std::vector<PutItem> items;
  for (int i = 1; i <= 600; ++i) items.push_back(MakeItem("/" + std::to_string(i), i, 20));
  ASSERT_TRUE(backend->Put(items).ok());
  std::vector<ImageId> ids;
  for (ImageId id = 1; id <= 390; ++id) ids.push_back(id);
  for (ImageId id = 401; id <= 600; ++id) ids.push_back(id);
  EXPECT_EQ(*backend->Remove(ids), 590);
  const auto before = Pinned(*backend)->Stats().value();
  ASSERT_TRUE(backend->Compact().ok());
  const auto after = Pinned(*backend)->Stats().value();
  EXPECT_LT(after.segment_bytes * 20, before.segment_bytes);
  EXPECT_LT(after.catalog_bytes * 2, before.catalog_bytes);
  EXPECT_EQ(SegmentFiles().size(), 1U);
  EXPECT_EQ(BestContent(*backend, 395, 0, 20), 395);
  ids.clear();
  for (ImageId id = 391; id <= 400; ++id) ids.push_back(id);
  EXPECT_EQ(*backend->Remove(ids), 10);
  ASSERT_TRUE(backend->Compact().ok());
  EXPECT_TRUE(SegmentFiles().empty());
  // Numbers are not used again, so new content can't be taken for old.
  EXPECT_EQ(PutOne(*backend, MakeItem("/1", 1)).id, 601);
  ExpectSound(*backend);
}

TEST_F(LocalBackendTest, LeftoverFilesAreNamedAndThenRemoved) {
  MakeThree();
  const std::vector<std::string> leftovers = {"/segments/00000009.seg",
                                              "/segments/00000010.seg.tmp"};
  for (const auto& name : leftovers) std::ofstream(database() + name) << "x";
  std::ofstream(database() + "/segments/notes.txt") << "x";
  const auto backend = Open();
  EXPECT_EQ(backend->Check()->size(), 3U);
  PutOne(*backend, MakeItem("/4", 4));
  for (const auto& name : leftovers) EXPECT_FALSE(std::filesystem::exists(database() + name));
  EXPECT_TRUE(std::filesystem::exists(database() + "/segments/notes.txt"));
}

TEST_F(LocalBackendTest, SegmentsWithoutTheirCatalogueStay) {
  MakeThree();
  const std::vector<std::filesystem::path> before = SegmentFiles();
  const std::string catalog = database() + "/catalog.sqlite";
  for (const bool empty : {false, true}) {
    std::filesystem::remove(catalog);
    if (empty) std::ofstream{catalog};
    for (const bool create : {false, true}) {
      const auto opened = LocalBackend::Open(DiskEnv(), database(), {.create = create});
      EXPECT_EQ(opened.status().code(), StatusCode::kCorrupt);
      EXPECT_THAT(opened.status().message(), testing::HasSubstr("has lost its catalogue"));
    }
  }
  EXPECT_EQ(SegmentFiles(), before);
}

TEST_F(LocalBackendTest, AnotherWriterIsWaitedForAndThenNamed) {
  const auto backend = Open({.create = true, .lock_wait = std::chrono::milliseconds(30)});
  auto lock = DiskEnv().Lock(database(), std::chrono::milliseconds(0));
  ASSERT_TRUE(lock.ok());
  const PutItem item = MakeItem("/a", 1);
  EXPECT_EQ(backend->Put({&item, 1}).status().code(), StatusCode::kBusy);
  EXPECT_EQ(BestContent(*backend, 1), 0);  // Readers take no lock.
  lock->reset();
  PutOne(*backend, item);
}

TEST_F(LocalBackendTest, TwoWritersInTurnLoseNothing) {
  Open();
  constexpr int kEach = 40;
  const auto write = [&](int writer) {
    const auto backend = Open({});
    for (int i = 0; i < kEach; ++i) {
      const int seed = 1 + writer * kEach + i;
      PutOne(*backend, MakeItem("/" + std::to_string(seed), seed, 2));
    }
  };
  std::thread first(write, 0);
  std::thread second(write, 1);
  first.join();
  second.join();
  const auto backend = Open({});
  EXPECT_EQ(StateOf(*backend).size(), 2U * kEach);
  for (int seed = 1; seed <= 2 * kEach; seed += 13) {
    EXPECT_EQ(BestContent(*backend, seed, 0, 2),
              Pinned(*backend)->FindPath("/" + std::to_string(seed))->value().content);
  }
  ExpectSound(*backend);
}

TEST_F(LocalBackendTest, ExportsLiveRowsWithTheirContentNumbers) {
  const auto backend = Open();
  for (int i = 1; i <= 5; ++i) PutOne(*backend, MakeItem("/" + std::to_string(i), i));
  const ImageId removed = 3;
  EXPECT_EQ(*backend->Remove({&removed, 1}), 1);
  const std::string file = folder_.path("export.faiss");
  const Status status = backend->ExportFaiss(file);
  ASSERT_TRUE(status.ok()) << status.message();
  const std::unique_ptr<faiss::Index> index(faiss::read_index(file.c_str()));
  EXPECT_EQ(index->ntotal, 4 * 12);
  for (int seed : {1, 2, 4, 5}) {
    const auto features = MakeFeatures(seed);
    const std::vector<float> query(features->descriptors.begin(), features->descriptors.end());
    std::vector<float> distances(12);
    std::vector<faiss::Index::idx_t> labels(12);
    index->search(12, query.data(), 1, distances.data(), labels.data());
    EXPECT_THAT(labels, ::testing::Each(seed));
    EXPECT_THAT(distances, ::testing::Each(0));
  }
  EXPECT_FALSE(backend->ExportFaiss(folder_.path("no/such/folder.faiss")).ok());
}

/// Each commit stores a pair of images and takes the pair before out: a reader must always see the
/// two halves of one pair, whatever is merged meanwhile. Runs on one backend and on two.
TEST_F(LocalBackendTest, ReadersSeeWholeCommits) {
  const auto writer = Open();
  std::atomic<bool> done = false;
  const auto read = [&](LocalBackend& reader) {
    while (!done) {
      const auto state = StateOf(reader);
      EXPECT_EQ(state.contains("/left"), state.contains("/right"));
      if (state.size() == 2) {
        EXPECT_EQ(state.at("/left")[1], state.at("/right")[1]);
      }
      const auto features = MakeFeatures(1);
      const SearchQuery query{.features = features.get()};
      const auto results = Pinned(reader)->Search({&query, 1}, {.neighbours = 100});
      ASSERT_TRUE(results.ok()) << results.status().message();
      // All live rows are neighbours: 12 of each half.
      EXPECT_LE(results->front().candidates.size(), 2U);
    }
  };
  const auto other = Open({});
  std::thread same_backend([&] { read(*writer); });
  std::thread other_backend([&] { read(*other); });
  for (int i = 1; i <= 60; ++i) {
    const std::vector<PutItem> items = {MakeItem("/left", i * 256),
                                        MakeItem("/right", i * 256 + 1)};
    const auto put = writer->Put(items);
    EXPECT_TRUE(put.ok()) << put.status().message();
    if (i % 20 == 0) {
      EXPECT_TRUE(writer->Compact().ok());
    }
  }
  done = true;
  same_backend.join();
  other_backend.join();
  ExpectSound(*writer);
}

}  // namespace
}  // namespace siftsearch::local
