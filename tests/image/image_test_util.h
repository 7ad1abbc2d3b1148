#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "image/decode.h"

namespace siftsearch::image {

using Bytes = std::vector<std::uint8_t>;

/// Bytes of a file of data/, such as "formats/rgb8.png".
inline Bytes ReadData(const std::string& name) {
  std::ifstream file(std::string(SIFTSEARCH_DATA_DIR) + "/" + name, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// The names of the files in data/formats.
inline const std::vector<std::string>& FormatFiles() {
  static const std::vector<std::string> files = {
      "baseline.jpg",     "progressive.jpg",  "grey.jpg",          "cmyk.jpg",
      "rgb8.png",         "orientation1.jpg", "orientation2.jpg",  "orientation3.jpg",
      "orientation4.jpg", "orientation5.jpg", "orientation6.jpg",  "orientation7.jpg",
      "orientation8.jpg", "grey8.png",        "rgb16.png",         "grey16.png",
      "palette.png",      "palette4.png",     "bilevel.png",       "alpha.png",
      "grey-alpha.png",   "orientation6.png", "interlaced.png",    "lossy.webp",
      "lossless.webp",    "alpha.webp",       "orientation6.webp", "animated.webp",
      "lzw.tif",          "grey.tif",         "palette.tif",       "alpha.tif",
      "orientation8.tif", "rgb16.tif",        "rgb24.bmp",         "palette.bmp",
      "palette.gif",      "animated.gif",     "transparent.gif",   "rgb.ppm",
      "grey.pgm",         "bilevel.pbm"};
  return files;
}

/// Peak signal-to-noise ratio in dB of two pictures of one size; infinite when equal.
inline double Psnr(const Bytes& a, const Bytes& b) {
  if (a.size() != b.size() || a.empty()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{1} * a[i] - b[i], 2);
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.size()) / sum);
}

/// The grey picture of a file that must be read.
inline GreyImage Decoded(const Bytes& bytes) {
  auto grey = DecodeGrey(bytes, {});
  EXPECT_TRUE(grey.ok()) << grey.status().message();
  return grey.ok() ? std::move(grey).value() : GreyImage{};
}

}  // namespace siftsearch::image
