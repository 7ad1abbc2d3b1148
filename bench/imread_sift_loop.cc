// The plain loop that `siftsearch add` is measured against: imread and OpenCV's SIFT, one image
// after another on one thread, results dropped.
//   imread_sift_loop FOLDER|FILE...        prints a line of JSON
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

/// Files, and those below folders in the order of their paths.
std::vector<std::string> FilesOf(const std::vector<std::string>& arguments) {
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      paths.push_back(argument);
      continue;
    }
    const std::size_t first = paths.size();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
    std::sort(paths.begin() + static_cast<std::ptrdiff_t>(first), paths.end());
  }
  return paths;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: imread_sift_loop FOLDER|FILE...\n");
    return 2;
  }
  cv::setNumThreads(1);
  const std::vector<std::string> paths = FilesOf({argv + 1, argv + argc});
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
