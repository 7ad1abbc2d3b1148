#pragma once

#include <memory>

#include "image/decode.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch::features {

/// A contrast threshold that lets faint structure in, and of a compressed picture's noise little.
constexpr double kLowContrast = 0.01;

/// Turns pixels into features. One object serves many threads at once. Deterministic: the same
/// pixels give the same bytes, on how many threads soever and whatever else runs.
class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;

  /// Features of a picture, keypoints in its own full-size pixels, strongest (DoG
  /// response × area of the region) first. A picture without any keypoint gives an empty set and no
  /// error. Where there are many pictures, one a thread is faster. Errors: kOutOfMemory, kInternal.
  virtual Result<FeatureSet> Extract(const image::GreyImage& image, int threads = 1) const = 0;

  virtual const ExtractorSettings& settings() const = 0;
};

/// OpenCV SIFT on the picture scaled (area averaging) so that its longer side is at most
/// `max_side`, or enlarged where it is small; with kLowContrast where its contrast threshold leaves
/// few keypoints; descriptors as RootSIFT bytes: round(512 · sqrt(v / Σv)), at most 255
/// (Arandjelović, Zisserman, "Three things everyone should know to improve object retrieval", CVPR
/// 2012). Replaces OpenCV's own threads in the whole process (OpenCvThreads).
/// kInvalidArgument for settings out of range or an unknown extractor.
Result<std::unique_ptr<FeatureExtractor>> MakeExtractor(const ExtractorSettings& settings);

}  // namespace siftsearch::features
