#include "features/extractor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <opencv2/core.hpp>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <tuple>

#include "features/opencv_threads.h"

namespace siftsearch::features {
namespace {

constexpr int kOctaveLayers = 3;
constexpr double kEdgeThreshold = 10;
constexpr double kSigma = 1.6;
/// A picture with fewer keypoints than this above the contrast threshold keeps those above
/// kLowContrast, too.
constexpr std::size_t kFewKeypoints = 400;
/// A picture with fewer pixels than this that differ from their surroundings has, mostly, few
/// keypoints, and one with more than this times the keypoints wanted so many that it is faster to
/// choose before descriptors are computed, though OpenCV then builds its pyramid twice.
constexpr int kFewDifferent = 20'000;
constexpr int kManyDifferent = 48;
/// OpenCV keeps so many times the keypoints wanted, by response, and the strongest are chosen of
/// them.
constexpr int kChosenFrom = 4;
/// Smaller pictures are enlarged to this longer side, at most so many times: scaled-down copies
/// then keep enough keypoints.
constexpr double kEnlargedSide = 256;
constexpr double kMostEnlarged = 4;
/// SIFT's first octave is twice the picture; smaller pictures hold no keypoint and OpenCV builds no
/// pyramid for them.
constexpr int kSmallestSide = 8;

/// OpenCV 4.6 doubles the picture with pixel centres aligned but halves positions without, so all
/// of them come out a quarter of a pixel too far right and down.
constexpr float kDoublingShift = 0.25f;

cv::Size FullSize(const image::GreyImage& picture) {
  return picture.full_width > 0 ? cv::Size(picture.full_width, picture.full_height)
                                : cv::Size(picture.width, picture.height);
}

cv::Mat Enlarged(const cv::Mat& picture, int max_side) {
  const double longer = std::max(picture.cols, picture.rows);
  const double scale = std::min({kEnlargedSide / longer, max_side / longer, kMostEnlarged});
  if (scale <= 1) return picture;
  cv::Mat enlarged;
  cv::resize(picture, enlarged, cv::Size(), scale, scale, cv::INTER_CUBIC);
  return enlarged;
}

cv::Mat Scaled(const image::GreyImage& picture, int max_side) {
  // OpenCV takes no const data; nothing is written through this header.
  const cv::Mat whole(picture.height, picture.width, CV_8UC1,
                      const_cast<std::uint8_t*>(picture.pixels.data()));
  const cv::Size full = FullSize(picture);
  const double scale = static_cast<double>(max_side) / std::max(full.width, full.height);
  if (scale >= 1) return Enlarged(whole, max_side);
  const cv::Size size(std::max(1, static_cast<int>(std::lround(full.width * scale))),
                      std::max(1, static_cast<int>(std::lround(full.height * scale))));
  if (size == whole.size()) return whole;
  cv::Mat scaled;
  cv::resize(whole, scaled, size, 0, 0, cv::INTER_AREA);
  return scaled;
}

/// How many pixels differ from their surroundings, which grows with the number of keypoints.
int CountDifferent(const cv::Mat& picture) {
  constexpr double kDifferent = 6;
  cv::Mat fine;
  cv::Mat coarse;
  cv::GaussianBlur(picture, fine, cv::Size(), 1.2);
  cv::GaussianBlur(picture, coarse, cv::Size(), 2.4);
  cv::absdiff(fine, coarse, fine);
  return cv::countNonZero(fine > kDifferent);
}

/// Response times area: what scaling down, blur, noise and compression leave of a picture are its
/// large structures, and by response alone fine texture or print takes all the places.
double Strength(const cv::KeyPoint& point) {
  return double{point.response} * point.size * point.size;
}

/// Row numbers, strongest keypoint first; ties by position, so that the order means nothing else.
std::vector<int> StrongestFirst(const std::vector<cv::KeyPoint>& keypoints) {
  std::vector<int> order(keypoints.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    const cv::KeyPoint& p = keypoints[a];
    const cv::KeyPoint& q = keypoints[b];
    return std::make_tuple(-Strength(p), p.pt.y, p.pt.x, p.size, p.angle) <
           std::make_tuple(-Strength(q), q.pt.y, q.pt.x, q.size, q.angle);
  });
  return order;
}

void WriteRootSift(const float* sift, std::uint8_t* out) {
  const float sum = std::accumulate(sift, sift + kDescriptorBytes, 0.0f);
  const float factor = sum > 0 ? 512 * 512 / sum : 0;  // 512 · sqrt(v / Σv) = sqrt(512² · v / Σv).
  for (int i = 0; i < kDescriptorBytes; ++i) {
    out[i] = static_cast<std::uint8_t>(std::min(255.0f, std::sqrt(factor * sift[i]) + 0.5f));
  }
}

class SiftExtractor : public FeatureExtractor {
 public:
  explicit SiftExtractor(const ExtractorSettings& settings) : settings_(settings) {
    const OpenCvThreads replaced(1);  // Before many threads call OpenCV.
  }

