#include "report/csv.h"

#include <gtest/gtest.h>

#include "report_test_util.h"

namespace siftsearch::report {
namespace {

TEST(ForSpreadsheet, LeadsWhatIsTakenForAFormulaByAnApostrophe) {
  EXPECT_EQ(ForSpreadsheet("=1+2.jpg,+a,-b,@c\n"), "'=1+2.jpg,'+a,'-b,'@c\n");
  EXPECT_EQ(ForSpreadsheet("\tx,\"\rx\"\n"), "'\tx,\"'\rx\"\n");
  EXPECT_EQ(ForSpreadsheet(CsvField("=HYPERLINK(\"x\",1)") + ",=b"),
            "\"'=HYPERLINK(\"\"x\"\",1)\",'=b");
}

TEST(ForSpreadsheet, LeavesNumbersAndAllOtherTextAsItIs) {
  for (const char* rows :
       {"", "\n", ",,\n", "-0.5,-12,a=b,\"x,=y\",\"\n=z\"\na,b\n", "/a-b.jpg,0\n"}) {
    EXPECT_EQ(ForSpreadsheet(rows), rows);
  }
}

TEST(CsvFieldTest, QuotesOnlyWhereItMust) {
  EXPECT_EQ(CsvField("plain text"), "plain text");
  EXPECT_EQ(CsvField(""), "");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(CsvField("a\nb"), "\"a\nb\"");
  EXPECT_EQ(CsvField("a\rb"), "\"a\rb\"");
  EXPECT_EQ(CsvField("\xff"), "\xff");
}

TEST(QueryCsvTest, HasARowForEachMatch) {
  EXPECT_EQ(QueryCsv(SampleResult()),
            "q.jpg,1,17,/p/a.jpg,0.998765,true,210.50,143,false,false,"
            "\"crop of, 34 % of its area\",100.0,33.7,\n");
}

TEST(QueryCsvTest, AQueryWithoutMatchOrWithAnErrorIsARowToo) {
  QueryResult result = SampleResult();
  result.matches.clear();
  EXPECT_EQ(QueryCsv(result), "q.jpg,,,,,,,,,,,,,\n");
  result.error = Status(StatusCode::kCorrupt, "is cut short, alas");
  EXPECT_EQ(QueryCsv(result), "q.jpg,,,,,,,,,,,,,\"is cut short, alas\"\n");
}

TEST(PairCsvTest, HasTheColumnsOfItsHeader) {
  ReportPair pair;
  pair.query.path = "/p/b,c.jpg";
  pair.match = SampleMatch();
  pair.group = 3;
  EXPECT_EQ(PairCsvHeader(), "query,image,score,copy,votes,inliers,mirrored,inverted,group\n");
  EXPECT_EQ(PairCsv(pair), "\"/p/b,c.jpg\",/p/a.jpg,0.998765,true,210.50,143,false,false,3\n");
  pair.group = 0;
  EXPECT_TRUE(PairCsv(pair).ends_with("false,\n"));
}

}  // namespace
}  // namespace siftsearch::report
