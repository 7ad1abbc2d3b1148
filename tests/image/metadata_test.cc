#include "image/metadata.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "image/decode.h"

namespace siftsearch::image {
namespace {

std::vector<std::uint8_t> Jpeg(int quality) {
  RgbImage picture{16, 16, std::vector<std::uint8_t>(16 * 16 * 3, 77)};
  return Encode(picture, "jpeg", quality).value();
}

TEST(JpegQualityTest, IsWhatItWasWrittenWith) {
  for (const int quality : {3, 10, 30, 50, 75, 90, 98}) {
    const auto found = JpegQuality(Jpeg(quality));
    ASSERT_TRUE(found.has_value());
    EXPECT_NEAR(*found, quality, 1);
  }
}

TEST(JpegQualityTest, NoneForOtherAndCutFiles) {
  EXPECT_FALSE(JpegQuality({}).has_value());
  const std::string text = "no picture";
  EXPECT_FALSE(JpegQuality({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  const auto jpeg = Jpeg(50);
  for (std::size_t length = 0; length < 40; ++length) {
    EXPECT_FALSE(JpegQuality(std::span(jpeg).first(length)).has_value());
  }
}

/// A JPEG's head with an EXIF block whose only entry is DateTimeOriginal.
std::vector<std::uint8_t> WithDate(const std::string& date) {
  std::string tiff("MM\0\x2a\0\0\0\x08", 8);
  // IFD0 with a pointer to the EXIF IFD at 26.
  tiff += std::string("\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0", 18);
  // DateTimeOriginal, 20 ASCII bytes at 44.
  tiff += std::string("\0\x01\x90\x03\0\x02\0\0\0\x14\0\0\0\x2c\0\0\0\0", 18);
  tiff += date + '\0';
  const std::string exif = std::string("Exif\0\0", 6) + tiff;
  const auto length = static_cast<char>(exif.size() + 2);
  const std::string head = std::string("\xff\xd8\xff\xe1\0", 5) + length + exif;
  return {head.begin(), head.end()};
}

TEST(ExifDateTest, IsWhenThePictureWasTaken) {
  EXPECT_EQ(ExifDate(WithDate("2019:05:01 12:30:00")), "2019-05-01 12:30:00");
  EXPECT_EQ(ExifDate(WithDate("0000:00:00 00:00:00")), "");
  EXPECT_EQ(ExifDate(WithDate("<script>alert()</s>")), "");
  EXPECT_EQ(ExifDate(Jpeg(50)), "");
  EXPECT_EQ(ExifDate({}), "");
}

}  // namespace
}  // namespace siftsearch::image
