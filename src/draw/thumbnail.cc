#include "draw/thumbnail.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace siftsearch::draw {

Result<image::RgbImage> Thumbnail(const image::RgbImage& picture, int side) {
  const int longer = std::max(picture.width, picture.height);
  if (longer <= side) return picture;
  const auto reduced = [&](int length) {
    return std::max(1, static_cast<int>(std::lround(1.0 * length * side / longer)));
  };
  try {
    image::RgbImage small{reduced(picture.width), reduced(picture.height), {}};
    small.pixels.resize(std::size_t{3} * small.width * small.height);
    // OpenCV takes no const data; nothing is written through this header.
    const cv::Mat whole(picture.height, picture.width, CV_8UC3,
                        const_cast<std::uint8_t*>(picture.pixels.data()));
    cv::Mat target(small.height, small.width, CV_8UC3, small.pixels.data());
    cv::resize(whole, target, target.size(), 0, 0, cv::INTER_AREA);
    return small;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "not enough memory for a thumbnail");
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) {
      return Status(StatusCode::kOutOfMemory, "not enough memory for a thumbnail");
    }
    return Status(StatusCode::kInternal, "no thumbnail can be made: " + error.err);
  }
}

}  // namespace siftsearch::draw
