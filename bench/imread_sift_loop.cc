// The plain loop that `siftsearch add` is measured against: imread and OpenCV's SIFT, one image
// after another on one thread, results dropped.
//   imread_sift_loop FOLDER        prints a line of JSON
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/features2d.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

namespace {

constexpr int kMaxSide = 640;
constexpr int kMaxFeatures = 1000;

std::size_t DescriptorsOf(const std::string& path, cv::SIFT& sift) {
  cv::Mat picture = cv::imread(path, cv::IMREAD_GRAYSCALE);
  if (picture.empty()) return 0;
  const double scale = double(kMaxSide) / std::max(picture.cols, picture.rows);
  if (scale < 1) cv::resize(picture, picture, {}, scale, scale, cv::INTER_AREA);
  std::vector<cv::KeyPoint> keypoints;
  cv::Mat descriptors;
  sift.detectAndCompute(picture, cv::noArray(), keypoints, descriptors);
  return keypoints.size();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: imread_sift_loop FOLDER\n");
    return 2;
  }
  cv::setNumThreads(1);
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1])) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  const auto sift = cv::SIFT::create(kMaxFeatures);
  const auto start = std::chrono::steady_clock::now();
  std::size_t descriptors = 0;
  for (const std::string& path : paths) descriptors += DescriptorsOf(path, *sift);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"images\": %zu, \"descriptors\": %zu, \"seconds\": %.3f, \"peak_mb\": %.1f}\n",
              paths.size(), descriptors, seconds, usage.ru_maxrss / 1024.0);
}
