#include <gtest/gtest.h>

#include <random>

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

INSTANTIATE_TEST_SUITE_P(Files, DamageTest, testing::ValuesIn(FormatFiles()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace siftsearch::image
