#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/sqlite.h"
#include "env/file_env.h"
#include "local/local_backend.h"
#include "segment/segment_reader.h"
#include "testing.h"

namespace siftsearch::local {
namespace {

using ::testing::HasSubstr;

struct OldDatabase {
  std::string name;  ///< In data/databases, of format 3 or 4.
  int format = 3;    ///< That it is brought back to.
  std::string index_after;
};

/// Databases that earlier programs made (data/README.md): images 1 and 3, with 30 descriptors each,
/// in two segments; 2 is removed.
class LocalFormatsTest : public ::testing::TestWithParam<OldDatabase> {
 protected:
  void SetUp() override {
    std::filesystem::copy(SIFTSEARCH_DATA_DIR "/databases/" + GetParam().name, database(),
                          std::filesystem::copy_options::recursive);
    // Formats 2 and 1 lacked what these take away.
    if (GetParam().format < 3) Execute("ALTER TABLE contents DROP COLUMN pages");
    if (GetParam().format < 2) Execute("DROP TABLE verdicts");
    Execute("PRAGMA user_version = " + std::to_string(GetParam().format));
  }

  std::string database() const { return folder_.path("db"); }

  void Execute(const std::string& sql) {
    auto db = catalog::Connection::Open(database() + "/catalog.sqlite",
                                        catalog::Connection::Mode::kExisting);
    ASSERT_TRUE(db.ok());
    const Status status = (*db)->Execute(sql);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  std::unique_ptr<LocalBackend> Open(const OpenOptions& options = {}) {
    auto backend = LocalBackend::Open(DiskEnv(), database(), options);
    EXPECT_TRUE(backend.ok()) << backend.status().message();
    return backend.ok() ? std::move(backend).value() : nullptr;
  }

  /// The stored features of a content find it.
  static void ExpectFindsItself(SearchBackend& backend, std::int64_t content) {
    const auto features = FeaturesOf(backend, content);
    ASSERT_TRUE(features.ok()) << features.status().message();
    EXPECT_EQ(features->size(), 30u);
    const SearchQuery query{.features = &*features};
    const auto found = Pinned(backend)->Search({&query, 1}, {.neighbours = 1});
    ASSERT_TRUE(found.ok()) << found.status().message();
    ASSERT_EQ(found->front().candidates.size(), 1u);
    EXPECT_EQ(found->front().candidates.front().content, content);
  }

  /// Files of segments/ that carry this digest of the settings.
  std::size_t SegmentsWith(std::uint64_t digest) const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(database() + "/segments")) {
      count += SegmentReader::Open(DiskEnv(), entry.path(), {&digest, 1}).ok() ? 1 : 0;
    }
    return count;
  }

  std::vector<std::uint64_t> Digests() const {
    return (*catalog::Catalog::Open(database() + "/catalog.sqlite", catalog::Access::kRead))
        ->settings_digests();
  }

  TestFolder folder_;
};

TEST_P(LocalFormatsTest, ReadingAloneIsRefusedWithASentence) {
  const Status status = LocalBackend::Open(DiskEnv(), database(), {.read_only = true}).status();
  EXPECT_EQ(status.code(), StatusCode::kIncompatible);
  EXPECT_THAT(status.message(), HasSubstr("open it for writing once to bring it to 5"));
}

TEST_P(LocalFormatsTest, OpenedForWritingItHasItsImagesAndItsIndex) {
  Open();
  const auto backend = Open({.read_only = true});
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(Pinned(*backend)->Stats()->index, GetParam().index_after);
  EXPECT_EQ(backend->settings(), ExtractorSettings{.max_features = 30});
  EXPECT_EQ(Pinned(*backend)->FindId(1)->value().path, "/pictures/scene1.jpg");
  EXPECT_EQ(Pinned(*backend)->FindId(3)->value().path, "/pictures/scene3.jpg");
  EXPECT_EQ(Pinned(*backend)->Stats()->images, 2);
  EXPECT_EQ(Pinned(*backend)->Stats()->removed_descriptors, 30);
  for (const std::int64_t content : {1, 3}) ExpectFindsItself(*backend, content);
  ExpectSound(*backend);
}

TEST_P(LocalFormatsTest, TheIndexCanBeChanged) {
  const auto backend = Open();
  for (const std::string key : {"IDMap,Flat", "IVF16,Flat", "Terms", "auto"}) {
    ASSERT_TRUE(backend->SetIndex(key).ok());
    EXPECT_EQ(Pinned(*backend)->Stats()->index, key);
    for (const std::int64_t content : {1, 3}) ExpectFindsItself(*Open(), content);
  }
  ExpectSound(*backend);
}

TEST_P(LocalFormatsTest, WhatIsStoredHasNoSignatureYet) {
  const auto backend = Open();
  for (const std::int64_t content : {1, 3}) {
    EXPECT_EQ(FeaturesOf(*backend, content)->pdq, Pdq());
  }
}

/// Those whose settings held the key of the index.
class LocalSettingsTest : public LocalFormatsTest {};

TEST_P(LocalSettingsTest, OldSegmentsStayAndNewOnesCarryTheNewDigest) {
  const auto backend = Open();
  const auto digests = Digests();
  ASSERT_EQ(digests.size(), 2u);
  EXPECT_EQ(SegmentsWith(digests[1]), 2u);
  PutOne(*backend, MakeItem("/new", 7));
  EXPECT_EQ(SegmentsWith(digests[1]), 2u);
  EXPECT_EQ(SegmentsWith(digests[0]), 1u);
  for (const std::int64_t content : {1, 3}) ExpectFindsItself(*backend, content);
  EXPECT_EQ(BestContent(*backend, 7), Pinned(*backend)->FindPath("/new")->value().content);
  ExpectSound(*backend);
  ASSERT_TRUE(backend->Compact().ok());
  EXPECT_EQ(SegmentsWith(digests[1]), 0u);
  EXPECT_EQ(SegmentsWith(digests[0]), 1u);
  for (const std::int64_t content : {1, 3}) ExpectFindsItself(*Open(), content);
  ExpectSound(*backend);
}

std::string NameOf(const ::testing::TestParamInfo<OldDatabase>& info) {
  return info.param.name.substr(8) + "_" + std::to_string(info.param.format);
}

const std::vector<OldDatabase> kBeforeFormat4 = {
    {"format3-exact", 3, "auto"},  {"format3-terms", 3, "Terms"}, {"format3-exact", 2, "auto"},
    {"format3-terms", 2, "Terms"}, {"format3-exact", 1, "auto"},  {"format3-terms", 1, "Terms"}};

INSTANTIATE_TEST_SUITE_P(BeforeFormat4, LocalFormatsTest, ::testing::ValuesIn(kBeforeFormat4),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Format4, LocalFormatsTest,
                         ::testing::Values(OldDatabase{"format4-terms", 4, "Terms"}), NameOf);
INSTANTIATE_TEST_SUITE_P(BeforeFormat4, LocalSettingsTest, ::testing::ValuesIn(kBeforeFormat4),
                         NameOf);

}  // namespace
}  // namespace siftsearch::local
