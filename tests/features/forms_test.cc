#include "features/forms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <random>

#include "features/extractor.h"

namespace siftsearch::features {
namespace {

cv::Mat Scene() {
  cv::Mat picture(300, 401, CV_8UC1, cv::Scalar(90));
  cv::RNG random(4);
  for (int i = 0; i < 250; ++i) {
    const cv::Point at(random.uniform(0, picture.cols), random.uniform(0, picture.rows));
    const cv::Size size(random.uniform(4, 30), random.uniform(4, 30));
    cv::ellipse(picture, at, size, random.uniform(0, 180), 0, 360,
                cv::Scalar(random.uniform(0, 256)), cv::FILLED, cv::LINE_AA);
  }
  cv::GaussianBlur(picture, picture, cv::Size(), 1);
  return picture;
}

FeatureSet FeaturesOf(const cv::Mat& picture) {
  const auto extractor = MakeExtractor({});
  const image::GreyImage grey{picture.cols, picture.rows, {picture.datastart, picture.dataend}};
  return extractor.value()->Extract(grey).value();
}

double Distance(const FeatureSet& a, std::size_t i, const FeatureSet& b, std::size_t j) {
  double sum = 0;
  for (int k = 0; k < kDescriptorBytes; ++k) {
    const double d =
        double(a.descriptors[i * kDescriptorBytes + k]) - b.descriptors[j * kDescriptorBytes + k];
    sum += d * d;
  }
  return std::sqrt(sum);
}

/// Share of the keypoints of `made` that `extracted` has, too, at the same place with the same
/// angle and nearly the same descriptor.
double ShareFound(const FeatureSet& made, const FeatureSet& extracted) {
  int found = 0;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const Keypoint& p = made.keypoints[i];
    for (std::size_t j = 0; j < extracted.size(); ++j) {
      const Keypoint& q = extracted.keypoints[j];
      const float turn = std::abs(std::remainder(p.angle - q.angle, 360.0f));
      if (std::hypot(p.x - q.x, p.y - q.y) < 1.5 && turn < 10 &&
          Distance(made, i, extracted, j) < 120) {
        ++found;
        break;
      }
    }
  }
  return found / static_cast<double>(made.size());
}

TEST(FormsTest, AreTheFeaturesOfThePictureInThatForm) {
  const cv::Mat picture = Scene();
  const FeatureSet features = FeaturesOf(picture);
  ASSERT_GT(features.size(), 200u);
  for (const Form form : AllForms()) {
    cv::Mat changed = picture.clone();
    if (form.mirrored) cv::flip(changed, changed, 1);
    if (form.inverted) changed = 255 - changed;
    const double found = ShareFound(InForm(features, form, 10'000), FeaturesOf(changed));
    EXPECT_GT(found, 0.9) << "mirrored " << form.mirrored << " inverted " << form.inverted;
  }
}

TEST(FormsTest, TwiceIsThePictureAgain) {
  const FeatureSet features = FeaturesOf(Scene());
  for (const Form form : AllForms()) {
    const FeatureSet twice = InForm(InForm(features, form, 10'000), form, 10'000);
    EXPECT_EQ(twice.descriptors, features.descriptors);
    for (std::size_t i = 0; i < features.size(); ++i) {
      EXPECT_NEAR(twice.keypoints[i].x, features.keypoints[i].x, 1e-3);
      EXPECT_NEAR(std::remainder(twice.keypoints[i].angle - features.keypoints[i].angle, 360.0), 0,
                  1e-3);
    }
  }
}

TEST(FormsTest, KeepTheStrongest) {
  const FeatureSet features = FeaturesOf(Scene());
  const FeatureSet few = InForm(features, {}, 20);
  EXPECT_EQ(few.size(), 20u);
  EXPECT_TRUE(
      std::equal(few.descriptors.begin(), few.descriptors.end(), features.descriptors.begin()));
}

TEST(FormsTest, PointsMirrorAroundTheMiddle) {
  EXPECT_EQ(InForm(Point{0, 7}, 100, {.mirrored = true}).x, 99);
  EXPECT_EQ(InForm(Point{0, 7}, 100, {.mirrored = true}).y, 7);
  EXPECT_EQ(InForm(Point{3, 7}, 100, {.inverted = true}).x, 3);
}

}  // namespace
}  // namespace siftsearch::features
