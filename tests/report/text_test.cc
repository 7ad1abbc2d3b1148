#include "report/text.h"

#include <gtest/gtest.h>

namespace siftsearch::report {
namespace {

TEST(IsUtf8Test, IsStrict) {
  for (const char* good : {"", "a", "é", "東京", "\xf0\x9f\x98\x80"}) EXPECT_TRUE(IsUtf8(good));
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(PrintableTest, KeepsWhatIsHarmless) {
  EXPECT_EQ(Printable("Zürich 東京 \xf0\x9f\x98\x80 '\"$"), "Zürich 東京 \xf0\x9f\x98\x80 '\"$");
}

TEST(PrintableTest, EscapesWhatCouldMislead) {
  EXPECT_EQ(Printable("a\nb\rc\td\\e\x1b\x7f"), "a\\nb\\rc\\td\\\\e\\x1b\\x7f");
  EXPECT_EQ(Printable("\u202egpj\u2066\u0085\u2028\u200f"),
            "\\u202egpj\\u2066\\u0085\\u2028\\u200f");
  EXPECT_EQ(Printable("\xff"
                      "\xc3\xa9"),
            "\\xff\\xc3\\xa9");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Base64Test, KnownAnswers) {  // RFC 4648, section 10.
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
}

TEST(DisplayWidthTest, CountsCharacters) { EXPECT_EQ(DisplayWidth("aé東"), 3u); }

}  // namespace
}  // namespace siftsearch::report
