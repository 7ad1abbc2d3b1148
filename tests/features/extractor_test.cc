#include "features/extractor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <opencv2/core.hpp>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <set>
#include <thread>

#include "features/opencv_threads.h"

namespace siftsearch::features {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;

/// Random rectangles, ellipses and lines, slightly blurred: a picture with many keypoints.
cv::Mat DrawnPicture(int width, int height, std::uint64_t seed) {
  cv::RNG random(seed);
  cv::Mat picture(height, width, CV_8UC1, cv::Scalar(128));
  const int shapes = width * height / 1200;
  for (int i = 0; i < shapes; ++i) {
    const cv::Point at(random.uniform(0, width), random.uniform(0, height));
    const cv::Size size(random.uniform(4, 40), random.uniform(4, 40));
    const cv::Scalar grey(random.uniform(0, 256));
    if (i % 3 == 0) cv::rectangle(picture, cv::Rect(at, size), grey, cv::FILLED);
    if (i % 3 == 1) {
      cv::ellipse(picture, at, size / 2, random.uniform(0, 180), 0, 360, grey, cv::FILLED,
                  cv::LINE_AA);
    }
    if (i % 3 == 2) {
      cv::line(picture, at, at + cv::Point(size) - cv::Point(20, 20), grey, 2, cv::LINE_AA);
    }
  }
  cv::GaussianBlur(picture, picture, cv::Size(), 0.8);
  return picture;
}

image::GreyImage Grey(const cv::Mat& picture) {
  return {picture.cols, picture.rows, {picture.datastart, picture.dataend}};
}

std::unique_ptr<FeatureExtractor> Extractor(const ExtractorSettings& settings = {}) {
  auto extractor = MakeExtractor(settings);
  EXPECT_TRUE(extractor.ok()) << extractor.status().message();
  return std::move(extractor).value();
}

FeatureSet Extract(const cv::Mat& picture, const ExtractorSettings& settings = {}) {
  auto features = Extractor(settings)->Extract(Grey(picture));
  EXPECT_TRUE(features.ok()) << features.status().message();
  return std::move(features).value();
}

bool Same(const FeatureSet& a, const FeatureSet& b) {
  const auto same = [](const Keypoint& p, const Keypoint& q) {
    return p.x == q.x && p.y == q.y && p.scale == q.scale && p.angle == q.angle;
  };
  return a.width == b.width && a.height == b.height && a.descriptors == b.descriptors &&
         std::equal(a.keypoints.begin(), a.keypoints.end(), b.keypoints.begin(), b.keypoints.end(),
                    same);
}

/// Share of `from`'s keypoints within the inner part of the picture that `map` puts within two
/// pixels of a keypoint of `to`.
template <typename Map>
double Repeatability(const FeatureSet& from, const FeatureSet& to, const Map& map) {
  int inside = 0, found = 0;
  for (const Keypoint& p : from.keypoints) {
    const Point at = map(p);
    if (at.x < 10 || at.y < 10 || at.x > to.width - 11 || at.y > to.height - 11) continue;
    ++inside;
    found += std::any_of(to.keypoints.begin(), to.keypoints.end(),
                         [&](const Keypoint& q) { return std::hypot(q.x - at.x, q.y - at.y) < 2; });
  }
  EXPECT_GT(inside, 50);
  return static_cast<double>(found) / inside;
}

TEST(ExtractorTest, GivesKeypointsInsideThePictureAndADescriptorEach) {
  const FeatureSet features = Extract(DrawnPicture(400, 300, 1));
  EXPECT_EQ(features.width, 400);
  EXPECT_EQ(features.height, 300);
  ASSERT_GT(features.size(), 100u);
  ASSERT_EQ(features.descriptors.size(), features.size() * kDescriptorBytes);
  for (const Keypoint& p : features.keypoints) {
    EXPECT_THAT(p.x, AllOf(Ge(0), Le(399)));
    EXPECT_THAT(p.y, AllOf(Ge(0), Le(299)));
    EXPECT_THAT(p.angle, AllOf(Ge(0), testing::Lt(360)));
    EXPECT_GT(p.scale, 0);
  }
}

using Descriptors = std::vector<std::array<std::uint8_t, kDescriptorBytes>>;

Descriptors Rows(const FeatureSet& features) {
  Descriptors rows;
  for (std::size_t row = 0; row < features.size(); ++row) {
    const auto begin = features.descriptors.begin() + row * kDescriptorBytes;
    std::copy_n(begin, kDescriptorBytes, rows.emplace_back().begin());
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

Descriptors RootSift(const cv::Mat& sift) {
  Descriptors rows;
  for (int row = 0; row < sift.rows; ++row) {
    double sum = 0;
    for (int i = 0; i < kDescriptorBytes; ++i) sum += sift.at<float>(row, i);
    auto& bytes = rows.emplace_back();
    for (int i = 0; i < kDescriptorBytes; ++i) {
      const double root = 512 * std::sqrt(sift.at<float>(row, i) / sum);
      bytes[i] = static_cast<std::uint8_t>(std::min(255.0, std::round(root)));
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// By response alone, strong dots would take all the places and be gone in a smaller copy.
TEST(ExtractorTest, KeepsLargeStructuresAmongStrongerFineTexture) {
  cv::RNG random(3);
  cv::Mat picture = DrawnPicture(480, 360, 3);
  picture.convertTo(picture, CV_8UC1, 0.5, 64);
  for (int i = 0; i < 150; ++i) {
    const cv::Rect dot(random.uniform(0, 470), random.uniform(0, 350), 3, 3);
    cv::rectangle(picture, dot, cv::Scalar(i % 2 * 255), cv::FILLED);
  }
  const FeatureSet kept = Extract(picture, {.max_features = 60});
  ASSERT_EQ(kept.size(), 60u);
  EXPECT_GT(std::count_if(kept.keypoints.begin(), kept.keypoints.end(),
                          [](const Keypoint& p) { return p.scale > 8; }),
            35);
}

/// Faintness decides whether it looks for faint keypoints first, which must not show.
TEST(ExtractorTest, DescriptorsAreRootSiftOfWhatOpenCvComputes) {
  for (const double contrast : {1.0, 0.35}) {
    SCOPED_TRACE(contrast);
    cv::Mat picture;
    DrawnPicture(1200, 900, 2).convertTo(picture, CV_8UC1, contrast, 100);
    const FeatureSet features = Extract(picture, {.max_features = 100'000, .max_side = 1200});
    std::vector<cv::KeyPoint> keypoints;
    cv::Mat sift;
    cv::SIFT::create(0)->detectAndCompute(picture, cv::noArray(), keypoints, sift);
    ASSERT_GE(keypoints.size(), 400u);  // With fewer it takes faint ones, too.
    EXPECT_EQ(Rows(features), RootSift(sift));
  }
}

/// With 600 they are chosen before descriptors are computed, with 2,000 after.
TEST(ExtractorTest, FewerFeaturesAreTheStrongestOfMore) {
  const cv::Mat picture = DrawnPicture(900, 675, 2);
  FeatureSet more = Extract(picture, {.max_features = 2000, .max_side = 900});
  ASSERT_GT(more.size(), 1000u);
  more.keypoints.resize(600);
  more.descriptors.resize(600 * kDescriptorBytes);
  EXPECT_TRUE(Same(Extract(picture, {.max_features = 600, .max_side = 900}), more));
}

TEST(ExtractorTest, LowContrastStillGivesKeypoints) {
  const cv::Mat picture = DrawnPicture(600, 450, 2);
  cv::Mat faint;
  picture.convertTo(faint, CV_8UC1, 0.15, 110);
  EXPECT_GT(Extract(faint).size(), 200u);
}

TEST(ExtractorTest, SmallPicturesAreEnlarged) {
  const cv::Mat picture = DrawnPicture(600, 450, 2);
  cv::Mat small;
  cv::resize(picture, small, cv::Size(), 0.2, 0.2, cv::INTER_AREA);
  const FeatureSet features = Extract(small);
  EXPECT_EQ(features.width, 120);
  EXPECT_GT(features.size(), 150u);
  for (const Keypoint& point : features.keypoints) {
    EXPECT_GE(point.x, -0.5f);
    EXPECT_LE(point.x, 119.5f);
  }
}

TEST(ExtractorTest, DescriptorsHaveLength512) {
  const FeatureSet features = Extract(DrawnPicture(400, 300, 3));
  for (std::size_t row = 0; row < features.size(); ++row) {
    double squares = 0;
    for (int i = 0; i < kDescriptorBytes; ++i) {
      const double value = features.descriptors[row * kDescriptorBytes + i];
      squares += value * value;
    }
    EXPECT_NEAR(std::sqrt(squares), 512, 8);
  }
}

TEST(ExtractorTest, KeepsTheStrongestInOrder) {
  const cv::Mat picture = DrawnPicture(400, 300, 4);
  const FeatureSet all = Extract(picture, {.max_features = 100'000});
  for (const int most : {1, 7, 100}) {
    const FeatureSet few = Extract(picture, {.max_features = most});
    ASSERT_EQ(few.size(), static_cast<std::size_t>(most));
    for (int i = 0; i < most; ++i) EXPECT_EQ(few.keypoints[i].x, all.keypoints[i].x) << i;
  }
}

TEST(ExtractorTest, NeverMoreThanAskedForEvenWhenStrengthsAreEqual) {
  // One tile repeated: many keypoints of exactly equal strength.
  cv::Mat tile(40, 40, CV_8UC1, cv::Scalar(30));
  cv::circle(tile, {20, 20}, 9, cv::Scalar(220), cv::FILLED);
  const FeatureSet features = Extract(cv::repeat(tile, 10, 10), {.max_features = 50});
  EXPECT_EQ(features.size(), 50u);
}

TEST(ExtractorTest, TheSamePixelsGiveTheSameBytesAlsoAtTheSameTime) {
  const auto extractor = Extractor();
  const image::GreyImage picture = Grey(DrawnPicture(300, 200, 5));
  const image::GreyImage other = Grey(DrawnPicture(200, 300, 6));
  const FeatureSet expected = std::move(extractor->Extract(picture)).value();
  std::vector<int> differing(4);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 3; ++i) {
          const auto again = extractor->Extract(picture);
          const auto between = extractor->Extract(other);
          differing[t] += !again.ok() || !between.ok() || !Same(again.value(), expected);
        }
      });
    }
  }
  EXPECT_EQ(std::accumulate(differing.begin(), differing.end(), 0), 0);
}

TEST(ExtractorTest, ThreadsForOnePictureChangeNoByte) {
  const auto extractor = Extractor();
  for (const int seed : {5, 6, 7}) {
    const image::GreyImage picture = Grey(DrawnPicture(400, 300, seed));
    const FeatureSet expected = std::move(extractor->Extract(picture)).value();
    ASSERT_GT(expected.size(), 0u);
    for (const int threads : {2, 3, 8}) {
      const auto again = extractor->Extract(picture, threads);
      ASSERT_TRUE(again.ok());
      EXPECT_TRUE(Same(again.value(), expected)) << threads << " threads, seed " << seed;
    }
  }
}

TEST(OpenCvThreadsTest, LoopsRunOnSeveralThreadsWhileItLives) {
  const auto threads_of_a_loop = [](std::size_t awaited) {
    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::thread::id> threads;
    cv::parallel_for_({0, 64}, [&](const cv::Range&) {
      std::unique_lock lock(mutex);
      threads.insert(std::this_thread::get_id());
      changed.notify_all();
      changed.wait_for(lock, std::chrono::seconds(20), [&] { return threads.size() >= awaited; });
    });
    return threads.size();
  };
  {
    const OpenCvThreads two(2);
    EXPECT_EQ(threads_of_a_loop(2), 2u);
  }
  EXPECT_EQ(threads_of_a_loop(1), 1u);
}

TEST(ExtractorTest, ABlobsKeypointLiesAtItsCentre) {
  for (const double factor : {1.0, 3.0}) {
    const double cx = 150 * factor, cy = 128 * factor, sigma = 6 * factor;
    cv::Mat picture(static_cast<int>(257 * factor), static_cast<int>(301 * factor), CV_8UC1);
    for (int y = 0; y < picture.rows; ++y) {
      for (int x = 0; x < picture.cols; ++x) {
        const double d = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (2 * sigma * sigma);
        picture.at<std::uint8_t>(y, x) = cv::saturate_cast<std::uint8_t>(30 + 200 * std::exp(-d));
      }
    }
    const FeatureSet features = Extract(picture, {.max_side = 301});
    ASSERT_GT(features.size(), 0u);
    EXPECT_NEAR(features.keypoints[0].x, cx, 0.1 * factor);
    EXPECT_NEAR(features.keypoints[0].y, cy, 0.1 * factor);
    EXPECT_NEAR(features.keypoints[0].scale, 2 * sigma, 0.25 * sigma);
  }
}

TEST(ExtractorTest, KeypointsOfAScaledDownPictureAreInFullSizePixels) {
  // 1201 × 803 does not divide evenly, so x and y are scaled by slightly different factors.
  const cv::Mat small = DrawnPicture(400, 268, 7);
  cv::Mat large;
  cv::resize(small, large, {1201, 803}, 0, 0, cv::INTER_CUBIC);
  const FeatureSet from = Extract(small);
  const FeatureSet to = Extract(large, {.max_side = 400});
  EXPECT_EQ(to.width, 1201);
  EXPECT_EQ(to.height, 803);
  const double repeated = Repeatability(from, to, [](const Keypoint& p) {
    return Point{(p.x + 0.5) * 1201 / 400 - 0.5, (p.y + 0.5) * 803 / 268 - 0.5};
  });
  EXPECT_GT(repeated, 0.7);
}

TEST(ExtractorTest, KeypointsFollowARotationAndAScaling) {
  const cv::Mat picture = DrawnPicture(500, 400, 8);
  const FeatureSet from = Extract(picture);
  for (const auto& [degrees, scale] : {std::pair{30.0, 1.0}, {90.0, 0.8}, {200.0, 0.6}}) {
    const cv::Mat turn = cv::getRotationMatrix2D({249.5, 199.5}, degrees, scale);
    cv::Mat turned;
    cv::warpAffine(picture, turned, turn, picture.size(), cv::INTER_AREA, cv::BORDER_REFLECT);
    const double repeated =
        Repeatability(from, Extract(turned, {.max_features = 3000}), [&](const Keypoint& p) {
          const auto at = [&](int row) {
            return turn.at<double>(row, 0) * p.x + turn.at<double>(row, 1) * p.y +
                   turn.at<double>(row, 2);
          };
          return Point{at(0), at(1)};
        });
    EXPECT_GT(repeated, 0.5) << degrees << ' ' << scale;
  }
}

TEST(ExtractorTest, KeypointsOfAReducedPictureLieInTheFullOne) {
  cv::Mat picture(240, 320, CV_8UC1);
  cv::RNG random(3);
  random.fill(picture, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(picture, picture, {}, 2);
  const image::GreyImage plain = Grey(picture);
  image::GreyImage reduced = plain;
  reduced.full_width = 4 * 320 - 1;  // As a JPEG decoded at a quarter of its size, rounded up.
  reduced.full_height = 4 * 240;
  const auto small = Extractor()->Extract(plain);
  const auto full = Extractor({.max_side = 1280})->Extract(reduced);
  ASSERT_TRUE(small.ok() && full.ok());
  EXPECT_EQ(full->width, 1279);
  EXPECT_EQ(full->height, 960);
  ASSERT_GT(small->size(), 50u);
  ASSERT_EQ(full->size(), small->size());
  EXPECT_EQ(full->descriptors, small->descriptors);
  for (std::size_t i = 0; i < small->size(); ++i) {
    EXPECT_NEAR(full->keypoints[i].x, (small->keypoints[i].x + 0.5) * 1279 / 320 - 0.5, 1e-2);
    EXPECT_NEAR(full->keypoints[i].y, small->keypoints[i].y * 4 + 1.5, 1e-2);
  }
}

TEST(ExtractorTest, ABlankPictureHasNoFeaturesAndNoError) {
  for (const int grey : {0, 128, 255}) {
    const FeatureSet features = Extract(cv::Mat(200, 300, CV_8UC1, cv::Scalar(grey)));
    EXPECT_EQ(features.width, 300);
    EXPECT_EQ(features.height, 200);
    EXPECT_THAT(features.keypoints, IsEmpty());
    EXPECT_THAT(features.descriptors, IsEmpty());
  }
}

TEST(ExtractorTest, TinyAndElongatedPicturesAreNoError) {
  for (const auto& [width, height] : {std::pair{0, 0},
                                      {1, 1},
                                      {1, 50},
                                      {50, 1},
                                      {2, 2},
                                      {7, 7},
                                      {8, 8},
                                      {9, 200},
                                      {20'000, 3},
                                      {3, 20'000},
                                      {20'000, 1},
                                      {3000, 30}}) {
    cv::Mat noise(height, width, CV_8UC1);
    cv::RNG random(9);
    if (!noise.empty()) random.fill(noise, cv::RNG::UNIFORM, 0, 256);
    const auto features = Extractor()->Extract(Grey(noise));
    ASSERT_TRUE(features.ok()) << width << " x " << height << ' ' << features.status().message();
    EXPECT_EQ(features.value().width, width);
    if (std::min(width, height) < 8) {
      EXPECT_THAT(features.value().keypoints, IsEmpty());
    }
  }
}

TEST(MakeExtractorTest, KeepsItsSettings) {
  const ExtractorSettings settings{.max_features = 12, .max_side = 99, .contrast_threshold = 0.02};
  EXPECT_EQ(Extractor(settings)->settings(), settings);
}

TEST(MakeExtractorTest, RefusesSettingsOutOfRangeAndNamesThem) {
  const auto refused = [](const ExtractorSettings& settings) {
    const auto extractor = MakeExtractor(settings);
    EXPECT_EQ(extractor.status().code(), StatusCode::kInvalidArgument);
    return extractor.status().message();
  };
  EXPECT_THAT(refused({.extractor = "orb"}), AllOf(HasSubstr("'orb'"), HasSubstr("sift-root")));
  for (const int features : {0, -1, 100'001}) {
    EXPECT_THAT(refused({.max_features = features}), HasSubstr("features per image"));
  }
  for (const int side : {0, 31, 16'385}) {
    EXPECT_THAT(refused({.max_side = side}), HasSubstr("longer side"));
  }
  for (const double threshold : {-0.01, 1.5, std::nan("")}) {
    EXPECT_THAT(refused({.contrast_threshold = threshold}), HasSubstr("contrast threshold"));
  }
}

}  // namespace
}  // namespace siftsearch::features
