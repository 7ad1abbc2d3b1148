#include "engine/report_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "catalog/sqlite.h"
#include "env/file_env.h"
#include "siftsearch/results.h"

namespace siftsearch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ReportPair PairOf(const std::string& query, const std::string& image) {
  ReportPair pair;
  pair.query.path = query;
  pair.match.image.path = image;
  pair.match.score = 1;
  return pair;
}

class ReportJournalTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> Names() const { return DiskEnv().List(folder_).value(); }
  void Write(const std::string& text) const { std::ofstream(file(), std::ios::binary) << text; }
  std::string Text() const {
    const auto bytes = DiskEnv().Read(file());
    return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : "";
  }
  std::string file() const { return folder_ + "/journal"; }

  std::string folder_ = testing::TempDir() + "siftsearch-XXXXXX";
};

TEST_F(ReportJournalTest, OfAQueryThatIsNotDoneNothingStays) {
  const auto a_commit_is_due = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1100)); };
  {
    const auto journal = ReportJournal::Open(file(), false, "task").value();
    ASSERT_TRUE(journal->PutPair(1, PairOf("/done", "/a")).ok());
    a_commit_is_due();
    ASSERT_TRUE(journal->SetDone("/done").ok());
    ASSERT_TRUE(journal->PutPair(2, PairOf("/half", "/a")).ok());
    a_commit_is_due();
    ASSERT_TRUE(journal->PutPair(2, PairOf("/half", "/b")).ok());
  }
  const auto journal = ReportJournal::Open(file(), true, "task").value();
  EXPECT_TRUE(journal->IsDone("/done").value());
  EXPECT_FALSE(journal->IsDone("/half").value());
  ASSERT_TRUE(journal->NumberGroups().ok());
  std::vector<std::string> queries;
  const auto keep = [&](const ReportPair& pair) {
    queries.push_back(pair.query.path);
    return Status();
  };
  ASSERT_TRUE(journal->Visit(ReportOrder::kQuery, keep).ok());
  EXPECT_EQ(queries, std::vector<std::string>{"/done"});
  ASSERT_TRUE(journal->Finish().ok());
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(ReportJournalTest, WhatIsNoJournalIsLeftAlone) {
  const std::string texts[] = {"text", std::string(5000, 'x'), "SQLite format 3 is only claimed"};
  for (const std::string& text : texts) {
    Write(text);
    for (const bool resume : {false, true}) {
      const Status status = ReportJournal::Open(file(), resume, "task").status();
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.message();
      EXPECT_THAT(status.message(), HasSubstr(file() + " is there and is not the journal"));
      EXPECT_EQ(Text(), text);
    }
  }
  std::filesystem::remove(file());
  {
    auto other = catalog::Connection::Open(file(), catalog::Connection::Mode::kCreate).value();
    ASSERT_TRUE(other->Execute("PRAGMA application_id = 7; CREATE TABLE precious (x)").ok());
  }
  const std::string database = Text();
  for (const bool resume : {false, true}) {
    EXPECT_EQ(ReportJournal::Open(file(), resume, "task").status().code(),
              StatusCode::kInvalidArgument);
    EXPECT_EQ(Text(), database);
  }
}

TEST_F(ReportJournalTest, NorIsWhatSqliteWouldTakeForItsPart) {
  std::ofstream(file() + "-journal") << "precious";
  const Status status = ReportJournal::Open(file(), false, "task").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(file() + "-journal"));
  EXPECT_THAT(Names(), ElementsAre("journal-journal"));
}

TEST_F(ReportJournalTest, ItIsItsOwnersOnlyAndOneReportsAtATime) {
  auto journal = ReportJournal::Open(file(), false, "task").value();
  ASSERT_TRUE(journal->SetDone("/a").ok());
  for (const std::string& name : Names()) {
    struct stat info;
    ASSERT_EQ(stat((folder_ + "/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u) << name;
  }
  for (const bool resume : {false, true}) {
    const Status status = ReportJournal::Open(file(), resume, "task").status();
    EXPECT_EQ(status.code(), StatusCode::kBusy) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(file()));
  }
  journal.reset();
  EXPECT_THAT(Names(), ElementsAre("journal"));
  EXPECT_TRUE(ReportJournal::Open(file(), true, "task").ok());
}

TEST_F(ReportJournalTest, WithoutResumeItIsMadeAnew) {
  {
    const auto journal = ReportJournal::Open(file(), false, "task").value();
    ASSERT_TRUE(journal->SetDone("/a").ok());
  }
  const auto journal = ReportJournal::Open(file(), false, "other");
  ASSERT_TRUE(journal.ok()) << journal.status().message();
  EXPECT_EQ((*journal)->CountDone().value(), 0);
}

TEST_F(ReportJournalTest, OneThatARunWasKilledInBeforeItHeldAnythingIsEmpty) {
  {
    auto begun = catalog::Connection::Open(file(), catalog::Connection::Mode::kCreate).value();
    ASSERT_TRUE(begun->Execute("BEGIN EXCLUSIVE; COMMIT").ok());
  }
  EXPECT_GT(Text().size(), 0u);
  for (const bool resume : {true, false}) {
    EXPECT_TRUE(ReportJournal::Open(file(), resume, "task").ok());
  }
}

TEST_F(ReportJournalTest, ADamagedOneIsRefused) {
  (void)ReportJournal::Open(file(), false, "task").value();
  std::string text = Text();
  std::fill(text.begin() + 100, text.end(), 'x');
  Write(text);
  for (const bool resume : {false, true}) {
    const Status status = ReportJournal::Open(file(), resume, "task").status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("is damaged"));
  }
}

TEST_F(ReportJournalTest, WithoutANameItCannotBeResumedAndLeavesNoFile) {
  EXPECT_EQ(ReportJournal::Open("", true, "task").status().code(), StatusCode::kInvalidArgument);
  const auto journal = ReportJournal::Open("", false, "task");
  ASSERT_TRUE(journal.ok()) << journal.status().message();
  ASSERT_TRUE((*journal)->PutPair(1, PairOf("/a", "/b")).ok());
  EXPECT_EQ((*journal)->NumberGroups().value(), 0);
  EXPECT_TRUE((*journal)->Finish().ok());
}

}  // namespace
}  // namespace siftsearch::engine
