#pragma once

#include <opencv2/core.hpp>
#include <random>
#include <vector>

#include "bench_data.h"
#include "siftsearch/types.h"

namespace siftsearch::bench {

using Random = std::mt19937_64;

/// Appends a descriptor as a copy has it: some 60 to 130 (L2) from `descriptor`.
void AppendCopied(Random& random, const std::uint8_t* descriptor, Bytes& descriptors);

/// The same features with descriptors as a copy has them.
FeatureSet Copied(FeatureSet features, std::uint64_t seed);

/// Features of pictures that do not exist, made of those of real ones. An image is a function of
/// the seed and its number, so that a copy can be made without keeping its original.
///
/// A descriptor passes over from one real descriptor to one of another picture, along a side of
/// its 4 × 4 cells, has noise added and is brought back to the length of a RootSIFT descriptor.
/// Keypoints lie anywhere. The preview is a blend of pieces of two real ones.
class MadeImages {
 public:
  struct Options {
    int descriptors = 750;
    std::uint64_t seed = 1;
  };

  MadeImages(std::vector<RealPicture> pictures, const Options& options);

  FeatureSet Original(std::int64_t number) const;

  /// A copy of `original`: turned, scaled and cropped. Descriptors lie some 60 to 130 (L2) from the
  /// original's; one in five is not found again, and others take its place.
  FeatureSet Copy(std::int64_t original, std::int64_t number) const;

  /// Rows of the real pictures, and the picture of each.
  const Bytes& rows() const { return rows_; }
  const std::vector<std::uint32_t>& picture_of_row() const { return picture_of_row_; }

 private:
  void AppendNew(Random& random, FeatureSet& features) const;
  void AppendDescriptor(Random& random, Bytes& descriptors) const;
  cv::Mat Picture(Random& random) const;

  const Options options_;
  Bytes rows_;
  std::vector<std::uint32_t> picture_of_row_;
  std::vector<cv::Mat> previews_;  ///< Grey.
};

}  // namespace siftsearch::bench
