#include "made_images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "features/preview.h"
#include "image/decode.h"

namespace siftsearch::bench {
namespace {

constexpr int kWidth = 640, kHeight = 480;
constexpr int kPreviewWidth = 192, kPreviewHeight = 144;
constexpr double kPreviewScale = static_cast<double>(kPreviewWidth) / kWidth;
constexpr float kLength = 512;  // Of a RootSIFT descriptor.
constexpr double kNoise = 15;   // Length of what is added to a passage between two descriptors.
constexpr double kFoundAgain = 0.8;
constexpr int kOrientations = 8;

using Row = std::array<float, kDescriptorBytes>;

double Uniform(Random& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

std::size_t Below(Random& random, std::size_t end) {
  return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

/// Noise of some length in all directions alike: bytes of the generator, two for a value.
void AddNoise(Random& random, double length, Row& row) {
  // The difference of two bytes has a standard deviation of 104.5.
  const float scale = static_cast<float>(length / std::sqrt(double{kDescriptorBytes}) / 104.5);
  for (std::size_t i = 0; i < row.size(); i += 4) {
    std::uint64_t bits = random();
    for (std::size_t j = i; j < i + 4; ++j, bits >>= 16) {
      row[j] += scale * (static_cast<float>(bits & 255) - static_cast<float>(bits >> 8 & 255));
    }
  }
}

void AppendBytes(Row row, Bytes& descriptors) {
  float squares = 0;
  for (float& value : row) {
    value = std::max(value, 0.0F);
    squares += value * value;
  }
  const float scale = kLength / std::sqrt(std::max(squares, 1.0F));
  for (const float value : row) {
    descriptors.push_back(static_cast<std::uint8_t>(std::min(255.0F, value * scale + 0.5F)));
  }
}

/// A point's image under a similarity about the centres, in pixels of full size.
struct Similarity {
  double scale, turn, dx, dy;

  Keypoint operator()(const Keypoint& from) const {
    const double c = scale * std::cos(turn), s = scale * std::sin(turn);
    const double x = from.x - kWidth / 2.0, y = from.y - kHeight / 2.0;
    const double degrees = from.angle + turn * 180 / std::numbers::pi;
    return {.x = static_cast<float>(c * x - s * y + kWidth / 2.0 + dx),
            .y = static_cast<float>(s * x + c * y + kHeight / 2.0 + dy),
            .scale = static_cast<float>(from.scale * scale),
            .angle = static_cast<float>(std::fmod(degrees + 360, 360))};
  }

  cv::Mat OfPreview() const {
    const double c = scale * std::cos(turn), s = scale * std::sin(turn);
    const double x = kPreviewWidth / 2.0, y = kPreviewHeight / 2.0;
    return (cv::Mat_<double>(2, 3) << c, -s, x - c * x + s * y + dx * kPreviewScale, s, c,
            y - s * x - c * y + dy * kPreviewScale);
  }
};

Similarity AnySimilarity(Random& random) {
  const bool turned = Below(random, 2) == 0;
  return {.scale = Uniform(random, 0.7, 1.4),
          .turn = turned ? Uniform(random, 0, 2 * std::numbers::pi) : 0,
          .dx = Uniform(random, -80, 80),
          .dy = Uniform(random, -60, 60)};
}

bool Inside(const Keypoint& point) {
  return point.x >= 0 && point.y >= 0 && point.x < kWidth && point.y < kHeight;
}

Keypoint AnyKeypoint(Random& random) {
  const double size = std::exponential_distribution<double>(1.6)(random);
  return {.x = static_cast<float>(Uniform(random, 8, kWidth - 8)),
          .y = static_cast<float>(Uniform(random, 8, kHeight - 8)),
          .scale = static_cast<float>(4 * std::exp(std::min(size, 3.0))),
          .angle = static_cast<float>(Uniform(random, 0, 360))};
}

Bytes Jpeg(const cv::Mat& grey) {
  image::GreyImage picture{.width = grey.cols, .height = grey.rows, .pixels = {}};
  picture.pixels.assign(grey.datastart, grey.dataend);
  const auto preview = features::MakePreview(picture, features::kStoredPreviewQuality);
  return preview.ok() ? *preview : Bytes();
}

}  // namespace

void AppendCopied(Random& random, const std::uint8_t* descriptor, Bytes& descriptors) {
  Row row;
  std::copy_n(descriptor, row.size(), row.begin());
  AddNoise(random, Uniform(random, 70, 160), row);  // Some of it goes with what is below zero.
  AppendBytes(row, descriptors);
}

FeatureSet Copied(FeatureSet features, std::uint64_t seed) {
  Random random(seed);
  Bytes copied;
  for (std::size_t i = 0; i < features.size(); ++i) {
    AppendCopied(random, &features.descriptors[i * kDescriptorBytes], copied);
  }
  features.descriptors = std::move(copied);
  return features;
}

MadeImages::MadeImages(std::vector<RealPicture> pictures, const Options& options)
    : options_(options) {
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Bytes& descriptors = pictures[i].descriptors;
    rows_.insert(rows_.end(), descriptors.begin(), descriptors.end());
    picture_of_row_.resize(rows_.size() / kDescriptorBytes, static_cast<std::uint32_t>(i));
    const auto preview = image::DecodeGrey(pictures[i].preview, {});
    if (!preview.ok()) continue;
    previews_.push_back(cv::Mat(preview->height, preview->width, CV_8UC1,
                                const_cast<std::uint8_t*>(preview->pixels.data()))
                            .clone());
  }
}

void MadeImages::AppendDescriptor(Random& random, Bytes& descriptors) const {
  const std::size_t a = Below(random, picture_of_row_.size());
  std::size_t b = a;
  for (int tries = 0; tries < 100 && picture_of_row_[a] == picture_of_row_[b]; ++tries) {
    b = Below(random, picture_of_row_.size());
  }
  const bool by_row = Below(random, 2) == 0;
  const double middle = Uniform(random, 0.75, 2.25), slope = Uniform(random, 0.15, 0.8);
  std::array<float, 4> share{};  // Of b, by row or column of cells.
  for (int i = 0; i < 4; ++i) {
    share[i] = static_cast<float>(std::clamp(0.5 + slope * (i - middle), 0.0, 1.0));
  }
  Row row;
  for (int i = 0; i < kDescriptorBytes; ++i) {
    const int cell = i / kOrientations;
    const float of_b = share[by_row ? cell / 4 : cell % 4];
    row[i] = (1 - of_b) * static_cast<float>(rows_[a * kDescriptorBytes + i]) +
             of_b * static_cast<float>(rows_[b * kDescriptorBytes + i]);
  }
  AddNoise(random, kNoise, row);
  AppendBytes(row, descriptors);
}

void MadeImages::AppendNew(Random& random, FeatureSet& features) const {
  while (features.size() < static_cast<std::size_t>(options_.descriptors)) {
    features.keypoints.push_back(AnyKeypoint(random));
    AppendDescriptor(random, features.descriptors);
  }
}

cv::Mat MadeImages::Picture(Random& random) const {
  cv::Mat blend(kPreviewHeight, kPreviewWidth, CV_8UC1, cv::Scalar(128));
  for (int layer = 0; layer < 2 && !previews_.empty(); ++layer) {
    const cv::Mat& from = previews_[Below(random, previews_.size())];
    const int width = std::max(1, static_cast<int>(from.cols * Uniform(random, 0.5, 0.9)));
    const int height = std::max(1, static_cast<int>(from.rows * Uniform(random, 0.5, 0.9)));
    const int left =
        static_cast<int>(Below(random, static_cast<std::size_t>(from.cols - width) + 1));
    const int top =
        static_cast<int>(Below(random, static_cast<std::size_t>(from.rows - height) + 1));
    cv::Mat piece;
    cv::resize(from(cv::Rect(left, top, width, height)), piece, blend.size(), 0, 0,
               cv::INTER_LINEAR);
    if (Below(random, 2) == 0) cv::flip(piece, piece, 1);
    const double share = layer == 0 ? 1 : 0.5;
    cv::addWeighted(blend, 1 - share, piece, share, 0, blend);
  }
  return blend;
}

FeatureSet MadeImages::Original(std::int64_t number) const {
  Random random(options_.seed << 40 ^ static_cast<std::uint64_t>(number) << 1);
  FeatureSet features{.width = kWidth, .height = kHeight, .keypoints = {}, .descriptors = {}};
  // The picture comes first, for Copy.
  features.preview = Jpeg(Picture(random));
  AppendNew(random, features);
  return features;
}

FeatureSet MadeImages::Copy(std::int64_t original, std::int64_t number) const {
  const FeatureSet from = Original(original);
  Random of_original(options_.seed << 40 ^ static_cast<std::uint64_t>(original) << 1);
  const cv::Mat picture = Picture(of_original);
  Random random(options_.seed << 40 ^ static_cast<std::uint64_t>(number) << 1 ^ 1);
  const Similarity move = AnySimilarity(random);
  FeatureSet features{.width = kWidth, .height = kHeight, .keypoints = {}, .descriptors = {}};
  for (std::size_t i = 0; i < from.size(); ++i) {
    Keypoint point = move(from.keypoints[i]);
    if (!Inside(point) || Uniform(random, 0, 1) > kFoundAgain) continue;
    point.x += static_cast<float>(Uniform(random, -0.5, 0.5));
    point.y += static_cast<float>(Uniform(random, -0.5, 0.5));
    features.keypoints.push_back(point);
    AppendCopied(random, &from.descriptors[i * kDescriptorBytes], features.descriptors);
  }
  AppendNew(random, features);
  cv::Mat moved;
  cv::warpAffine(picture, moved, move.OfPreview(), picture.size(), cv::INTER_LINEAR,
                 cv::BORDER_CONSTANT, cv::Scalar(128));
  features.preview = Jpeg(moved);
  return features;
}

}  // namespace siftsearch::bench
