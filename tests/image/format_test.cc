#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "image_test_util.h"

namespace siftsearch::image {
namespace {

GreyImage Grey(const std::string& name) {
  auto grey = DecodeGrey(ReadData("formats/" + name), {});
  EXPECT_TRUE(grey.ok()) << name << ": " << grey.status().message();
  return grey.ok() ? std::move(grey).value() : GreyImage{};
}

RgbImage Rgb(const std::string& name) {
  auto rgb = DecodeRgb(ReadData("formats/" + name), {});
  EXPECT_TRUE(rgb.ok()) << name << ": " << rgb.status().message();
  return rgb.ok() ? std::move(rgb).value() : RgbImage{};
}

/// The scene over white where `alpha` (0 to 255, by column) is below 255.
Bytes OverWhite(const Bytes& pixels, int channels, const std::function<double(int)>& alpha) {
  Bytes out = pixels;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double a = alpha(static_cast<int>(i / channels % 96)) / 255;
    out[i] = static_cast<std::uint8_t>(std::lround(pixels[i] * a + 255 * (1 - a)));
  }
  return out;
}

double Ramp(int column) { return std::floor(column * 255.0 / 95); }

class FormatTest : public testing::TestWithParam<std::string> {};

TEST_P(FormatTest, HasTheScenesSize) {
  const GreyImage grey = Grey(GetParam());
  EXPECT_EQ(grey.width, 96);
  EXPECT_EQ(grey.height, 64);
  EXPECT_EQ(grey.pixels.size(), 96u * 64);
  const RgbImage rgb = Rgb(GetParam());
  EXPECT_EQ(rgb.width, 96);
  EXPECT_EQ(rgb.height, 64);
  EXPECT_EQ(rgb.pixels.size(), 96u * 64 * 3);
}

TEST_P(FormatTest, GreyIsTheLumaOfTheColours) {
  const Bytes rgb = Rgb(GetParam()).pixels;
  Bytes luma;
  for (std::size_t i = 0; i + 2 < rgb.size(); i += 3) {
    luma.push_back(static_cast<std::uint8_t>(
        std::lround(0.299 * rgb[i] + 0.587 * rgb[i + 1] + 0.114 * rgb[i + 2])));
  }
  EXPECT_GT(Psnr(Grey(GetParam()).pixels, luma), 38);
}

TEST_P(FormatTest, IsAPictureUpToTheLimit) {
  const Bytes bytes = ReadData("formats/" + GetParam());
  DecodeLimits limits{.max_pixels = 96 * 64,
                      .max_file_bytes = static_cast<std::int64_t>(bytes.size())};
  EXPECT_TRUE(DecodeGrey(bytes, limits).ok());
  limits.max_pixels -= 1;
  const Status refused = DecodeGrey(bytes, limits).status();
  EXPECT_EQ(refused.code(), StatusCode::kLimitExceeded);
  EXPECT_THAT(refused.message(), testing::HasSubstr("6143"));
  limits.max_pixels += 1;
  limits.max_file_bytes -= 1;
  EXPECT_EQ(DecodeGrey(bytes, limits).status().code(), StatusCode::kLimitExceeded);
}

INSTANTIATE_TEST_SUITE_P(Files, FormatTest, testing::ValuesIn(FormatFiles()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST(FormatPixels, LosslessColourFilesAreExact) {
  const Bytes scene = Rgb("rgb8.png").pixels;
  for (const char* name :
       {"rgb16.png", "interlaced.png", "orientation6.png", "lossless.webp", "orientation6.webp",
        "animated.webp", "lzw.tif", "orientation8.tif", "rgb16.tif", "rgb24.bmp", "rgb.ppm"}) {
    EXPECT_EQ(Rgb(name).pixels, scene) << name;
  }
}

TEST(FormatPixels, LosslessGreyFilesAreExact) {
  const Bytes scene = Grey("grey8.png").pixels;
  for (const char* name : {"grey16.png", "grey.tif", "grey.pgm"}) {
    EXPECT_EQ(Grey(name).pixels, scene) << name;
  }
  EXPECT_GT(Psnr(scene, Grey("rgb8.png").pixels), 50);
}

TEST(FormatPixels, BilevelFilesAgree) {
  const Bytes png = Grey("bilevel.png").pixels;
  EXPECT_EQ(Grey("bilevel.pbm").pixels, png);
  EXPECT_THAT(png, testing::Each(testing::AnyOf(0, 255)));
  EXPECT_THAT(png, testing::Contains(0));
}

TEST(FormatPixels, LossyFilesAreNearTheScene) {
  const Bytes scene = Rgb("rgb8.png").pixels;
  const std::pair<const char*, double> files[] = {
      {"baseline.jpg", 26}, {"progressive.jpg", 26}, {"cmyk.jpg", 25},    {"lossy.webp", 20},
      {"palette.png", 25},  {"palette.tif", 25},     {"palette.bmp", 25}, {"palette.gif", 25},
      {"animated.gif", 25}, {"palette4.png", 15}};
  for (const auto& [name, psnr] : files) EXPECT_GT(Psnr(Rgb(name).pixels, scene), psnr) << name;
  EXPECT_GT(Psnr(Grey("grey.jpg").pixels, Grey("rgb8.png").pixels), 30);
}

TEST(FormatPixels, PaletteFilesAgree) {
  const Bytes png = Rgb("palette.png").pixels;
  for (const char* name : {"palette.tif", "palette.bmp", "palette.gif"}) {
    EXPECT_EQ(Rgb(name).pixels, png) << name;
  }
}

TEST(FormatPixels, EveryOrientationGivesTheUprightPicture) {
  const Bytes scene = Rgb("rgb8.png").pixels;
  for (int n = 1; n <= 8; ++n) {
    const std::string name = "orientation" + std::to_string(n) + ".jpg";
    EXPECT_GT(Psnr(Rgb(name).pixels, scene), 26) << name;
  }
}

TEST(FormatPixels, AlphaIsLaidOverWhite) {
  const Bytes rgb = OverWhite(Rgb("rgb8.png").pixels, 3, Ramp);
  for (const char* name : {"alpha.png", "alpha.webp", "alpha.tif"}) {
    EXPECT_GT(Psnr(Rgb(name).pixels, rgb), 45) << name;
  }
  const Bytes grey = OverWhite(Grey("grey8.png").pixels, 1, Ramp);
  EXPECT_GT(Psnr(Grey("grey-alpha.png").pixels, grey), 45);
}

TEST(FormatPixels, TransparentGifShowsWhite) {
  const auto holes = [](int column) { return Ramp(column) < 128 ? 0.0 : 255.0; };
  const Bytes expected = OverWhite(Rgb("rgb8.png").pixels, 3, holes);
  EXPECT_GT(Psnr(Rgb("transparent.gif").pixels, expected), 25);
}

Bytes Pnm(const std::string& text) { return Bytes(text.begin(), text.end()); }

TEST(Pnm, PlainKindsCommentsAndLargestValue) {
  EXPECT_EQ(DecodeGrey(Pnm("P1\n3 1\n1 01"), {})->pixels, (Bytes{0, 255, 0}));
  EXPECT_EQ(DecodeGrey(Pnm("P2 # note\n2 1\n3\n0 3\n"), {})->pixels, (Bytes{0, 255}));
  EXPECT_EQ(DecodeRgb(Pnm("P3\n1 1\n255\n1 2 3\n"), {})->pixels, (Bytes{1, 2, 3}));
  EXPECT_EQ(DecodeGrey(Pnm(std::string("P5 1 1 65535\n\x80\x00", 15)), {})->pixels, Bytes{128});
  EXPECT_EQ(DecodeGrey(Pnm("P2\n1 1\n3\n4\n"), {}).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(DecodeGrey(Pnm("P7\nWIDTH 1\n"), {}).status().code(), StatusCode::kUnsupported);
}

TEST(DecodeGreyTest, JpegIsReducedAsLongAsTheLongerSideHasMinSide) {
  const auto bytes = ReadData("pictures/scene1.jpg");  // 320 × 240.
  const auto whole = DecodeGrey(bytes, {});
  ASSERT_TRUE(whole.ok());
  for (const auto& [min_side, width] : {std::pair{0, 320},
                                        {321, 320},
                                        {320, 320},
                                        {161, 320},
                                        {160, 160},
                                        {80, 80},
                                        {40, 40},
                                        {1, 40}}) {
    const auto picture = DecodeGrey(bytes, {}, min_side);
    ASSERT_TRUE(picture.ok());
    EXPECT_EQ(picture->width, width) << min_side;
    EXPECT_EQ(picture->height, width * 3 / 4) << min_side;
    EXPECT_EQ(picture->full_width, 320);
    EXPECT_EQ(picture->full_height, 240);
    const int step = 320 / width;
    double error = 0;
    for (int y = 0; y < picture->height; ++y) {
      for (int x = 0; x < width; ++x) {
        double mean = 0;
        for (int i = 0; i < step * step; ++i) {
          mean += whole->pixels[(y * step + i / step) * 320 + x * step + i % step];
        }
        error += std::abs(mean / (step * step) - picture->pixels[y * width + x]);
      }
    }
    EXPECT_LT(error / (width * picture->height), 6) << min_side;
  }
}

TEST(DecodeGreyTest, AReducedPictureTurnsUprightToo) {
  const auto turned = DecodeGrey(ReadData("formats/orientation6.jpg"), {}, 1);
  const auto plain = DecodeGrey(ReadData("formats/orientation1.jpg"), {}, 1);
  ASSERT_TRUE(turned.ok() && plain.ok());
  EXPECT_EQ(turned->full_width, 96);
  EXPECT_EQ(turned->full_height, 64);
  EXPECT_EQ(turned->width, plain->width);
}

}  // namespace
}  // namespace siftsearch::image
