#include "engine/report_journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

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
  const std::string file = testing::TempDir() + "siftsearch-journal-test";
  {
    const auto journal = ReportJournal::Open(file, false, "task").value();
    ASSERT_TRUE(journal->PutPair(1, PairOf("/done", "/a")).ok());
    ASSERT_TRUE(journal->SetDone("/done").ok());
    ASSERT_TRUE(journal->PutPair(2, PairOf("/half", "/a")).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // A commit is due.
    ASSERT_TRUE(journal->PutPair(2, PairOf("/half", "/b")).ok());
  }
  const auto journal = ReportJournal::Open(file, true, "task").value();
  EXPECT_FALSE(journal->IsDone("/half").value());
  ASSERT_TRUE(journal->NumberGroups().ok());
  ASSERT_TRUE(journal
                  ->Visit(ReportOrder::kQuery,
                          [](const ReportPair& pair) {
                            EXPECT_NE(pair.query.path, "/half");
                            return Status();
                          })
                  .ok());
  ASSERT_TRUE(journal->Finish().ok());
}

}  // namespace
}  // namespace siftsearch::engine