  Result<FeatureSet> Extract(const image::GreyImage& picture, int threads) const override {
    const OpenCvThreads opencv_threads(threads);
    try {
      return Detect(picture);
    } catch (const std::bad_alloc&) {
      return Status(StatusCode::kOutOfMemory, "not enough memory to extract features");
    } catch (const cv::Exception& error) {
      if (error.code == cv::Error::StsNoMem) {
        return Status(StatusCode::kOutOfMemory, "not enough memory to extract features");
      }
      return Status(StatusCode::kInternal, "features can't be extracted: " + error.err);
    }
  }

  const ExtractorSettings& settings() const override { return settings_; }

 private:
  FeatureSet Detect(const image::GreyImage& picture) const {
    FeatureSet features;
    const cv::Size full = FullSize(picture);
    features.width = full.width;
    features.height = full.height;
    if (std::min(picture.width, picture.height) < kSmallestSide) return features;
    const cv::Mat scaled = Scaled(picture, settings_.max_side);
    if (std::min(scaled.cols, scaled.rows) < kSmallestSide) return features;
    std::vector<cv::KeyPoint> keypoints;
    cv::Mat descriptors;
    RunSift(scaled, keypoints, descriptors);
    const float x_scale = static_cast<float>(full.width) / scaled.cols;
    const float y_scale = static_cast<float>(full.height) / scaled.rows;
    const std::vector<int> rows = Chosen(keypoints);
    features.keypoints.reserve(rows.size());
    features.descriptors.resize(rows.size() * kDescriptorBytes);
    for (const int row : rows) {
      const cv::KeyPoint& point = keypoints[row];
      features.keypoints.push_back({(point.pt.x - kDoublingShift + 0.5f) * x_scale - 0.5f,
                                    (point.pt.y - kDoublingShift + 0.5f) * y_scale - 0.5f,
                                    point.size * std::sqrt(x_scale * y_scale), point.angle});
      WriteRootSift(descriptors.ptr<float>(row),
                    features.descriptors.data() + (features.size() - 1) * kDescriptorBytes);
    }
    return features;
  }

  /// What the count of pixels decides is time: OpenCV finds the same keypoints above the contrast
  /// threshold with a lower one (of photographs; it may find one in a thousand more of drawings).
  void RunSift(const cv::Mat& picture, std::vector<cv::KeyPoint>& keypoints,
               cv::Mat& descriptors) const {
    const double low = std::min(kLowContrast, settings_.contrast_threshold);
    const int different = CountDifferent(picture);
    const bool at_once = different < kFewDifferent || settings_.contrast_threshold <= low;
    const auto sift = Sift(at_once ? low : settings_.contrast_threshold);
    if (different > std::int64_t{kManyDifferent} * settings_.max_features) {
      std::vector<cv::KeyPoint> found;
      sift->detect(picture, found);
      if (at_once || found.size() >= kFewKeypoints) {
        for (const int row : Chosen(found)) keypoints.push_back(found[row]);
        return sift->compute(picture, keypoints, descriptors);
      }
    } else {
      sift->detectAndCompute(picture, cv::noArray(), keypoints, descriptors);
      if (at_once || keypoints.size() >= kFewKeypoints) return;
    }
    Sift(low)->detectAndCompute(picture, cv::noArray(), keypoints, descriptors);
  }

  cv::Ptr<cv::SIFT> Sift(double contrast) const {
    return cv::SIFT::create(kChosenFrom * settings_.max_features, kOctaveLayers, contrast,
                            kEdgeThreshold, kSigma);
  }

  /// Rows of the keypoints to keep, strongest first; those below the contrast threshold only where
  /// there are few above it.
  std::vector<int> Chosen(const std::vector<cv::KeyPoint>& keypoints) const {
    const auto clear = [&](int row) {  // As OpenCV compares.
      return keypoints[row].response * kOctaveLayers >=
             static_cast<float>(settings_.contrast_threshold);
    };
    std::vector<int> rows = StrongestFirst(keypoints);
    const std::size_t clear_rows = std::count_if(rows.begin(), rows.end(), clear);
    if (clear_rows >= kFewKeypoints) std::erase_if(rows, std::not_fn(clear));
    // Keypoints of equal strength can make OpenCV return more than it was asked for.
    rows.resize(std::min(rows.size(), static_cast<std::size_t>(settings_.max_features)));
    return rows;
  }

  const ExtractorSettings settings_;
};

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeExtractor(const ExtractorSettings& settings) {
  const auto refuse = [](std::string message) {
    return Status(StatusCode::kInvalidArgument, std::move(message));
  };
  if (settings.extractor != "sift-root") {
    return refuse(
        fmt::format("extractor '{}' is unknown; there is: sift-root", settings.extractor));
  }
  if (settings.max_features < 1 || settings.max_features > 100'000) {
    return refuse(
        fmt::format("{} features per image; 1 to 100,000 are possible", settings.max_features));
  }
  if (settings.max_side < 32 || settings.max_side > 16'384) {
    return refuse(
        fmt::format("a longer side of {} pixels; 32 to 16,384 are possible", settings.max_side));
  }
  if (!(settings.contrast_threshold >= 0 && settings.contrast_threshold <= 1)) {
    return refuse(fmt::format("a contrast threshold of {}; 0 to 1 are possible",
                              settings.contrast_threshold));
  }
  return std::unique_ptr<FeatureExtractor>(std::make_unique<SiftExtractor>(settings));
}

}  // namespace siftsearch::features
