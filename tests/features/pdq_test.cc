#include "features/pdq.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/hash.h"

namespace siftsearch::features {
namespace {

image::GreyImage Read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(stream), {}};
  auto picture = image::DecodeGrey(bytes, {});
  EXPECT_TRUE(picture.ok()) << file;
  return picture.ok() ? *std::move(picture) : image::GreyImage();
}

image::GreyImage Scene(int number) {
  return Read(fmt::format("{}/pictures/scene{}.jpg", SIFTSEARCH_DATA_DIR, number));
}

cv::Mat PixelsOf(const image::GreyImage& picture) {
  cv::Mat pixels(picture.height, picture.width, CV_8UC1);
  std::copy(picture.pixels.begin(), picture.pixels.end(), pixels.begin<std::uint8_t>());
  return pixels;
}

image::GreyImage PictureOf(const cv::Mat& pixels) {
  image::GreyImage picture;
  picture.width = pixels.cols;
  picture.height = pixels.rows;
  picture.pixels.assign(pixels.begin<std::uint8_t>(), pixels.end<std::uint8_t>());
  return picture;
}

Pdq FromHex(const std::string& text) {
  Pdq hash;
  for (std::size_t i = 0; i < hash.bits.size(); ++i) {
    hash.bits[i] = static_cast<std::uint8_t>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  }
  return hash;
}

/// Line by line, without the first.
std::vector<std::vector<std::string>> ReadTable(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::vector<std::string>> rows;
  std::string line;
  std::getline(stream, line);
  while (std::getline(stream, line)) {
    std::istringstream fields(line);
    auto& row = rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
  }
  return rows;
}

TEST(PdqTest, GivesWhatTheReferenceGives) {
  // pdq_reference.py writes the table.
  const auto rows = ReadTable(SIFTSEARCH_DATA_DIR "/pdq.csv");
  ASSERT_GT(rows.size(), 10u);
  for (const auto& row : rows) {
    ASSERT_EQ(row.size(), 4u);
    const Pdq hash = PdqOf(Read(SIFTSEARCH_DATA_DIR "/" + row[0]));
    EXPECT_EQ(hash.quality, std::stoi(row[2])) << row[0];
    if (row[3] == "1") {
      EXPECT_EQ(ToHex(hash.bits), row[1]) << row[0];
    } else {
      // The reference weighs colours in other numbers than JPEG's own grey.
      EXPECT_LE(PdqDistance(hash, FromHex(row[1])), 4) << row[0];
    }
  }
}

TEST(PdqTest, TurnsAreTheHashesOfTheTurnedPicture) {
  const image::GreyImage picture = Scene(1);
  const cv::Mat pixels = PixelsOf(picture);
  const auto turned = [&](Turn turn) {
    cv::Mat result = pixels.clone();
    switch (turn) {
      case Turn::kNone:
        break;
      case Turn::kRotated90:
        cv::rotate(pixels, result, cv::ROTATE_90_COUNTERCLOCKWISE);
        break;
      case Turn::kRotated180:
        cv::rotate(pixels, result, cv::ROTATE_180);
        break;
      case Turn::kRotated270:
        cv::rotate(pixels, result, cv::ROTATE_90_CLOCKWISE);
        break;
      case Turn::kMirrored:
        cv::flip(pixels, result, 1);
        break;
      case Turn::kFlipped:
        cv::flip(pixels, result, 0);
        break;
      case Turn::kTransposed:
        cv::transpose(pixels, result);
        break;
      case Turn::kAntiTransposed:
        cv::rotate(pixels, result, cv::ROTATE_180);
        cv::transpose(result.clone(), result);
        break;
    }
    return PdqOf(PictureOf(result));
  };
  const auto hashes = PdqInAllTurns(picture);
  for (std::size_t i = 0; i < kTurns; ++i) {
    const Pdq made = turned(static_cast<Turn>(i));
    EXPECT_LE(PdqDistance(made, hashes[i]), 16) << i;
    EXPECT_NEAR(made.quality, hashes[i].quality, 2) << i;
    for (std::size_t other = 0; other < kTurns; ++other) {
      if (other == i) continue;
      EXPECT_GE(PdqDistance(made, hashes[other]), 80) << i << ' ' << other;
    }
  }
}

