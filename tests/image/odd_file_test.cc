#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "file_writers.h"

namespace siftsearch::image {
namespace {

using testing::Each;
using testing::HasSubstr;

Bytes Cut(Bytes bytes, std::size_t count) {
  bytes.resize(bytes.size() - count);
  return bytes;
}

TEST(OddJpeg, WithoutAnEndButWithAllItsRowsIsReadWithARemark) {
  for (const char* name : {"formats/baseline.jpg", "formats/progressive.jpg", "formats/cmyk.jpg"}) {
    const Bytes whole = ReadData(name);
    ASSERT_EQ(whole.back(), 0xD9);
    const GreyImage picture = Decoded(Cut(whole, 2));
    EXPECT_EQ(picture.pixels, Decoded(whole).pixels) << name;
    EXPECT_EQ(picture.remark, "its end is missing") << name;
    EXPECT_EQ(Decoded(whole).remark, "");
  }
}

TEST(OddJpeg, WithoutItsLastScanIsCutShort) {
  Bytes bytes = ReadData("formats/progressive.jpg");
  std::size_t scan = bytes.size() - 2;
  while (bytes[scan] != 0xFF || bytes[scan + 1] != 0xDA) --scan;
  const Status status = DecodeGrey(Cut(bytes, bytes.size() - scan), {}).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_THAT(status.message(), HasSubstr("cut short"));
}

TEST(OddJpeg, WithATrailerIsJustRead) {
  const Bytes whole = ReadData("formats/baseline.jpg");
  for (const Bytes& trailer : {Bytes(1000, 0), Bytes(7, 0xFF), whole}) {
    Bytes bytes = whole;
    Append(bytes, trailer);
    EXPECT_EQ(Decoded(bytes).pixels, Decoded(whole).pixels);
    EXPECT_EQ(Decoded(bytes).remark, "");
  }
}

TEST(OddPng, WithoutASoundEndIsReadWithARemark) {
  const Bytes whole = ReadData("formats/rgb8.png");
  const Bytes pixels = Decoded(whole).pixels;
  Bytes wrong = whole;
  wrong.back() ^= 1;
  for (const Bytes& bytes : {Cut(whole, 12), Cut(whole, 9), Cut(whole, 4), Cut(whole, 1), wrong}) {
    EXPECT_EQ(Decoded(bytes).pixels, pixels);
    EXPECT_EQ(Decoded(bytes).remark, "its end is missing or damaged");
  }
}

TEST(OddPng, WithADamagedPartElsewhereIsDamaged) {
  const Bytes whole = ReadData("formats/rgb8.png");
  // The checksum of the last chunk of pixels, and its last byte missing.
  Bytes wrong = whole;
  wrong[whole.size() - 13] ^= 1;
  EXPECT_EQ(DecodeGrey(wrong, {}).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(DecodeGrey(Cut(whole, 17), {}).status().code(), StatusCode::kCorrupt);
}

TEST(OddBmp, HeadersOfAnySizeAreRead) {
  const Bytes masks = {0, 0, 0xFF, 0, 0, 0xFF, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF};
  const Bytes two = {10, 20, 30, 255, 40, 50, 60, 255};  // Blue, green, red, alpha.
  const Bytes rgb = {30, 20, 10, 60, 50, 40};
  for (const int header : {52, 56, 108, 124}) {
    const auto picture = DecodeRgb(Bmp(header, 2, 1, 32, 3, masks, {}, two), {});
    ASSERT_TRUE(picture.ok()) << header << picture.status().message();
    EXPECT_EQ(picture->pixels, rgb) << header;
  }
  for (const int header : {40, 52, 56, 64, 108, 124}) {
    const Bytes bmp = Bmp(header, 2, 1, 24, 0, {}, {}, {10, 20, 30, 40, 50, 60, 0, 0});
    EXPECT_EQ(DecodeRgb(bmp, {})->pixels, rgb) << header;
    const Bytes table = Bmp(header, 2, 1, 8, 0, {}, GreyTable(16), {3, 7, 0, 0});
    EXPECT_EQ(Decoded(table).pixels, (Bytes{48, 112})) << header;
  }
}

TEST(OddBmp, AColourTableOf24BitsIsPassedOver) {
  const Bytes bmp = Bmp(40, 1, 2, 24, 0, {}, GreyTable(256), {1, 2, 3, 0, 4, 5, 6, 0});
  EXPECT_EQ(DecodeRgb(bmp, {})->pixels, (Bytes{6, 5, 4, 3, 2, 1}));
}

TEST(OddBmp, RunsOf8BitsAreRead) {
  // The lower row: 2 × 1, then literally 2 3 4 (filled up); the upper: one passed over, 3 × 5.
  const Bytes runs = {2, 1, 0, 3, 2, 3, 4, 0, 0, 0, 0, 2, 1, 0, 3, 5, 0, 1};
  EXPECT_EQ(Decoded(Bmp(40, 5, 2, 8, 1, {}, GreyTable(16), runs)).pixels,
            (Bytes{0, 80, 80, 80, 0, 16, 16, 32, 48, 64}));
  // What leads out of the row is dropped, and the last row may end the file.
  const Bytes wide = {9, 1, 0, 0, 2, 2, 3, 4};
  EXPECT_EQ(Decoded(Bmp(40, 5, 2, 8, 1, {}, GreyTable(16), wide)).pixels,
            (Bytes{32, 32, 64, 64, 64, 16, 16, 16, 16, 16}));
}

TEST(OddBmp, RunsOf4BitsAreRead) {
  // 3 pixels of 1 and 2 in turns, then literally 3 4 5; passed over to the upper row: 2 × 7.
  const Bytes runs = {3, 0x12, 0, 3, 0x34, 0x50, 0, 0, 0, 2, 4, 0, 2, 0x77, 0, 1};
  EXPECT_EQ(Decoded(Bmp(64, 6, 2, 4, 2, {}, GreyTable(16), runs)).pixels,
            (Bytes{0, 0, 0, 0, 112, 112, 16, 32, 16, 48, 64, 80}));
}

TEST(OddBmp, RunsThatEndEarlyAreCutShort) {
  for (const Bytes& runs :
       {Bytes{}, Bytes{5}, Bytes{5, 1, 0, 0}, Bytes{0, 5, 1, 2}, Bytes{0, 2, 1}}) {
    const Status status = DecodeGrey(Bmp(40, 5, 2, 8, 1, {}, GreyTable(16), runs), {}).status();
    EXPECT_EQ(status.code(), StatusCode::kCorrupt) << runs.size();
  }
}

/// A TIFF of 16-bit samples; little-endian.
Bytes WideTiff(const std::vector<std::uint16_t>& samples, int samples_a_pixel = 1) {
  Bytes pixels;
  for (const std::uint16_t sample : samples) PutLittle(pixels, sample, 2);
  const int width = static_cast<int>(samples.size()) / samples_a_pixel;
  return Tiff({TiffPicture(width, 1, samples_a_pixel, 16, pixels)});
}

TEST(WideSamples, OfFewerBitsAreStretched) {
  // The smallest number of bits that holds the largest: 8, 10, 12, 14, 16.
  EXPECT_EQ(Decoded(WideTiff({0, 100, 255})).pixels, (Bytes{0, 100, 255}));
  EXPECT_EQ(Decoded(WideTiff({0, 256, 1023})).pixels, (Bytes{0, 64, 255}));
  EXPECT_EQ(Decoded(WideTiff({16, 2048, 4095})).pixels, (Bytes{1, 128, 255}));
  EXPECT_EQ(Decoded(WideTiff({0, 4096, 16383})).pixels, (Bytes{0, 64, 255}));
  EXPECT_EQ(Decoded(WideTiff({0, 4096, 16384})).pixels, (Bytes{0, 16, 64}));
  EXPECT_EQ(DecodeRgb(WideTiff({0, 2048, 4095}, 3), {})->pixels, (Bytes{0, 128, 255}));
}

TEST(WideSamples, OfOneValueAreLeftAsTheyAre) {
  EXPECT_THAT(Decoded(WideTiff({300, 300, 300})).pixels, Each(1));
}

TEST(WideSamples, OfATiffThatNamesItsLargestGoByThat) {
  Bytes pixels;
  for (const int sample : {0, 100, 200}) PutLittle(pixels, static_cast<std::uint64_t>(sample), 2);
  TiffDirectory page = TiffPicture(3, 1, 1, 16, pixels);
  SetEntry(page, 281, {4095});
  EXPECT_EQ(Decoded(Tiff({page})).pixels, (Bytes{0, 6, 12}));
  // A lower one than there is is wrong.
  SetEntry(page, 281, {50});
  EXPECT_EQ(Decoded(Tiff({page})).pixels, (Bytes{0, 100, 200}));
}

TEST(WideSamples, OfAPngAreStretchedToo) {
  // PGM and PNG say the same of one picture; PNM's header has its largest value.
  const std::string pgm("P5 2 1 4095\n\x08\x00\x0f\xff", 16);
  EXPECT_EQ(Decoded(Bytes(pgm.begin(), pgm.end())).pixels, (Bytes{128, 255}));
  Bytes png = kPngSignature;
  PutPngChunk("IHDR", {0, 0, 0, 2, 0, 0, 0, 1, 16, 0, 0, 0, 0}, png);
  PutPngChunk("IDAT", {0x78, 1, 1, 5, 0, 0xFA, 0xFF, 0, 8, 0, 0x0F, 0xFF, 0x01, 0x42, 0x01, 0x17},
              png);
  PutPngChunk("IEND", {}, png);
  EXPECT_EQ(Decoded(png).pixels, (Bytes{128, 255}));
}

/// 3 × 2 pixels of four or five bands: the colours and what else.
constexpr int kBandsWidth = 3, kBandsHeight = 2;
Bytes Bands(int bands) {
  Bytes pixels;
  for (int i = 0; i < kBandsWidth * kBandsHeight; ++i) {
    for (int band = 0; band < bands; ++band) {
      pixels.push_back(static_cast<std::uint8_t>(10 * i + 60 * band));
    }
  }
  return pixels;
}

/// `first` of every `stride` values from the front.
Bytes First(const Bytes& values, int stride, int first) {
  Bytes some;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (static_cast<int>(i) % stride < first) some.push_back(values[i]);
  }
  return some;
}

TEST(ExtraBands, ThatAreNoAlphaAreIgnored) {
  for (const int bands : {4, 5, 6}) {
    TiffDirectory page = TiffPicture(kBandsWidth, kBandsHeight, bands, 8, Bands(bands));
    SetEntry(page, 338, std::vector<std::uint32_t>(static_cast<std::size_t>(bands) - 3, 0));
    EXPECT_EQ(DecodeRgb(Tiff({page}), {})->pixels, First(Bands(bands), bands, 3)) << bands;
  }
  TiffDirectory grey = TiffPicture(kBandsWidth, kBandsHeight, 2, 8, Bands(2));
  SetEntry(grey, 338, {0});
  EXPECT_EQ(Decoded(Tiff({grey})).pixels, First(Bands(2), 2, 1));
}

TEST(ExtraBands, InPlanesAndTilesAreIgnored) {
  const Bytes mixed = Bands(5);
  TiffDirectory page = TiffPicture(kBandsWidth, kBandsHeight, 5, 8, {});
  SetEntry(page, 338, {0, 0});
  SetEntry(page, 284, {2});
  page.strips.assign(5, {});
  for (std::size_t i = 0; i < mixed.size(); ++i) page.strips[i % 5].push_back(mixed[i]);
  EXPECT_EQ(DecodeRgb(Tiff({page}), {})->pixels, First(mixed, 5, 3));
  const auto grey = DecodeGrey(Tiff({page}), {});
  ASSERT_TRUE(grey.ok());
  // In 16 × 16 tiles, too.
  TiffDirectory tiled = TiffPicture(kBandsWidth, kBandsHeight, 4, 8, Bytes(16 * 16 * 4, 99));
  const Bytes four = Bands(4);
  for (int y = 0; y < kBandsHeight; ++y) {
    std::copy_n(four.begin() + 4 * kBandsWidth * y, 4 * kBandsWidth,
                tiled.strips[0].begin() + 4 * 16 * y);
  }
  tiled.tiled = true;
  std::erase_if(tiled.entries, [](const auto& entry) { return entry.first == 278; });
  SetEntry(tiled, 322, {16});
  SetEntry(tiled, 323, {16});
  SetEntry(tiled, 338, {0});
  EXPECT_EQ(DecodeRgb(Tiff({tiled}), {})->pixels, First(four, 4, 3));
}

TEST(ExtraBands, ThatMayBeAlphaAre) {
  // Half covered black is grey on white, whether or not the file names the band.
  const Bytes half = {0, 0, 0, 128, 0, 0, 0, 255};
  TiffDirectory page = TiffPicture(2, 1, 4, 8, half);
  EXPECT_EQ(Decoded(Tiff({page})).pixels, (Bytes{127, 0}));
  SetEntry(page, 338, {2});
  EXPECT_EQ(Decoded(Tiff({page})).pixels, (Bytes{127, 0}));
}

constexpr int kSide = 12;

/// A square of a grey in the middle of nothing.
Bytes Square(std::uint8_t grey, std::uint8_t alpha = 255) {
  Bytes rgba;
  for (int i = 0; i < kSide * kSide; ++i) {
    const int x = i % kSide, y = i / kSide;
    const bool inside = x > 2 && x < 9 && y > 3 && y < 8;
    Append(rgba, {grey, grey, grey, inside ? alpha : std::uint8_t{0}});
  }
  return rgba;
}

/// The picture's greys are those of the square on a ground.
void ExpectSquare(const Bytes& file, std::uint8_t grey, std::uint8_t ground) {
  const GreyImage picture = Decoded(file);
  ASSERT_EQ(picture.pixels.size(), static_cast<std::size_t>(kSide * kSide));
  EXPECT_NEAR(picture.pixels[5 * kSide + 5], grey, 1);
  EXPECT_EQ(picture.pixels[0], ground);
  const auto rgb = DecodeRgb(file, {});
  ASSERT_TRUE(rgb.ok());
  EXPECT_EQ(rgb->pixels[0], ground);
}

TEST(Ground, IsWhiteUnlessThatLeavesNothing) {
  ExpectSquare(RgbaPng(kSide, kSide, Square(0)), 0, 255);
  ExpectSquare(RgbaPng(kSide, kSide, Square(200)), 200, 255);
  ExpectSquare(RgbaPng(kSide, kSide, Square(223)), 223, 255);
  ExpectSquare(RgbaPng(kSide, kSide, Square(224)), 224, 0);
  ExpectSquare(RgbaPng(kSide, kSide, Square(255)), 255, 0);
  ExpectSquare(RgbaPng(kSide, kSide, Square(255, 100)), 100, 0);
}

TEST(Ground, OfNothingAtAllIsWhite) {
  EXPECT_THAT(Decoded(RgbaPng(kSide, kSide, Square(255, 0))).pixels, Each(255));
  EXPECT_THAT(Decoded(RgbaPng(kSide, kSide, Bytes(4 * kSide * kSide, 255))).pixels, Each(255));
}

TEST(Ground, IsTheSameInEveryFormat) {
  for (const auto& [grey, ground] : {std::pair<int, int>{254, 0}, {100, 255}}) {
    const Bytes rgba = Square(static_cast<std::uint8_t>(grey));
    TiffDirectory page = TiffPicture(kSide, kSide, 4, 8, rgba);
    SetEntry(page, 338, {2});
    ExpectSquare(Tiff({page}), static_cast<std::uint8_t>(grey), static_cast<std::uint8_t>(ground));
    Bytes frame;
    for (std::size_t i = 0; i < rgba.size(); i += 4) {
      frame.push_back(rgba[i + 3] == 0 ? 3 : static_cast<std::uint8_t>(grey / 2));
    }
    ExpectSquare(Gif(kSide, kSide, {frame}, 3), static_cast<std::uint8_t>(grey),
                 static_cast<std::uint8_t>(ground));
    const Bytes bmp = Bmp(40, kSide, -kSide, 32, 0, {}, {}, rgba);
    ExpectSquare(bmp, static_cast<std::uint8_t>(grey), static_cast<std::uint8_t>(ground));
  }
}

}  // namespace
}  // namespace siftsearch::image
