#include <gtest/gtest.h>

#include <string>

#include "image_test_util.h"

namespace siftsearch::image {
namespace {

using std::string_literals::operator""s;

std::string_view SniffText(const std::string& text) {
  return Sniff(Bytes(text.begin(), text.end()));
}

TEST(Sniff, KnowsEveryFormatFile) {
  for (const std::string& name : FormatFiles()) {
    const std::string_view format = Sniff(ReadData("formats/" + name));
    EXPECT_TRUE(IsReadable(format)) << name << " is " << format;
  }
}

TEST(Sniff, TellsOtherKindsApart) {
  const std::pair<std::string, std::string_view> kinds[] = {
      {"", "empty"},
      {"plain words, caf\xC3\xA9\n", "text"},
      {"BMW is no bitmap, nor is this", "text"},
      {"P5 is a power station", "text"},
      {"\x01\x02\x03\x04", "unknown"},
      {"\xFF\xFEh\0i\0"s, "text"},
      {"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "svg"},
      {"<html></html>", "text"},
      {"%PDF-1.4", "pdf"},
      {"\0\0\0\x18"
       "ftypavif\0\0\0\0mif1avif"s,
       "avif"},
      {"\0\0\0\x18"
       "ftypmif1\0\0\0\0mif1avif"s,
       "avif"},
      {"\0\0\0\x18"
       "ftypmif1\0\0\0\0mif1heic"s,
       "heic"},
      {"\0\0\0\x18"
       "ftypqt  \0\0\0\0qt  qt  "s,
       "video"},
      {"\0\0\0\x18"
       "ftypcrx \0\0\0\1crx isom"s,
       "raw"},
      {"\0\0\0\x18"
       "ftyp"s,
       "video"},
      {"RIFF\x10\0\0\0AVI LIST"s, "video"},
      {"\x1A\x45\xDF\xA3\x01", "video"},
      {"\xFF\x0A\xFA\x7F", "jpeg-xl"},
      {"\0\0\0\x0CJXL \r\n\x87\n"s, "jpeg-xl"},
      {"\0\0\0\x0CjP  \r\n\x87\n"s, "jpeg-2000"},
      {"8BPS\0\1"s, "psd"},
      {"PK\x03\x04\x14", "zip"},
      {"II*\0\x10\0\0\0CR\x02"s, "raw"},
  };
  for (const auto& [bytes, format] : kinds) EXPECT_EQ(SniffText(bytes), format) << bytes;
}

TEST(Sniff, OnlySevenFormatsAreRead) {
  for (const char* format : {"jpeg", "png", "webp", "tiff", "bmp", "gif", "pnm"}) {
    EXPECT_TRUE(IsReadable(format)) << format;
  }
  for (const char* format : {"heic", "pdf", "text", "empty", "unknown", ""}) {
    EXPECT_FALSE(IsReadable(format)) << format;
  }
}

TEST(HasImageExtension, LooksAtTheEndInAnyCase) {
  for (const char* path : {"a.jpg", "/x.y/B.JPEG", "photo.HeIc", "two.dots.png", "é.webp"}) {
    EXPECT_TRUE(HasImageExtension(path)) << path;
  }
  for (const char* path : {"", "jpg", ".jpg", "a.txt", "dir.jpg/file", "a.jpg.bak", "a."}) {
    EXPECT_FALSE(HasImageExtension(path)) << path;
  }
}

}  // namespace
}  // namespace siftsearch::image
