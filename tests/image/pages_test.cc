#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "file_writers.h"

namespace siftsearch::image {
namespace {

using testing::HasSubstr;

constexpr int kWidth = 20, kHeight = 10;

Bytes Blank(std::uint8_t grey = 90) { return Bytes(kWidth * kHeight, grey); }

/// A grey ramp, different for each seed; at most 127.
Bytes Drawn(int seed) {
  Bytes pixels;
  for (int i = 0; i < kWidth * kHeight; ++i) {
    pixels.push_back(static_cast<std::uint8_t>((i * (seed + 1)) % 128));
  }
  return pixels;
}

TiffDirectory Page(Bytes pixels) { return TiffPicture(kWidth, kHeight, 1, 8, std::move(pixels)); }

GreyImage DecodedBothWays(const Bytes& bytes) {
  auto grey = DecodeGrey(bytes, {});
  EXPECT_TRUE(grey.ok()) << grey.status().message();
  const auto rgb = DecodeRgb(bytes, {});
  EXPECT_TRUE(rgb.ok());
  if (!grey.ok() || !rgb.ok()) return {};
  EXPECT_EQ(rgb->pages, grey->pages);
  EXPECT_EQ(rgb->remark, grey->remark);
  Bytes luma;
  for (std::size_t i = 0; i + 2 < rgb->pixels.size(); i += 3) {
    const auto& p = rgb->pixels;
    luma.push_back(
        static_cast<std::uint8_t>(std::lround(0.299 * p[i] + 0.587 * p[i + 1] + 0.114 * p[i + 2])));
  }
  EXPECT_GT(Psnr(grey->pixels, luma), 45);
  return std::move(grey).value();
}

TEST(Pages, OfATiffAreCountedAndTheFirstIsRead) {
  const GreyImage picture = DecodedBothWays(Tiff({Page(Drawn(1)), Page(Drawn(2)), Page(Drawn(3))}));
  EXPECT_EQ(picture.pixels, Drawn(1));
  EXPECT_EQ(picture.pages, 3);
  EXPECT_EQ(picture.remark, "first of 3 pages");
  EXPECT_EQ(DecodedBothWays(Tiff({Page(Drawn(1))})).remark, "");
}

TEST(Pages, ABlankFirstPageYieldsToTheFirstWithContent) {
  const GreyImage picture =
      DecodedBothWays(Tiff({Page(Blank()), Page(Blank(255)), Page(Drawn(2)), Page(Drawn(3))}));
  EXPECT_EQ(picture.pixels, Drawn(2));
  EXPECT_EQ(picture.remark, "number 3 of 4 pages, those before it are blank");
}

TEST(Pages, OfBlankPagesTheFirstCounts) {
  EXPECT_EQ(DecodedBothWays(Tiff({Page(Blank(3)), Page(Blank(7))})).pixels, Blank(3));
  // Sixteen are looked at.
  std::vector<TiffDirectory> many(20, Page(Blank(3)));
  many[16] = Page(Drawn(1));
  const GreyImage picture = DecodedBothWays(Tiff(many));
  EXPECT_EQ(picture.pixels, Blank(3));
  EXPECT_EQ(picture.pages, 20);
  many[15] = Page(Drawn(2));
  EXPECT_EQ(DecodedBothWays(Tiff(many)).pixels, Drawn(2));
}

TEST(Pages, ADamagedLaterPageCountsAsBlank) {
  TiffDirectory cut = Page(Drawn(1));
  SetEntry(cut, 257, {5000});  // More rows than there are.
  SetEntry(cut, 278, {1});
  EXPECT_EQ(DecodedBothWays(Tiff({Page(Blank()), cut, Page(Drawn(2))})).pixels, Drawn(2));
  EXPECT_EQ(DecodedBothWays(Tiff({Page(Blank()), cut})).pixels, Blank());
}

TEST(Pages, ReducedVersionsAndMasksAreNone) {
  TiffDirectory reduced = Page(Drawn(5)), mask = Page(Drawn(6)), old = Page(Drawn(7));
  SetEntry(reduced, 254, {1});
  SetEntry(mask, 254, {4});
  SetEntry(old, 255, {2});
  const GreyImage pyramid = DecodedBothWays(Tiff({Page(Drawn(1)), reduced, mask, old}));
  EXPECT_EQ(pyramid.pixels, Drawn(1));
  EXPECT_EQ(pyramid.pages, 1);
  // In front of the full picture they do not stand in for it.
  for (const TiffDirectory& first : {reduced, mask, old}) {
    EXPECT_EQ(DecodedBothWays(Tiff({first, Page(Drawn(1))})).pixels, Drawn(1));
  }
  const GreyImage alone = DecodedBothWays(Tiff({reduced}));
  EXPECT_EQ(alone.pixels, Drawn(5));
  EXPECT_THAT(alone.remark, HasSubstr("a reduced version of a picture that it does not hold"));
}

TEST(Pages, AChainThatBitesItsTailEnds) {
  Bytes tiff = Tiff({Page(Drawn(1)), Page(Drawn(2))});
  // The first directory is the last written; its `next` points to itself.
  const std::size_t next = tiff.size() - 4;
  std::copy(tiff.begin() + 4, tiff.begin() + 8, tiff.begin() + static_cast<std::ptrdiff_t>(next));
  EXPECT_EQ(DecodedBothWays(tiff).pages, 1);
}

TEST(Frames, OfAGifAreCounted) {
  const GreyImage picture = DecodedBothWays(Gif(kWidth, kHeight, {Drawn(1), Drawn(2), Drawn(3)}));
  EXPECT_EQ(picture.pages, 3);
  EXPECT_EQ(picture.remark, "first of 3 frames");
  EXPECT_EQ(DecodedBothWays(Gif(kWidth, kHeight, {Drawn(1)})).pixels, picture.pixels);
  EXPECT_EQ(DecodedBothWays(ReadData("formats/animated.gif")).pages, 2);
}

TEST(Frames, ABlankFirstOneOfAGifYields) {
  const GreyImage alone = DecodedBothWays(Gif(kWidth, kHeight, {Drawn(2)}));
  for (const Bytes& blank : {Blank(0), Blank(127)}) {
    const GreyImage picture = DecodedBothWays(Gif(kWidth, kHeight, {blank, blank, Drawn(2)}));
    EXPECT_EQ(picture.pixels, alone.pixels);
    EXPECT_THAT(picture.remark, HasSubstr("number 3 of 3 frames"));
  }
  // So does one of nothing but holes.
  EXPECT_EQ(DecodedBothWays(Gif(kWidth, kHeight, {Blank(5), Drawn(2)}, 5)).pages, 2);
}

TEST(Frames, AGifThatEndsInALaterFrameIsReadWithARemark) {
  Bytes gif = Gif(kWidth, kHeight, {Drawn(1), Drawn(2)});
  gif.resize(gif.size() - 20);
  const GreyImage picture = DecodedBothWays(gif);
  EXPECT_EQ(picture.pages, 2);
  EXPECT_EQ(picture.remark, "first of 2 frames; its end is missing");
}

/// The chunks of an animated WebP in another order: the second frame first.
Bytes WithFramesSwapped(const Bytes& webp) {
  std::vector<std::pair<std::size_t, std::size_t>> frames;
  for (std::size_t at = 12; at + 8 <= webp.size();) {
    std::size_t size = 0;
    for (std::size_t i = 4; i-- > 0;) size = size << 8 | webp[at + 4 + i];
    size = 8 + size + size % 2;
    if (webp[at + 3] == 'F') frames.emplace_back(at, at + size);
    at += size;
  }
  const auto part = [&](std::size_t begin, std::size_t end) {
    return Bytes(webp.begin() + static_cast<std::ptrdiff_t>(begin),
                 webp.begin() + static_cast<std::ptrdiff_t>(end));
  };
  Bytes out = part(0, frames[0].first);
  Append(out, part(frames[1].first, frames[1].second));
  Append(out, part(frames[0].first, frames[0].second));
  return out;
}

TEST(Frames, OfAWebpAreCountedAndABlankFirstOneYields) {
  const Bytes webp = ReadData("formats/animated.webp");
  const GreyImage picture = DecodedBothWays(webp);
  EXPECT_EQ(picture.pages, 2);
  EXPECT_EQ(picture.remark, "first of 2 frames");
  const GreyImage swapped = DecodedBothWays(WithFramesSwapped(webp));
  EXPECT_EQ(swapped.pixels, picture.pixels);
  EXPECT_EQ(swapped.remark, "number 2 of 2 frames, those before it are blank");
}

Bytes Png(const Bytes& grey, int width = kWidth, int height = kHeight) {
  Bytes rgba;
  for (const std::uint8_t g : grey) Append(rgba, {g, g, g, 255});
  return RgbaPng(width, height, rgba);
}

TEST(Frames, OfAnApngAreCounted) {
  const GreyImage picture = DecodedBothWays(Apng({{Png(Drawn(1))}, {Png(Drawn(2))}}, false));
  EXPECT_EQ(picture.pixels, Drawn(1));
  EXPECT_EQ(picture.remark, "first of 2 frames");
}

TEST(Frames, AHiddenDefaultPictureYieldsToTheFirstFrame) {
  const GreyImage picture =
      DecodedBothWays(Apng({{Png(Drawn(1))}, {Png(Drawn(2))}, {Png(Drawn(3))}}, true));
  EXPECT_EQ(picture.pixels, Drawn(2));
  EXPECT_EQ(picture.remark, "first of 2 frames");
}

TEST(Frames, ABlankFirstOneOfAnApngYieldsToALaterAtItsPlace) {
  Bytes small;
  for (int i = 0; i < 8 * 4; ++i) small.push_back(static_cast<std::uint8_t>(4 * i));
  const GreyImage picture =
      DecodedBothWays(Apng({{Png(Blank())}, {Png(small, 8, 4), 5, 3, 8, 4}}, false));
  EXPECT_THAT(picture.remark, HasSubstr("number 2 of 2 frames"));
  Bytes expected(kWidth * kHeight, 255);
  for (int i = 0; i < 32; ++i) expected[(3 + i / 8) * kWidth + 5 + i % 8] = small[i];
  EXPECT_EQ(picture.pixels, expected);
}

TEST(Frames, OfAnApngWithDamageAreNotMadeUp) {
  const std::vector<ApngFrame> frames = {{Png(Blank())}, {Png(Drawn(2)), 15, 0}};
  // The second frame would reach out of the picture.
  EXPECT_EQ(DecodedBothWays(Apng(frames, false)).pixels, Blank());
  EXPECT_EQ(DecodeGrey(Apng(frames, true), {}).status().code(), StatusCode::kCorrupt);
  // A byte of a frame's pixels, so that its checksum is wrong.
  Bytes apng = Apng({{Png(Drawn(1))}, {Png(Drawn(2))}}, true);
  apng[apng.size() - 60] ^= 1;
  EXPECT_EQ(DecodeGrey(apng, {}).status().code(), StatusCode::kCorrupt);
}

}  // namespace
}  // namespace siftsearch::image
