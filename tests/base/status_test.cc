#include "siftsearch/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace siftsearch {
namespace {

TEST(Result, HoldsAValue) {
  Result<std::string> result = std::string("picture");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.status().ok());
  EXPECT_EQ(*result, "picture");
  EXPECT_EQ(result->size(), 7u);
  EXPECT_EQ(std::move(result).value(), "picture");
}

TEST(Result, GivesAwayAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(Result, HoldsAnError) {
  const Result<int> result = Status(StatusCode::kNotFound, "a.jpg: there is no such file");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(result.status().message(), "a.jpg: there is no such file");
}

TEST(Result, OfAnOkStatusIsAnInternalError) {
  const Result<int> result = Status();
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kInternal);
  EXPECT_FALSE(result.status().message().empty());
}

TEST(ResultDeathTest, ReadingTheValueOfAnErrorEndsTheProcessWithItsMessage) {
  const Result<std::string> result = Status(StatusCode::kCorrupt, "a.jpg: is damaged");
  EXPECT_DEATH((void)result.value(), "a.jpg: is damaged");
  EXPECT_DEATH((void)*result, "a.jpg: is damaged");
  EXPECT_DEATH((void)result->size(), "a.jpg: is damaged");
}

}  // namespace
}  // namespace siftsearch
