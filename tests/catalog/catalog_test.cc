#include "catalog/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "catalog/schema.h"
#include "catalog/sqlite.h"

namespace siftsearch::catalog {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ContentHash HashOf(int number) {
  ContentHash hash{};
  hash[0] = static_cast<std::uint8_t>(number);
  hash[1] = static_cast<std::uint8_t>(number >> 8);
  return hash;
}

class CatalogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("catalog_" + std::to_string(getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "catalog.sqlite";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Catalog> Make(const ExtractorSettings& settings = {}) {
    auto catalog = Catalog::Open(file_, Access::kCreate, settings);
    EXPECT_TRUE(catalog.ok()) << catalog.status().message();
    return std::move(catalog).value();
  }

  /// Stores a new content under a path, in a transaction of its own.
  ImageId Store(Catalog& catalog, const std::string& path, int hash, int descriptors = 3) {
    auto transaction = catalog.Begin();
    EXPECT_TRUE(transaction.ok());
    const auto id = catalog.NextImageId();
    EXPECT_TRUE(id.ok());
    EXPECT_TRUE(catalog
                    .InsertContent({.content = *id,
                                    .width = 20,
                                    .height = 10,
                                    .descriptors = descriptors,
                                    .live = true},
                                   HashOf(hash))
                    .ok());
    const ImageId image = Insert(catalog, path, *id);
    EXPECT_TRUE(catalog.AdvanceGeneration().ok());
    EXPECT_TRUE(transaction->Commit().ok());
    return image;
  }

  static ImageId Insert(Catalog& catalog, const std::string& path, std::int64_t content) {
    ImageRecord image;
    image.path = path;
    image.content = content;
    image.file_bytes = 5;
    image.modified_ns = 6;
    image.added_s = 7;
    image.attributes = {{"artist", "Ω \"quoted\""}};
    const auto id = catalog.InsertImage(image);
    EXPECT_TRUE(id.ok()) << id.status().message();
    return id.ok() ? *id : 0;
  }

  std::filesystem::path folder_;
  std::string file_;
};

TEST_F(CatalogTest, KeepsTheSettings) {
  const ExtractorSettings settings{
      .extractor = "other", .max_features = 7, .max_side = 99, .contrast_threshold = 0.1};
  Make(settings);
  const auto catalog = Catalog::Open(file_, Access::kRead);
  ASSERT_TRUE(catalog.ok());
  EXPECT_EQ((*catalog)->settings(), settings);
  // Made again, it stays what it was.
  EXPECT_EQ(Make()->settings(), settings);
}

TEST_F(CatalogTest, SettingsGiveDifferentDigests) {
  const auto first = Make()->settings_digests();
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(Make()->settings_digests(), first);
  std::filesystem::remove(file_);
  ExtractorSettings other;
  other.max_side = 641;
  EXPECT_NE(Make(other)->settings_digests(), first);
}

TEST_F(CatalogTest, TheKeyOfTheIndexIsASettingThatChanges) {
  const auto catalog = Make();
  const auto digests = catalog->settings_digests();
  EXPECT_EQ(*catalog->IndexKey(), "auto");
  ASSERT_TRUE(catalog->SetIndexKey("IVF64,Flat").ok());
  EXPECT_EQ(catalog->ReadListing()->index_key, "IVF64,Flat");
  const auto reader = Catalog::Open(file_, Access::kRead);
  EXPECT_EQ(*(*reader)->IndexKey(), "IVF64,Flat");
  EXPECT_EQ((*reader)->settings_digests(), digests);
  // Made again, it keeps its key.
  EXPECT_EQ(*(*Catalog::Open(file_, Access::kCreate, {}, "Terms"))->IndexKey(), "IVF64,Flat");
}

TEST_F(CatalogTest, ReadsBackAnImageWithAnyBytesInItsPath) {
  const auto catalog = Make();
  const std::string path = "/a \"b\"\n,\xff\xfe/Ω.jpg";
  const ImageId id = Store(*catalog, path, 1);
  const auto found = catalog->FindPath(path);
  ASSERT_TRUE(found.ok() && found->has_value());
  const ImageRecord& image = **found;
  EXPECT_EQ(image.id, id);
  EXPECT_EQ(image.path, path);
  EXPECT_EQ(image.hash, HashOf(1));
  EXPECT_EQ(image.content, id);
  EXPECT_EQ(image.file_bytes, 5);
  EXPECT_EQ(image.modified_ns, 6);
  EXPECT_EQ(image.added_s, 7);
  EXPECT_EQ(image.width, 20);
  EXPECT_EQ(image.height, 10);
  EXPECT_EQ(image.descriptors, 3);
  EXPECT_EQ(image.attributes.at("artist"), "Ω \"quoted\"");
  EXPECT_FALSE(catalog->FindPath("/a")->has_value());
  EXPECT_FALSE(catalog->FindId(id + 1)->has_value());
}

TEST_F(CatalogTest, RefusesAttributesThatAreNotText) {
  EXPECT_EQ(AttributesToJson({{"a", "\xff"}}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(*AttributesToJson({{"a", "b"}}), R"({"a":"b"})");
}

TEST_F(CatalogTest, AContentDiesWithItsLastImage) {
  const auto catalog = Make();
  const ImageId first = Store(*catalog, "/a", 1);
  const ImageId second = Insert(*catalog, "/b", first);
  EXPECT_TRUE(*catalog->DeleteImage(first));
  EXPECT_TRUE(catalog->FindHash(HashOf(1))->value().live);
  EXPECT_TRUE(*catalog->DeleteImage(second));
  EXPECT_FALSE(*catalog->DeleteImage(second));
  EXPECT_FALSE(catalog->FindHash(HashOf(1))->value().live);
  EXPECT_THAT(catalog->ReadListing()->dead_contents, ElementsAre(first));
  ASSERT_TRUE(catalog->ReviveContent(first).ok());
  EXPECT_THAT(catalog->ReadListing()->dead_contents, IsEmpty());
}

TEST_F(CatalogTest, NeverUsesAnIdAgain) {
  const auto catalog = Make();
  const ImageId first = Store(*catalog, "/a", 1, 0);
  EXPECT_TRUE(*catalog->DeleteImage(first));
  ASSERT_TRUE(catalog->DeleteEmptyDeadContents().ok());
  EXPECT_FALSE(catalog->FindHash(HashOf(1))->has_value());
  EXPECT_GT(Store(*catalog, "/a", 1), first);

  const SegmentRecord segment{.id = 4, .file = "4", .rows = 1, .contents = 1, .bytes = 1};
  ASSERT_TRUE(catalog->InsertSegment(segment).ok());
  ASSERT_TRUE(catalog->DeleteSegment(4).ok());
  EXPECT_EQ(*catalog->NextSegmentId(), 5);
}

TEST_F(CatalogTest, WhatIsNotCommittedNeverWas) {
  const auto catalog = Make();
  {
    auto transaction = catalog->Begin();
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE(catalog->InsertContent({.content = 1}, HashOf(1)).ok());
    Insert(*catalog, "/a", 1);
  }
  EXPECT_FALSE(catalog->FindPath("/a")->has_value());
  EXPECT_FALSE(catalog->FindHash(HashOf(1))->has_value());
}

TEST_F(CatalogTest, OtherConnectionsSeeCommitsOnly) {
  const auto writer = Make();
  const auto reader = Catalog::Open(file_, Access::kRead);
  ASSERT_TRUE(reader.ok());
  auto transaction = writer->Begin();
  ASSERT_TRUE(writer->InsertContent({.content = 1}, HashOf(1)).ok());
  Insert(*writer, "/a", 1);
  ASSERT_TRUE(writer->AdvanceGeneration().ok());
  EXPECT_FALSE((*reader)->FindPath("/a")->has_value());
  EXPECT_EQ(*(*reader)->Generation(), 0);
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_TRUE((*reader)->FindPath("/a")->has_value());
  EXPECT_EQ(*(*reader)->Generation(), 1);
}

void Commit(Catalog& catalog) {
  auto transaction = catalog.Begin();
  ASSERT_TRUE(transaction.ok()) << transaction.status().message();
  ASSERT_TRUE(catalog.AdvanceGeneration().ok());
  ASSERT_TRUE(transaction->Commit().ok());
}

TEST_F(CatalogTest, AHeldReadIsOfOneCommitWhileOthersWrite) {
  const auto writer = Make();
  for (int i = 1; i <= 5; ++i) Store(*writer, "/" + std::to_string(i), i);
  const auto opened = Catalog::Open(file_, Access::kRead);
  ASSERT_TRUE(opened.ok());
  Catalog& reader = **opened;
  const std::int64_t before = reader.BeginRead().value();
  EXPECT_TRUE(*writer->DeleteImage(3));
  Store(*writer, "/new", 100);
  std::vector<ImageId> seen;
  const auto images = reader.ImagesAfter(1, 10);
  ASSERT_TRUE(images.ok());
  for (const ImageRecord& image : *images) seen.push_back(image.id);
  EXPECT_THAT(seen, ElementsAre(2, 3, 4, 5));
  EXPECT_EQ(*reader.Generation(), before);
  EXPECT_TRUE(reader.CheckRead().ok());
  reader.EndRead();
  EXPECT_EQ(*reader.BeginRead(), before + 1);
  EXPECT_TRUE(reader.FindPath("/new")->has_value());
}

/// As databases of earlier versions are.
TEST_F(CatalogTest, WithoutALogAReadHoldsNobodyUpAndIsRefusedWhenItIsOfTwoCommits) {
  Make();
  {
    auto db = Connection::Open(file_, Connection::Mode::kExisting);
    ASSERT_TRUE((*db)->Execute("PRAGMA journal_mode = DELETE").ok());
  }
  const auto reader = Catalog::Open(file_, Access::kRead);
  ASSERT_TRUE((*reader)->BeginRead().ok());
  EXPECT_TRUE((*reader)->CheckRead().ok());
  Commit(**Catalog::Open(file_, Access::kRead));  // Only opening to write would give it a log.
  EXPECT_EQ((*reader)->CheckRead().code(), StatusCode::kUnavailable);
  (*reader)->EndRead();
  const auto writer = Catalog::Open(file_, Access::kWrite);
  ASSERT_EQ((*reader)->BeginRead().value(), 1);
  Commit(**writer);
  EXPECT_TRUE((*reader)->CheckRead().ok());
  EXPECT_EQ(*(*reader)->Generation(), 1);
}

TEST_F(CatalogTest, CountsLiveAndDead) {
  auto catalog = Make();
  Store(*catalog, "/a", 1, 10);
  const ImageId second = Store(*catalog, "/b", 2, 4);
  Insert(*catalog, "/c", 1);
  ASSERT_TRUE(*catalog->DeleteImage(second));
  const auto counts = catalog->Count();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->images, 2);
  EXPECT_EQ(counts->contents, 1);
  EXPECT_EQ(counts->descriptors, 10);
  EXPECT_EQ(counts->removed_descriptors, 4);
  catalog.reset();  // Brings the log into the file.
  EXPECT_EQ(counts->bytes, static_cast<std::int64_t>(std::filesystem::file_size(file_)));
}

TEST_F(CatalogTest, NamesContentsThatDoNotFitTheImages) {
  const auto catalog = Make();
  const ImageId id = Store(*catalog, "/a", 1);
  EXPECT_THAT(*catalog->IntegrityProblems(), IsEmpty());
  ASSERT_TRUE(catalog->InsertContent({.content = 9, .live = true}, HashOf(2)).ok());
  EXPECT_THAT(*catalog->IntegrityProblems(), ElementsAre(HasSubstr("content 9 counts as live")));
  (void)id;
}

TEST_F(CatalogTest, AMissingOrEmptyFileHoldsNoCatalogue) {
  EXPECT_EQ(Catalog::Open(file_, Access::kRead).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(file_));
  std::ofstream{file_};
  EXPECT_EQ(Catalog::Open(file_, Access::kRead).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Catalog::Open(file_, Access::kWrite).status().code(), StatusCode::kNotFound);
  Make();
  EXPECT_TRUE(Catalog::Open(file_, Access::kRead).ok());
}

/// A catalogue that is being made is not there, or older, or there; never another program's.
TEST_F(CatalogTest, ACatalogueThatIsBeingMadeIsNotTakenForAnotherFile) {
  for (int round = 0; round < 30; ++round) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::atomic<bool> made = false;
    std::thread maker([&] {
      EXPECT_TRUE(Catalog::Open(file_, Access::kCreate).ok());
      made = true;
    });
    while (!made) {
      const Status status = Catalog::Open(file_, Access::kRead).status();
      EXPECT_THAT(status.code(),
                  AnyOf(StatusCode::kOk, StatusCode::kNotFound, StatusCode::kIncompatible))
          << status.message();
    }
    maker.join();
  }
}

TEST_F(CatalogTest, RefusesANewerFormat) {
  Make();
  {
    auto db = Connection::Open(file_, Connection::Mode::kExisting);
    ASSERT_TRUE((*db)->Execute("PRAGMA user_version = 9").ok());
  }
  for (Access access : {Access::kRead, Access::kWrite, Access::kCreate}) {
    const auto opened = Catalog::Open(file_, access);
    EXPECT_EQ(opened.status().code(), StatusCode::kIncompatible);
    EXPECT_EQ(opened.status().message(),
              file_ + " was made by a newer siftsearch (format 9; this program reads up to 5)");
  }
}

TEST_F(CatalogTest, RefusesOtherFiles) {
  {
    auto db = Connection::Open(file_, Connection::Mode::kCreate);
    ASSERT_TRUE((*db)->Execute("CREATE TABLE other (a)").ok());
  }
  EXPECT_EQ(Catalog::Open(file_, Access::kCreate).status().code(), StatusCode::kInvalidArgument);
  std::ofstream(file_) << std::string(5000, 'x');
  const Status status = Catalog::Open(file_, Access::kRead).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_THAT(status.message(), HasSubstr(file_));
}

TEST_F(CatalogTest, AnOverwrittenPageIsDamage) {
  {
    const auto catalog = Make();
    for (int i = 1; i <= 300; ++i) Store(*catalog, "/" + std::to_string(i), i);
  }
  const auto size = std::filesystem::file_size(file_);
  std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8192);
  file << std::string(size - 8192, '\x5a');
  file.close();
  const auto catalog = Catalog::Open(file_, Access::kRead);
  if (!catalog.ok()) {
    EXPECT_EQ(catalog.status().code(), StatusCode::kCorrupt);
    return;
  }
  const auto problems = (*catalog)->IntegrityProblems();
  if (problems.ok()) {
    EXPECT_FALSE(problems->empty());
  } else {
    EXPECT_EQ(problems.status().code(), StatusCode::kCorrupt);
  }
}

TEST_F(CatalogTest, LaterScriptsBringAnOlderFileUpToDate) {
  Make();
  auto db = Connection::Open(file_, Connection::Mode::kExisting);
  ASSERT_TRUE(db.ok());
  std::vector<std::string_view> scripts = SchemaScripts();
  scripts.push_back("ALTER TABLE images ADD COLUMN colour TEXT");
  const int format = static_cast<int>(scripts.size());
  ASSERT_TRUE(ApplyScripts(**db, format - 1, scripts).ok());
  EXPECT_EQ(*ReadFormat(**db, format), format);
  EXPECT_TRUE((*db)->Execute("UPDATE images SET colour = 'red'").ok());
}

TEST_F(CatalogTest, AFileOfFormat1GetsVerdictsWhenItIsOpenedForWriting) {
  {
    const auto db = Connection::Open(file_, Connection::Mode::kCreate);
    ASSERT_TRUE(db.ok());
    const std::vector<std::string_view> first = {SchemaScripts().front()};
    ASSERT_TRUE(ApplyScripts(**db, 0, first).ok());
    ASSERT_TRUE((*db)
                    ->Execute("INSERT INTO meta VALUES (1, '{\"extractor\": \"sift\", "
                              "\"max_features\": 1000, \"max_side\": 640, "
                              "\"contrast_threshold\": 0.04}', 3)")
                    .ok());
  }
  const auto reader = Catalog::Open(file_, Access::kRead);
  EXPECT_EQ(reader.status().code(), StatusCode::kIncompatible);
  const auto catalog = Catalog::Open(file_, Access::kWrite);
  ASSERT_TRUE(catalog.ok()) << catalog.status().message();
  EXPECT_EQ((*catalog)->Generation().value(), 3);
  EXPECT_TRUE((*catalog)->Verdicts()->empty());
}

TEST_F(CatalogTest, ContentsOfFormat2HaveOnePage) {
  {
    const auto db = Connection::Open(file_, Connection::Mode::kCreate);
    ASSERT_TRUE(db.ok());
    const std::vector<std::string_view> all = SchemaScripts();
    ASSERT_TRUE(ApplyScripts(**db, 0, std::span(all).first(2)).ok());
    const std::string hash(64, 'a');
    ASSERT_TRUE(
        (*db)
            ->Execute("INSERT INTO meta VALUES (1, '{\"extractor\": \"sift\", "
                      "\"max_features\": 1000, \"max_side\": 640, "
                      "\"contrast_threshold\": 0.04}', 3);"
                      "INSERT INTO contents VALUES (1, x'" +
                      hash +
                      "', 20, 10, 3, 1);"
                      "INSERT INTO images VALUES (1, CAST('/old' AS BLOB), 1, 5, 6, 7, '{}')")
            .ok());
  }
  EXPECT_EQ(Catalog::Open(file_, Access::kRead).status().code(), StatusCode::kIncompatible);
  const auto catalog = Catalog::Open(file_, Access::kWrite);
  ASSERT_TRUE(catalog.ok()) << catalog.status().message();
  EXPECT_EQ((*catalog)->FindPath("/old")->value().pages, 1);
  EXPECT_THAT(*(*catalog)->IntegrityProblems(), IsEmpty());
  // New ones have theirs.
  auto transaction = (*catalog)->Begin();
  ASSERT_TRUE((*catalog)->InsertContent({.content = 2, .pages = 12}, HashOf(2)).ok());
  Insert(**catalog, "/new", 2);
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ((*catalog)->FindPath("/new")->value().pages, 12);
  EXPECT_EQ((*catalog)->FindContent(2)->value().pages, 12);
}

/// A catalogue of format 3 with these settings.
void MakeFormat3(const std::string& file, const std::string& settings) {
  std::filesystem::remove(file);
  const auto db = Connection::Open(file, Connection::Mode::kCreate);
  ASSERT_TRUE(db.ok());
  const std::vector<std::string_view> all = SchemaScripts();
  ASSERT_TRUE(ApplyScripts(**db, 0, std::span(all).first(3)).ok());
  ASSERT_TRUE((*db)->Execute("INSERT INTO meta VALUES (1, '" + settings + "', 3)").ok());
}

TEST_F(CatalogTest, TheKeyOfTheIndexLeavesTheSettingsOfFormat3) {
  const std::string begin = R"({"contrast_threshold":0.04,"extractor":"sift-root",)";
  const std::string end = R"("max_features":1000,"max_side":640})";
  for (const auto& [key, after] : std::vector<std::pair<std::string, std::string>>{
           {"", "auto"},
           {R"("index":"IDMap,Flat",)", "auto"},
           {R"("index":"Flat",)", "Flat"},
           {R"("index":"Terms",)", "Terms"},
           {R"("index":"IVF16,Flat",)", "IVF16,Flat"}}) {
    MakeFormat3(file_, begin + key + end);
    EXPECT_EQ(Catalog::Open(file_, Access::kRead).status().code(), StatusCode::kIncompatible);
    ASSERT_TRUE(Catalog::Open(file_, Access::kWrite).ok());
    const auto catalog = Catalog::Open(file_, Access::kRead);
    ASSERT_TRUE(catalog.ok()) << catalog.status().message();
    EXPECT_EQ(*(*catalog)->IndexKey(), after);
    EXPECT_EQ((*catalog)->settings(), ExtractorSettings());
    // Old segments carry the digest of the settings as they were, new ones that of a new database.
    const auto digests = (*catalog)->settings_digests();
    ASSERT_EQ(digests.size(), 2u);
    std::filesystem::remove(file_);
    EXPECT_EQ(Make()->settings_digests(), std::vector{digests[0]});
    EXPECT_EQ(digests[0] == digests[1], key.empty());
  }
}

TEST_F(CatalogTest, SettingsOfFormat3ThatCannotBeReadAreDamage) {
  MakeFormat3(file_, R"({"extractor":)");
  const Status status = Catalog::Open(file_, Access::kWrite).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_THAT(status.message(), HasSubstr("settings"));
}

TEST_F(CatalogTest, TheNewerVerdictStays) {
  const auto catalog = Make();
  VerdictRecord verdict{HashOf(1), HashOf(2), Verdict::kConfirmed, 10};
  auto transaction = catalog->Begin();
  ASSERT_TRUE(catalog->PutVerdict(verdict).ok());
  verdict.verdict = Verdict::kNotACopy;
  verdict.decided_s = 9;
  ASSERT_TRUE(catalog->PutVerdict(verdict).ok());
  EXPECT_EQ(catalog->Verdicts()->front().verdict, Verdict::kConfirmed);
  verdict.decided_s = 11;
  ASSERT_TRUE(catalog->PutVerdict(verdict).ok());
  ASSERT_EQ(catalog->Verdicts()->size(), 1u);
  EXPECT_EQ(catalog->Verdicts()->front().verdict, Verdict::kNotACopy);
  EXPECT_TRUE(catalog->DeleteVerdict(verdict.a, verdict.b).value());
  EXPECT_FALSE(catalog->DeleteVerdict(verdict.a, verdict.b).value());
}

TEST_F(CatalogTest, AFailingScriptLeavesTheOldFormat) {
  Make();
  auto db = Connection::Open(file_, Connection::Mode::kExisting);
  std::vector<std::string_view> scripts = SchemaScripts();
  scripts.push_back("ALTER TABLE images ADD COLUMN colour TEXT; SELECT * FROM nowhere;");
  const int format = static_cast<int>(scripts.size());
  EXPECT_FALSE(ApplyScripts(**db, format - 1, scripts).ok());
  EXPECT_EQ(*ReadFormat(**db, format), format - 1);
  EXPECT_FALSE((*db)->Execute("UPDATE images SET colour = 'red'").ok());
}

}  // namespace
}  // namespace siftsearch::catalog
