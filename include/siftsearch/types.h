#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

/// PDQ, a hash of a whole picture (Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ
/// image-hashing algorithm", 2019, section 4): the picture's 16 × 16 lowest frequencies but the
/// mean, each compared with the median of all. Copies of a whole picture, re-encoded, reduced, with
/// other tones, are mostly at most 31 bits apart; strangers some 128.
struct Pdq {
  std::array<std::uint8_t, 32> bits{};  ///< As in the text, the first digit highest.
  int quality = 0;  ///< 0 to 100: how much the picture varies. Below 50 the bits say little.

  bool operator==(const Pdq&) const = default;
};

/// Bits that differ, 0 to 256.
inline int PdqDistance(const Pdq& a, const Pdq& b) {
  int differing = 0;
  for (std::size_t i = 0; i < a.bits.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t of_a, of_b;
    std::memcpy(&of_a, a.bits.data() + i, sizeof of_a);
    std::memcpy(&of_b, b.bits.data() + i, sizeof of_b);
    differing += std::popcount(of_a ^ of_b);
  }
  return differing;
}

/// The features of one image: descriptors row by row (`keypoints.size()` × kDescriptorBytes
/// bytes) and the keypoint of each row.
struct FeatureSet {
  int width = 0;  ///< Of the decoded, upright image, in pixels.
  int height = 0;
  std::vector<Keypoint> keypoints;
  std::vector<std::uint8_t> descriptors;
  std::vector<std::uint8_t> preview =
      {};                   ///< JPEG: the picture small and grey, to compare pixels with.
  Pdq pdq = {};             ///< Of the whole picture; quality 0: not known.
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
