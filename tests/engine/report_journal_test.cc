#include "engine/report_journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "siftsearch/results.h"

namespace siftsearch::engine {
namespace {

ReportPair PairOf(const std::string& query, const std::string& image) {
  ReportPair pair;
  pair.query.path = query;
  pair.match.image.path = image;
  pair.match.score = 1;
  return pair;
}

TEST(ReportJournalTest, OfAQueryThatIsNotDoneNothingStays) {
  const std::string file = testing::TempDir() + "siftsearch-journal-" + std::to_string(getpid());
  const auto a_commit_is_due = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1100)); };
  {
    const auto journal = ReportJournal::Open(file, false, "task").value();
    ASSERT_TRUE(journal->PutPair(1, PairOf("/done", "/a")).ok());
    a_commit_is_due();
    ASSERT_TRUE(journal->SetDone("/done").ok());
    ASSERT_TRUE(journal->PutPair(2, PairOf("/half", "/a")).ok());
    a_commit_is_due();
    ASSERT_TRUE(journal->PutPair(2, PairOf("/half", "/b")).ok());
  }
  const auto journal = ReportJournal::Open(file, true, "task").value();
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
}

}  // namespace
}  // namespace siftsearch::engine
