#include "features/forms.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace siftsearch::features {
namespace {

constexpr int kCells = 4;
constexpr int kBins = 8;

/// For each byte of the form's descriptor, the byte of the picture's that it is.
std::array<int, kDescriptorBytes> Sources(Form form) {
  std::array<int, kDescriptorBytes> sources;
  for (int row = 0; row < kCells; ++row) {
    for (int column = 0; column < kCells; ++column) {
      for (int bin = 0; bin < kBins; ++bin) {
        // Both moves are their own inverses and can follow one another in any order.
        const bool rows = form.mirrored != form.inverted;
        const int from_row = rows ? kCells - 1 - row : row;
        const int from_column = form.inverted ? kCells - 1 - column : column;
        const int from_bin = form.mirrored ? (kBins - bin) % kBins : bin;
        sources[(row * kCells + column) * kBins + bin] =
            (from_row * kCells + from_column) * kBins + from_bin;
      }
    }
  }
  return sources;
}

float AngleIn(Form form, float angle) {
  if (form.mirrored) angle = 180 - angle;
  if (form.inverted) angle += 180;
  angle = std::fmod(angle, 360.0f);
  return angle < 0 ? angle + 360 : angle;
}

}  // namespace

std::span<const Form> AllForms() {
  static constexpr Form kForms[] = {{false, false}, {true, false}, {false, true}, {true, true}};
  return kForms;
}

FeatureSet InForm(const FeatureSet& features, Form form, std::size_t max_features) {
  const std::size_t count = std::min(features.size(), max_features);
  FeatureSet result;
  result.width = features.width;
  result.height = features.height;
  result.pages = features.pages;
  result.keypoints.assign(features.keypoints.begin(), features.keypoints.begin() + count);
  result.descriptors.resize(count * kDescriptorBytes);
  const auto sources = Sources(form);
  for (std::size_t i = 0; i < count; ++i) {
    Keypoint& point = result.keypoints[i];
    if (form.mirrored) point.x = static_cast<float>(features.width - 1) - point.x;
    point.angle = AngleIn(form, point.angle);
    const std::uint8_t* from = features.descriptors.data() + i * kDescriptorBytes;
    std::uint8_t* to = result.descriptors.data() + i * kDescriptorBytes;
    for (int j = 0; j < kDescriptorBytes; ++j) to[j] = from[sources[j]];
  }
  return result;
}

}  // namespace siftsearch::features
