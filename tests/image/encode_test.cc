#include <gtest/gtest.h>

#include "image_test_util.h"

namespace siftsearch::image {
namespace {

RgbImage Scene() { return *DecodeRgb(ReadData("formats/rgb8.png"), {}); }

TEST(Encode, PngComesBackEqual) {
  const RgbImage scene = Scene();
  const auto png = Encode(scene, "png", 0);
  ASSERT_TRUE(png.ok()) << png.status().message();
  EXPECT_EQ(Sniff(*png), "png");
  const auto back = DecodeRgb(*png, {});
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->width, 96);
  EXPECT_EQ(back->pixels, scene.pixels);
}

TEST(Encode, JpegComesBackNearAndQualityCosts) {
  const RgbImage scene = Scene();
  const auto fine = Encode(scene, "jpeg", 95);
  const auto coarse = Encode(scene, "jpeg", 20);
  ASSERT_TRUE(fine.ok() && coarse.ok());
  EXPECT_EQ(Sniff(*fine), "jpeg");
  EXPECT_GT(fine->size(), coarse->size());
  // In grey, since JPEG halves the resolution of colour.
  EXPECT_GT(Psnr(DecodeGrey(*fine, {})->pixels, DecodeGrey(*Encode(scene, "png", 0), {})->pixels),
            30);
}

TEST(Encode, JpegLargerThanItsBufferIsWhole) {
  RgbImage noise{.width = 300, .height = 200, .pixels = Bytes(300 * 200 * 3)};
  std::uint32_t state = 1;
  for (std::uint8_t& value : noise.pixels) {
    state = state * 1664525 + 1013904223;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  const auto jpeg = Encode(noise, "jpeg", 100);
  ASSERT_TRUE(jpeg.ok());
  EXPECT_GT(jpeg->size(), 50'000u);
  EXPECT_TRUE(DecodeRgb(*jpeg, {}).ok());
}

TEST(Encode, RefusesWhatMakesNoSense) {
  const RgbImage scene = Scene();
  const auto code = [](const Result<Bytes>& result) { return result.status().code(); };
  EXPECT_EQ(code(Encode(scene, "gif", 90)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Encode(scene, "jpeg", 0)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Encode(scene, "jpeg", 101)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Encode(RgbImage{}, "png", 90)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Encode({.width = 2, .height = 2, .pixels = Bytes(3)}, "png", 90)),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Encode({.width = 70'000, .height = 1, .pixels = Bytes(210'000)}, "jpeg", 90)),
            StatusCode::kLimitExceeded);
}

}  // namespace
}  // namespace siftsearch::image