TEST(PdqTest, TurnsOfAHashAreNearThoseOfThePicture) {
  for (int number = 1; number <= 8; ++number) {
    const auto hashes = PdqInAllTurns(Scene(number));
    const auto turned = Turned(hashes[0]);
    for (std::size_t i = 0; i < kTurns; ++i) {
      // The scenes are full of noise: many frequencies lie next to the median.
      EXPECT_LE(PdqDistance(turned[i], hashes[i]), 24) << number << ' ' << i;
      EXPECT_EQ(turned[i].quality, hashes[0].quality);
    }
  }
}

TEST(PdqTest, PlacesTurnAsThePictureDoes) {
  const auto corner = [](Turn turn) {  // Of what was at the top left.
    const auto t = OnUnitSquare(turn);
    return std::pair(t[2], t[5]);
  };
  EXPECT_EQ(corner(Turn::kNone), std::pair(0.0, 0.0));
  EXPECT_EQ(corner(Turn::kRotated90), std::pair(0.0, 1.0));
  EXPECT_EQ(corner(Turn::kRotated180), std::pair(1.0, 1.0));
  EXPECT_EQ(corner(Turn::kRotated270), std::pair(1.0, 0.0));
  EXPECT_EQ(corner(Turn::kMirrored), std::pair(1.0, 0.0));
  EXPECT_EQ(corner(Turn::kFlipped), std::pair(0.0, 1.0));
  EXPECT_EQ(corner(Turn::kTransposed), std::pair(0.0, 0.0));
  EXPECT_EQ(corner(Turn::kAntiTransposed), std::pair(1.0, 1.0));
  for (std::size_t i = 0; i < kTurns; ++i) {
    const auto t = OnUnitSquare(static_cast<Turn>(i));
    const bool mirrored = t[0] * t[4] - t[1] * t[3] < 0;
    EXPECT_EQ(mirrored, i >= 4) << i;
  }
}

TEST(PdqTest, CopiesAreNearAndStrangersFar) {
  for (int number = 1; number <= 8; ++number) {
    const cv::Mat pixels = PixelsOf(Scene(number));
    cv::Mat darker = pixels * 0.7, small;
    cv::resize(pixels, small, {}, 0.5, 0.5, cv::INTER_AREA);
    const Pdq hash = PdqOf(PictureOf(pixels));
    EXPECT_LE(PdqDistance(hash, PdqOf(PictureOf(darker))), 31) << number;
    // The scenes are full of noise, which goes as they are reduced.
    EXPECT_LE(PdqDistance(hash, PdqOf(PictureOf(small))), 45) << number;
    for (int other = 1; other < number; ++other) {
      EXPECT_GE(PdqDistance(hash, PdqOf(Scene(other))), 80) << number << ' ' << other;
    }
  }
}

TEST(PdqTest, WhatHardlyVariesHasNoQuality) {
  EXPECT_EQ(PdqOf(PictureOf(cv::Mat(300, 200, CV_8UC1, cv::Scalar(127)))).quality, 0);
  const image::GreyImage narrow = PictureOf(cv::Mat(4, 900, CV_8UC1, cv::Scalar(9)));
  for (const Pdq& hash : PdqInAllTurns(narrow)) EXPECT_EQ(hash, Pdq());
  EXPECT_EQ(PdqOf(PictureOf(cv::Mat(5, 5, CV_8UC1, cv::Scalar(9)))).quality, 0);
}

TEST(PdqTest, ADistanceCountsBits) {
  Pdq a, b;
  EXPECT_EQ(PdqDistance(a, b), 0);
  b.bits.fill(0xff);
  EXPECT_EQ(PdqDistance(a, b), 256);
  a.bits[3] = 0x11;
  EXPECT_EQ(PdqDistance(a, b), 254);
}

}  // namespace
}  // namespace siftsearch::features
