#include "engine/where.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace siftsearch::engine {
namespace {

using ::testing::HasSubstr;

bool Matches(const std::string& condition, const ImageRecord& image) {
  const auto where = Where::Parse(condition);
  EXPECT_TRUE(where.ok()) << where.status().message();
  return where.ok() && where->Matches(image);
}

ImageRecord Sample() {
  ImageRecord image;
  image.path = "/Archive/2019/red car.jpg";
  image.width = 640;
  image.file_bytes = 90'000;
  image.attributes = {{"seller", "acme"}, {"price", "9.50"}, {"note", ""}};
  return image;
}

TEST(WhereTest, ComparesAttributesAsTextAndAsNumbers) {
  for (const char* condition :
       {"seller = acme", "seller == 'acme'", "seller != other", "price < 10", "price >= 9.5",
        "price = 9.5", "width >= 640", "bytes<100000", "path ~ archive/", "path ~ \"RED CAR\"",
        "path !~ blue", "note = ''", "missing = \"\"", "missing != x", "seller < b"}) {
    EXPECT_TRUE(Matches(condition, Sample())) << condition;
    EXPECT_FALSE(Matches("not (" + std::string(condition) + ")", Sample())) << condition;
  }
}

TEST(WhereTest, AndBindsTighterThanOr) {
  EXPECT_TRUE(Matches("seller = acme or seller = x and width = 1", Sample()));
  EXPECT_FALSE(Matches("(seller = acme or seller = x) and width = 1", Sample()));
  EXPECT_TRUE(Matches("NOT seller = x AND width = 640", Sample()));
}

TEST(WhereTest, TakesManyTermsSideBySide) {
  std::string condition = "seller = x";
  for (int i = 0; i < 300; ++i) condition += " or price = " + std::to_string(i);
  EXPECT_FALSE(Matches(condition, Sample()));
  EXPECT_TRUE(Matches(condition + " or seller = acme", Sample()));
}

TEST(WhereTest, SaysWhatIsWrong) {
  const auto problem = [](const std::string& text) {
    return Where::Parse(text).status().message();
  };
  EXPECT_THAT(problem(""), HasSubstr("its end at character 1, where a name"));
  EXPECT_THAT(problem("seller"), HasSubstr("where an operator"));
  EXPECT_THAT(problem("seller ="), HasSubstr("where a value"));
  EXPECT_THAT(problem("seller = 'acme"), HasSubstr("where a value"));
  EXPECT_THAT(problem("(seller = acme"), HasSubstr("where \")\""));
  EXPECT_THAT(problem("seller = acme width = 3"), HasSubstr("\"width\" at character 15"));
  EXPECT_THAT(problem("seller & acme"), HasSubstr("\"&\""));
  EXPECT_FALSE(Where::Parse(std::string(100'000, '(')).ok());
}

}  // namespace
}  // namespace siftsearch::engine
