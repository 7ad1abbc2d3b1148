#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace siftsearch {

/// Length of a descriptor in bytes (SIFT: 4 × 4 cells × 8 orientations).
inline constexpr int kDescriptorBytes = 128;

/// Names one picture in a database: one content at one path, or where its file was moved to.
/// Positive, never used again after the image is removed or its file changed.
using ImageId = std::int64_t;

/// SHA-256 of a file's bytes.
using ContentHash = std::array<std::uint8_t, 32>;

/// A SIFT keypoint in pixels of the decoded, upright image at full size; the first pixel's centre
/// is (0, 0), x to the right, y down.
struct Keypoint {
  float x = 0;
  float y = 0;
  float scale = 0;  ///< Diameter of the described region in pixels.
  float angle = 0;  ///< Orientation in degrees, [0, 360), clockwise as seen (y points down).
};

/// The features of one image: descriptors row by row (`keypoints.size()` × kDescriptorBytes
/// bytes) and the keypoint of each row.
struct FeatureSet {
  int width = 0;  ///< Of the decoded, upright image, in pixels.
  int height = 0;
  std::vector<Keypoint> keypoints;
  std::vector<std::uint8_t> descriptors;
  std::vector<std::uint8_t> preview =
      {};                   ///< JPEG: the picture small and grey, to compare pixels with.
  int pages = 1;            ///< Pages or frames of the file; the features are those of one.
  std::string remark = {};  ///< What was odd about the file (AddOutcome::reason); not stored.

  std::size_t size() const { return keypoints.size(); }
};

/// How images become features. Belongs to a database: fixed when it is made, checked on every use.
struct ExtractorSettings {
  std::string extractor = "sift-root";
  int max_features = 1000;           ///< Strongest keypoints kept per image, 1 to 100,000.
  int max_side = 640;                ///< Longer side in pixels above which images are scaled down.
  double contrast_threshold = 0.04;  ///< OpenCV's SIFT contrastThreshold.

  bool operator==(const ExtractorSettings&) const = default;
};

/// 3 × 3 matrix, row-major, acting on (x, y, 1) column vectors.
using Transform = std::array<double, 9>;

struct Point {
  double x = 0;
  double y = 0;
};

struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

}  // namespace siftsearch
