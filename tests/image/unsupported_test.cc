#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "file_writers.h"

namespace siftsearch::image {
namespace {

using testing::HasSubstr;

void ExpectUnsupported(const Bytes& bytes, const std::string& words) {
  for (const Status& status : {DecodeGrey(bytes, {}).status(), DecodeRgb(bytes, {}).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << words << ": " << status.message();
    EXPECT_THAT(status.message(), HasSubstr(words));
  }
}

TiffDirectory Thumbnail() {
  TiffDirectory page = TiffPicture(16, 12, 3, 8, Bytes(16 * 12 * 3, 80));
  SetEntry(page, 254, {1});
  return page;
}

TiffDirectory Sensor(std::uint32_t photometric) {
  TiffDirectory page = TiffPicture(64, 48, 1, 16, Bytes(64 * 48 * 2, 7));
  SetEntry(page, 262, {photometric});
  SetEntry(page, 254, {0});
  return page;
}

constexpr std::uint32_t kColourFilter = 32803, kLinearRaw = 34892;

TEST(RawPictures, AreNotTakenForTheirThumbnails) {
  TiffDirectory nef = Thumbnail();
  nef.make = "NIKON CORPORATION";
  nef.inner = {Thumbnail(), Sensor(kColourFilter)};
  ExpectUnsupported(Tiff({nef}), "is a raw camera picture (NEF), of which only a preview");
  TiffDirectory arw = nef;
  arw.make = "SONY";
  ExpectUnsupported(Tiff({arw}), "raw camera picture (ARW)");
  TiffDirectory unknown = nef;
  unknown.make = "";
  ExpectUnsupported(Tiff({unknown}), "raw camera picture (TIFF/EP)");
}

TEST(RawPictures, OfADngAreKnownByItsVersionAndByTheirPixels) {
  TiffDirectory dng = Thumbnail();
  SetEntry(dng, 50706, {1, 4, 0, 0});
  dng.inner = {Sensor(kColourFilter)};
  ExpectUnsupported(Tiff({dng}), "raw camera picture (DNG)");
  // Also where the thumbnail does not say that it is one, and of linear pixels.
  TiffDirectory plain = TiffPicture(16, 12, 3, 8, Bytes(16 * 12 * 3, 80));
  plain.inner = {Sensor(kLinearRaw)};
  ExpectUnsupported(Tiff({plain}), "raw camera picture");
  TiffDirectory first = Sensor(kColourFilter);
  SetEntry(first, 50706, {1, 4, 0, 0});
  ExpectUnsupported(Tiff({first}), "raw camera picture (DNG)");
}

TEST(RawPictures, InALaterPageAreFound) {
  TiffDirectory pef = Sensor(kColourFilter);
  pef.make = "PENTAX Corporation";
  ExpectUnsupported(Tiff({pef, Thumbnail()}), "raw camera picture (PEF)");
  TiffDirectory small = Thumbnail();
  small.make = "PENTAX Corporation";
  ExpectUnsupported(Tiff({small, pef}), "raw camera picture (PEF)");
}

TEST(RawPictures, AreKnownByTheirFirstBytes) {
  for (const std::string& head :
       {std::string("II*\0\x10\0\0\0CR\x02", 11), std::string("IIRO\x08\0\0\0", 8),
        std::string("MMOR\0\0\0\x08", 8), std::string("IIU\0\x18\0\0\0", 8),
        std::string("II*\0\x10\0\0\0IIIITwaR", 16), std::string("II\x1a\0\0\0HEAPCCDR", 14),
        std::string("FOVb\0\0\2\0", 8), std::string("\0MRM\0\0\0\0", 8),
        std::string("FUJIFILMCCD-RAW 0201")}) {
    ExpectUnsupported(Bytes(head.begin(), head.end()), "is a raw camera picture");
  }
}

TEST(StandIns, OfAPictureInASubDirectoryAreNotRead) {
  TiffDirectory page = Thumbnail();
  page.inner = {TiffPicture(64, 48, 3, 8, Bytes(64 * 48 * 3, 9))};
  ExpectUnsupported(Tiff({page}), "in a sub-directory, of which only a preview");
  // A pyramid below a full picture, and a sub-directory beside one, are fine.
  TiffDirectory full = TiffPicture(64, 48, 3, 8, Bytes(64 * 48 * 3, 9));
  full.inner = {Thumbnail()};
  EXPECT_TRUE(DecodeGrey(Tiff({full}), {}).ok());
  EXPECT_EQ(DecodeGrey(Tiff({page, full}), {})->width, 64);
}

TEST(StandIns, OfOtherFormatsUnderAJpegsNameAreNamed) {
  const std::string psd("8BPS\0\1\0\0", 8);
  ExpectUnsupported(Bytes(psd.begin(), psd.end()), "Photoshop (PSD)");
  ExpectUnsupported(ReadData("bad/phone.heic"), "HEIC");
}

TEST(UnsupportedTiff, NamesWhatIsInside) {
  const std::pair<std::uint32_t, const char*> kinds[] = {
      {34712, "JPEG 2000"},  {33003, "JPEG 2000"}, {33005, "JPEG 2000"},
      {34933, "PNG"},        {50002, "JPEG XL"},   {52546, "JPEG XL"},
      {34892, "lossy JPEG"}, {34715, "JBIG2"},     {60123, "compression 60123"}};
  for (const auto& [compression, name] : kinds) {
    TiffDirectory page = TiffPicture(4, 3, 3, 8, Bytes(36, 1));
    SetEntry(page, 259, {compression});
    ExpectUnsupported(Tiff({page}), name);
    // Of grey samples in tiles, too, and cut.
    TiffDirectory grey = TiffPicture(4, 3, 1, 8, Bytes(1, 1));
    SetEntry(grey, 259, {compression});
    SetEntry(grey, 257, {1000});
    ExpectUnsupported(Tiff({grey}), name);
  }
}

/// A JPEG whose start of frame is of another kind.
Bytes WithFrame(std::uint8_t marker) {
  Bytes jpeg = ReadData("formats/baseline.jpg");
  for (std::size_t i = 0; i + 1 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xFF || jpeg[i + 1] != 0xC0) continue;
    jpeg[i + 1] = marker;
    return jpeg;
  }
  return {};
}

TEST(UnsupportedTiff, WithAnotherKindOfJpegInsideIsNotDamaged) {
  TiffDirectory page = TiffPicture(96, 64, 3, 8, WithFrame(0xC3));
  SetEntry(page, 259, {7});
  SetEntry(page, 262, {6});
  ExpectUnsupported(Tiff({page}), "this kind of TIFF is not read");
}

TEST(UnsupportedTiff, OfOddSamplesIsNotDamaged) {
  for (const int bits : {12, 32, 64}) {
    Bytes pixels(8 * 4 * 8, 1);
    ExpectUnsupported(Tiff({TiffPicture(8, 4, 1, bits, pixels)}), "is not read");
  }
}

TEST(UnsupportedPng, OfIphoneAppsIsNamed) {
  const Bytes png = ReadData("formats/rgb8.png");
  Bytes crushed = kPngSignature;
  PutPngChunk("CgBI", {0x50, 0, 0x20, 2}, crushed);
  crushed.insert(crushed.end(), png.begin() + 8, png.end());
  ExpectUnsupported(crushed, "CgBI");
}

TEST(UnsupportedPng, WithAnUnknownCriticalPartIsNotDamaged) {
  const Bytes png = ReadData("formats/rgb8.png");
  Bytes odd(png.begin(), png.begin() + 33);
  PutPngChunk("ABCD", {1, 2, 3}, odd);
  odd.insert(odd.end(), png.begin() + 33, png.end());
  ExpectUnsupported(odd, "this kind of PNG is not read");
}

TEST(UnsupportedJpeg, OfOtherProcessesIsNotDamaged) {
  for (const std::uint8_t marker : {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}) {
    ExpectUnsupported(WithFrame(marker), "this kind of JPEG is not read");
  }
  ExpectUnsupported(WithFrame(0xF7), "JPEG-LS");
  Bytes deep = WithFrame(0xC1);
  for (std::size_t i = 0; i + 4 < deep.size(); ++i) {
    if (deep[i] == 0xFF && deep[i + 1] == 0xC1) deep[i + 4] = 12;  // Bits a sample.
  }
  ExpectUnsupported(deep, "precision 12");
}

TEST(UnsupportedBmp, OfOtherCompressionsIsNamed) {
  Bytes bmp = ReadData("formats/rgb24.bmp");
  bmp[30] = 4;
  ExpectUnsupported(bmp, "JPEG or PNG inside");
  bmp[30] = 11;
  ExpectUnsupported(bmp, "compression 11");
  bmp[30] = 0;
  bmp[28] = 2;
  ExpectUnsupported(bmp, "2 bits a pixel");
}

}  // namespace
}  // namespace siftsearch::image
