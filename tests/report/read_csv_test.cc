#include "report/read_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/csv.h"

namespace siftsearch::report {
namespace {

using ::testing::HasSubstr;

TEST(CsvReaderTest, ReadsBackWhatIsWritten) {
  const std::vector<std::string> values = {"plain", "a,b", "say \"x\"", "two\nlines", "", "\xff"};
  std::string text = "path,n\r\n";
  for (const auto& value : values) text += CsvField(value) + ",1\n";
  std::istringstream in("\xef\xbb\xbf" + text);
  auto reader = CsvReader::Open(in);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(reader->Has("path"));
  for (const auto& value : values) {
    const auto row = reader->Next();
    ASSERT_TRUE(row.ok() && *row);
    EXPECT_EQ((**row).at("path"), value);
  }
  EXPECT_FALSE(reader->Next()->has_value());
}

TEST(CsvReaderTest, NamesTheLineThatIsWrong) {
  std::istringstream in("a,b\n1,\"x\ny\"\n\n3\n");
  auto reader = CsvReader::Open(in);
  ASSERT_TRUE(reader->Next().ok());
  EXPECT_THAT(reader->Next().status().message(), HasSubstr("line 5: has 1 fields, the header 2"));
  std::istringstream open("a\n\"x\n");
  auto unclosed = CsvReader::Open(open);
  EXPECT_THAT(unclosed->Next().status().message(), HasSubstr("line 2: a quote is not closed"));
  std::istringstream empty("");
  EXPECT_FALSE(CsvReader::Open(empty).ok());
}

}  // namespace
}  // namespace siftsearch::report
