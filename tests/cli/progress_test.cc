#include "cli/progress.h"

#include <gtest/gtest.h>

namespace siftsearch::cli {
namespace {

TEST(ProgressLineTest, TellsShareRateAndTimeLeft) {
  EXPECT_EQ(ProgressLine(25, 100, 5, "", 200),
            "25/100 [======                  ] 25 %  5.0/s  0:15 left");
  EXPECT_EQ(ProgressLine(100, 100, 5, "7 pairs", 200),
            "100/100 [========================] 100 %  20.0/s  7 pairs");
}

TEST(ProgressLineTest, WithoutATotalThereIsNoBar) {
  EXPECT_EQ(ProgressLine(25, 0, 5, "", 200), "25 done  5.0/s");
}

TEST(ProgressLineTest, FitsTheTerminal) {
  EXPECT_EQ(ProgressLine(25, 100, 5, "", 10), "25/100 [=");
  EXPECT_EQ(ProgressLine(25, 100, 5, "", 0), "");
}

TEST(ProgressLineTest, MoreThanExpectedIsNotMoreThanAll) {
  EXPECT_EQ(ProgressLine(3, 2, 1, "", 200), "3/2 [========================] 100 %  3.0/s");
}

TEST(DurationTest, HoursOnlyWhereThereAreAny) {
  EXPECT_EQ(Duration(0), "0:00");
  EXPECT_EQ(Duration(78.2), "1:18");
  EXPECT_EQ(Duration(7384), "2:03:04");
}

}  // namespace
}  // namespace siftsearch::cli
