#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image_test_util.h"

namespace siftsearch::image {
namespace {

using testing::HasSubstr;

struct BadFile {
  const char* name;
  StatusCode code;
  const char* message;
};

TEST(BadFiles, AreRefusedWithTheirCause) {
  const BadFile files[] = {
      {"truncated.jpg", StatusCode::kCorrupt, "cut short"},
      {"truncated.png", StatusCode::kCorrupt, "cut short"},
      {"empty.jpg", StatusCode::kUnsupported, "is empty"},
      {"text.jpg", StatusCode::kUnsupported, "is text, not a picture"},
      {"bomb.png", StatusCode::kLimitExceeded, "60000 × 60000"},
      {"phone.heic", StatusCode::kUnsupported, "HEIC pictures are not supported"},
      {"document.pdf", StatusCode::kUnsupported, "is a PDF document, not a picture"},
      {"clip.mp4", StatusCode::kUnsupported, "is a video, not a picture"},
  };
  for (const BadFile& file : files) {
    const Bytes bytes = ReadData(std::string("bad/") + file.name);
    for (const Status& status : {DecodeGrey(bytes, {}).status(), DecodeRgb(bytes, {}).status()}) {
      EXPECT_EQ(status.code(), file.code) << file.name << ": " << status.message();
      EXPECT_THAT(status.message(), HasSubstr(file.message)) << file.name;
    }
  }
}

TEST(BadFiles, BlankAndOnePixelPicturesAreNoError) {
  const auto blank = DecodeGrey(ReadData("bad/blank.png"), {});
  ASSERT_TRUE(blank.ok());
  EXPECT_EQ(blank->pixels, Bytes(64 * 64, 255));
  const auto one = DecodeRgb(ReadData("bad/one.png"), {});
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->pixels, (Bytes{200, 30, 60}));
}

/// Sets a big- or little-endian number in a copy of a format file's header.
Bytes Patched(const std::string& name, std::size_t at, const Bytes& value) {
  Bytes bytes = ReadData("formats/" + name);
  std::copy(value.begin(), value.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return bytes;
}

TEST(HugeHeaders, AreRefusedInEveryFormat) {
  const Bytes jpeg = ReadData("formats/baseline.jpg");
  std::size_t frame = 0;
  while (jpeg[frame] != 0xFF || jpeg[frame + 1] != 0xC0) ++frame;
  const Bytes files[] = {
      Patched("baseline.jpg", frame + 5, {0xF0, 0, 0xF0, 0}),
      Patched("rgb24.bmp", 18, {0, 0, 1, 0, 0, 0, 1, 0}),
      Patched("palette.gif", 6, {0xFF, 0xFF, 0xFF, 0xFF}),
      {'P', '6', ' ', '6', '0', '0', '0', '0', ' ', '6', '0', '0', '0', '0', ' ', '9', ' '},
  };
  for (const Bytes& bytes : files) {
    const Status status = DecodeGrey(bytes, {}).status();
    EXPECT_EQ(status.code(), StatusCode::kLimitExceeded) << status.message();
  }
}

TEST(BadJpeg, AMissingEndIsCutShort) {
  for (const char* name : {"formats/baseline.jpg", "formats/progressive.jpg"}) {
    Bytes bytes = ReadData(name);
    bytes.erase(bytes.end() - 40, bytes.end());
    EXPECT_THAT(DecodeGrey(bytes, {}).status().message(), HasSubstr("cut short")) << name;
  }
}

TEST(BadJpeg, ManyScansAreRefused) {
  Bytes bytes = ReadData("formats/progressive.jpg");
  // Repeat the last scan: from its SOS marker to the end marker.
  std::size_t scan = bytes.size() - 2;
  while (bytes[scan] != 0xFF || bytes[scan + 1] != 0xDA) --scan;
  const Bytes last(bytes.begin() + static_cast<std::ptrdiff_t>(scan), bytes.end() - 2);
  bytes.erase(bytes.end() - 2, bytes.end());
  for (int i = 0; i < 200; ++i) bytes.insert(bytes.end(), last.begin(), last.end());
  bytes.insert(bytes.end(), {0xFF, 0xD9});
  const Status status = DecodeGrey(bytes, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kLimitExceeded) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("scans"));
}

}  // namespace
}  // namespace siftsearch::image
