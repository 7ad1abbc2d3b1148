#include "features/pdq.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <span>
#include <vector>

namespace siftsearch::features {
namespace {

constexpr int kSmall = 64;        // Side of the reduced picture.
constexpr int kFrequencies = 16;  // Of each direction, without the mean.
constexpr int kPasses = 2;        // A box filter applied twice is a tent.
constexpr int kLeastSide = 5;

using Reduced = std::array<std::array<float, kSmall>, kSmall>;
using Spectrum = std::array<std::array<float, kFrequencies>, kFrequencies>;

/// Numbers in a row or a column.
struct Line {
  float* first = nullptr;
  int size = 0;
  std::size_t step = 1;

  float& operator[](int i) const { return first[static_cast<std::size_t>(i) * step]; }
};

/// Means of so many neighbours (section 4.2); at the ends of those that there are.
void BoxFilter(const Line& from, const Line& to, int window) {
  const int half = (window + 2) / 2;
  int left = 0, right = 0, out = 0, inside = 0;
  float sum = 0;
  for (; right < half - 1; ++right, ++inside) sum += from[right];
  for (; right < window; ++right) {
    sum += from[right];
    to[out++] = sum / static_cast<float>(++inside);
  }
  for (; right < from.size; ++right) {
    sum += from[right];
    sum -= from[left++];
    to[out++] = sum / static_cast<float>(inside);
  }
  for (; out < from.size; ++left) {
    sum -= from[left];
    to[out++] = sum / static_cast<float>(--inside);
  }
}

/// Smooth enough to take every so-manieth pixel.
std::vector<float> Smoothed(const image::GreyImage& picture) {
  std::vector<float> pixels(picture.pixels.begin(), picture.pixels.end());
  std::vector<float> filtered(pixels.size());
  const int width = picture.width, height = picture.height;
  const auto window = [](int side) { return (side + 2 * kSmall - 1) / (2 * kSmall); };
  const auto row = [&](std::vector<float>& of, int y) {
    return Line{&of[static_cast<std::size_t>(y) * static_cast<std::size_t>(width)], width, 1};
  };
  const auto column = [&](std::vector<float>& of, int x) {
    return Line{&of[static_cast<std::size_t>(x)], height, static_cast<std::size_t>(width)};
  };
  for (int pass = 0; pass < kPasses; ++pass) {
    for (int y = 0; y < height; ++y) BoxFilter(row(pixels, y), row(filtered, y), window(width));
    for (int x = 0; x < width; ++x) {
      BoxFilter(column(filtered, x), column(pixels, x), window(height));
    }
  }
  return pixels;
}

Reduced Reduce(const image::GreyImage& picture) {
  const std::vector<float> pixels = Smoothed(picture);
  const auto place = [](int i, int side) {
    return static_cast<std::size_t>((static_cast<float>(i) + 0.5f) * static_cast<float>(side) /
                                    kSmall);
  };
  Reduced reduced;
  for (int y = 0; y < kSmall; ++y) {
    for (int x = 0; x < kSmall; ++x) {
      reduced[y][x] = pixels[place(y, picture.height) * static_cast<std::size_t>(picture.width) +
                             place(x, picture.width)];
    }
  }
  return reduced;
}

/// How many steps of a hundredth of the range lie between neighbours (section 4.4).
int QualityOf(const Reduced& reduced) {
  const auto steps = [](float a, float b) {
    return std::abs(static_cast<int>((a - b) * 100 / 255));
  };
  int sum = 0;
  for (int i = 0; i < kSmall; ++i) {
    for (int j = 0; j + 1 < kSmall; ++j) {
      sum += steps(reduced[j][i], reduced[j + 1][i]) + steps(reduced[i][j], reduced[i][j + 1]);
    }
  }
  return std::min(sum / 90, 100);
}

/// The discrete cosine transform's frequencies 1 to 16 of 64.
const std::array<std::array<float, kSmall>, kFrequencies>& Cosines() {
  static const auto cosines = [] {
    std::array<std::array<float, kSmall>, kFrequencies> made;
    for (int i = 0; i < kFrequencies; ++i) {
      for (int j = 0; j < kSmall; ++j) {
        made[i][j] =
            static_cast<float>(std::sqrt(2.0 / kSmall) *
                               std::cos(std::numbers::pi / 2 / kSmall * (i + 1) * (2 * j + 1)));
      }
    }
    return made;
  }();
  return cosines;
}

Spectrum SpectrumOf(const Reduced& reduced) {
  const auto& cosines = Cosines();
  std::array<std::array<float, kSmall>, kFrequencies> half = {};
  for (int i = 0; i < kFrequencies; ++i) {
    for (int k = 0; k < kSmall; ++k) {
      for (int j = 0; j < kSmall; ++j) half[i][j] += cosines[i][k] * reduced[k][j];
    }
  }
  Spectrum spectrum = {};
  for (int i = 0; i < kFrequencies; ++i) {
    for (int j = 0; j < kFrequencies; ++j) {
      for (int k = 0; k < kSmall; ++k) spectrum[i][j] += half[i][k] * cosines[j][k];
    }
  }
  return spectrum;
}

/// What becomes of a picture: transposed or not, then turned upside down or not, mirrored or not.
struct Steps {
  bool transposed = false, flipped = false, mirrored = false;
};
constexpr std::array<Steps, kTurns> kSteps = {{{},
                                               {true, true, false},
                                               {false, true, true},
                                               {true, false, true},
                                               {false, false, true},
                                               {false, true, false},
                                               {true, false, false},
                                               {true, true, true}}};

/// Reversing a direction negates its odd frequencies, which have even places.
Spectrum Turned(const Spectrum& spectrum, const Steps& steps) {
  Spectrum turned;
  for (int i = 0; i < kFrequencies; ++i) {
    for (int j = 0; j < kFrequencies; ++j) {
      const float value = steps.transposed ? spectrum[j][i] : spectrum[i][j];
      const bool negative = (steps.flipped && i % 2 == 0) != (steps.mirrored && j % 2 == 0);
      turned[i][j] = negative ? -value : value;
    }
  }
  return turned;
}

constexpr std::size_t kBits = kFrequencies * kFrequencies;

/// Sets the bits of the frequencies above `least`.
void SetBits(const Spectrum& spectrum, float least, Pdq& hash) {
  for (std::size_t k = 0; k < kBits; ++k) {
    if (spectrum[k / kFrequencies][k % kFrequencies] <= least) continue;
    hash.bits[31 - k / 8] |= static_cast<std::uint8_t>(1 << k % 8);
  }
}

Pdq BitsOf(const Spectrum& spectrum, int quality) {
  std::array<float, kBits> sorted;
  for (std::size_t k = 0; k < kBits; ++k) sorted[k] = spectrum[k / kFrequencies][k % kFrequencies];
  const auto median = sorted.begin() + kBits / 2 - 1;
  std::nth_element(sorted.begin(), median, sorted.end());
  Pdq hash{.quality = quality};
  SetBits(spectrum, *median, hash);
  return hash;
}

}  // namespace

Transform OnUnitSquare(Turn turn) {
  const Steps& steps = kSteps[static_cast<std::size_t>(turn)];
  const double x = steps.mirrored ? -1 : 1, y = steps.flipped ? -1 : 1;
  const double right = steps.mirrored, down = steps.flipped;
  if (steps.transposed) return {0, x, right, y, 0, down, 0, 0, 1};
  return {x, 0, right, 0, y, down, 0, 0, 1};
}

std::array<Pdq, kTurns> PdqInAllTurns(const image::GreyImage& picture) {
  std::array<Pdq, kTurns> hashes;
  if (std::min(picture.width, picture.height) < kLeastSide) return hashes;
  const Reduced reduced = Reduce(picture);
  const Spectrum spectrum = SpectrumOf(reduced);
  const int quality = QualityOf(reduced);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
    hashes[turn] = BitsOf(Turned(spectrum, kSteps[turn]), quality);
  }
  return hashes;
}

std::array<Pdq, kTurns> Turned(const Pdq& hash) {
  Spectrum signs;
  for (std::size_t k = 0; k < kBits; ++k) {
    const bool above = hash.bits[31 - k / 8] >> k % 8 & 1;
    signs[k / kFrequencies][k % kFrequencies] = above ? 1.0f : -1.0f;
  }
  std::array<Pdq, kTurns> hashes;
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
    hashes[turn] = {.quality = hash.quality};
    SetBits(Turned(signs, kSteps[turn]), 0, hashes[turn]);
  }
  return hashes;
}

}  // namespace siftsearch::features
