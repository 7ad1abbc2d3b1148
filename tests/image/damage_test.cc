#include <gtest/gtest.h>

#include <random>

#include "file_writers.h"
#include "image_test_util.h"

namespace siftsearch::image {
namespace {

constexpr DecodeLimits kLimits{.max_pixels = 1 << 20, .max_file_bytes = 1 << 20};

/// A damaged file gives an error with a message, or a picture whose parts fit.
void ExpectSoundOutcome(const Bytes& bytes, const std::string& what) {
  const auto grey = DecodeGrey(bytes, kLimits);
  if (!grey.ok()) {
    EXPECT_FALSE(grey.status().message().empty()) << what;
    return;
  }
  EXPECT_EQ(grey->pixels.size(), static_cast<std::size_t>(grey->width) * grey->height) << what;
}

class DamageTest : public testing::TestWithParam<std::string> {};

TEST_P(DamageTest, AnyPrefixIsAnErrorOrAPicture) {
  const Bytes whole = ReadData("formats/" + GetParam());
  ASSERT_FALSE(whole.empty());
  const std::size_t step = std::max<std::size_t>(1, whole.size() / 150);
  for (std::size_t size = 0; size < whole.size(); size += size < 64 ? 1 : step) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    ExpectSoundOutcome(cut, GetParam() + " cut at " + std::to_string(size));
  }
}

TEST_P(DamageTest, HalfAFileIsCorrupt) {
  Bytes half = ReadData("formats/" + GetParam());
  half.resize(half.size() / 2);
  const Status status = DecodeGrey(half, kLimits).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt) << status.message();
}

TEST_P(DamageTest, FlippedBytesAreAnErrorOrAPicture) {
  const Bytes whole = ReadData("formats/" + GetParam());
  std::mt19937 random(20240501);
  for (int round = 0; round < 120; ++round) {
    Bytes damaged = whole;
    // Half of the damage goes to the first bytes, where the headers are.
    const std::size_t reach =
        round % 2 == 0 ? whole.size() : std::min<std::size_t>(whole.size(), 200);
    for (int i = 0; i <= round % 5; ++i) {
      damaged[random() % reach] = static_cast<std::uint8_t>(random());
    }
    ExpectSoundOutcome(damaged, GetParam() + " round " + std::to_string(round));
  }
}

/// Small files of kinds that data/formats lacks.
std::vector<std::pair<std::string, Bytes>> OddFiles() {
  const Bytes grey = [] {
    Bytes pixels;
    for (int i = 0; i < 200; ++i) pixels.push_back(static_cast<std::uint8_t>(i % 128));
    return pixels;
  }();
  const Bytes blank(200, 7);
  Bytes rgba, blank_rgba;
  for (const std::uint8_t g : grey) Append(rgba, {g, g, g, g});
  blank_rgba.assign(rgba.size(), 255);
  const ApngFrame first{RgbaPng(20, 10, blank_rgba)}, second{RgbaPng(20, 10, rgba)};
  TiffDirectory page = TiffPicture(20, 10, 1, 8, blank), bands = TiffPicture(4, 10, 5, 8, grey);
  page.inner = {bands};
  page.make = "NOBODY";
  SetEntry(page.inner[0], 254, {1});
  SetEntry(bands, 338, {0, 0});
  TiffDirectory planes = bands, tiles = TiffPicture(8, 8, 4, 16, Bytes(16 * 16 * 8, 3));
  SetEntry(planes, 284, {2});
  planes.strips.assign(5, Bytes(40, 9));
  tiles.tiled = true;
  SetEntry(tiles, 322, {16});
  SetEntry(tiles, 323, {16});
  SetEntry(tiles, 338, {0});
  return {{"apng", Apng({first, second, second}, false)},
          {"hidden apng", Apng({first, first, second}, true)},
          {"gif", Gif(20, 10, {blank, blank, grey}, 5)},
          {"tiff", Tiff({page, planes, bands})},
          {"planes", Tiff({planes})},
          {"tiles", Tiff({tiles, page})},
          {"rle8", Bmp(40, 5, 2, 8, 1, {}, GreyTable(16),
                       {2, 1, 0, 3, 2, 3, 4, 0, 0, 0, 0, 2, 1, 0, 3, 5, 0, 1})},
          {"rle4", Bmp(64, 6, 2, 4, 2, {}, GreyTable(16),
                       {3, 0x12, 0, 3, 0x34, 0x50, 0, 0, 0, 2, 4, 0, 2, 0x77, 0, 1})},
          {"masks", Bmp(56, 5, 10, 32, 3,
                        Bytes{0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255}, {}, grey)}};
}

TEST(OddFileDamage, IsAnErrorOrAPicture) {
  std::mt19937 random(20240502);
  for (const auto& [name, whole] : OddFiles()) {
    EXPECT_TRUE(DecodeGrey(whole, kLimits).ok()) << name;
    for (int round = 0; round < 300; ++round) {
      Bytes damaged = whole;
      const std::size_t reach =
          round % 2 == 0 ? whole.size() : std::min<std::size_t>(200, whole.size());
      const std::size_t from = round % 3 == 0 ? whole.size() - reach : 0;
      for (int i = 0; i <= round % 4; ++i) {
        damaged[from + random() % reach] = static_cast<std::uint8_t>(random());
      }
      if (round % 5 == 0) damaged.resize(random() % damaged.size());
      ExpectSoundOutcome(damaged, name + " round " + std::to_string(round));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DamageTest, testing::ValuesIn(FormatFiles()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace siftsearch::image
