#include "report/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report_test_util.h"

namespace siftsearch::report {
namespace {

using ::testing::HasSubstr;

TEST(ColumnsTest, LinesUpCharactersNotBytes) {
  static constexpr std::size_t kRight[] = {1};
  EXPECT_EQ(Columns({{"a", "n", "x"}, {"ééé", "100", "y"}}, kRight),
            "  a      n  x\n"
            "  ééé  100  y\n");
}

TEST(QueryTableTest, ListsMatches) {
  EXPECT_EQ(QueryTable(SampleResult()),
            "q.jpg  100 × 50, 812 descriptors\n"
            "  #  score   copy?  inliers  id  relation                   path\n"
            "  1  0.9988  copy       143  17  crop of, 34 % of its area  /p/a.jpg\n");
}

TEST(QueryTableTest, NamesCannotBreakTheLine) {
  QueryResult result = SampleResult();
  result.query = "a\nb\x1b[31m";
  result.matches[0].image.path = "c\rd";
  const std::string text = QueryTable(result);
  EXPECT_THAT(text, HasSubstr("a\\nb\\x1b[31m"));
  EXPECT_THAT(text, HasSubstr("c\\rd"));
}

TEST(QueryTableTest, SaysWhenThereIsNone) {
  QueryResult result = SampleResult();
  result.matches.clear();
  EXPECT_THAT(QueryTable(result), HasSubstr("no match"));
}

TEST(ImageTableTest, SaysWhereThereAreSeveralPages) {
  ImageRecord image;
  image.path = "/a";
  EXPECT_THAT(ImageTable(image), testing::Not(HasSubstr("page")));
  EXPECT_THAT(ImageDetails(image), testing::Not(HasSubstr("page")));
  image.pages = 12;
  EXPECT_THAT(ImageTable(image), HasSubstr("/a  (12 pages)\n"));
  EXPECT_THAT(ImageDetails(image), HasSubstr("pixels, first of 12 pages"));
  QueryResult result = SampleResult();
  result.pages = 3;
  EXPECT_THAT(QueryTable(result), HasSubstr("812 descriptors, first of 3 pages\n"));
}

TEST(ByteSizeTest, ChoosesTheUnit) {
  EXPECT_EQ(ByteSize(0), "0 B");
  EXPECT_EQ(ByteSize(1023), "1023 B");
  EXPECT_EQ(ByteSize(1536), "1.5 KiB");
  EXPECT_EQ(ByteSize(std::int64_t{5} << 40), "5.0 TiB");
}

TEST(ImageDetailsTest, ShowsAttributes) {
  ImageRecord image;
  image.path = "/a";
  image.attributes = {{"k", "v\n"}};
  EXPECT_THAT(ImageDetails(image), HasSubstr("attribute    k = v\\n\n"));
}

}  // namespace
}  // namespace siftsearch::report
