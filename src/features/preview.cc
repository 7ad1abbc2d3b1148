#include "features/preview.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace siftsearch::features {

Result<std::vector<std::uint8_t>> MakePreview(const image::GreyImage& picture, int quality) {
  if (picture.width < 1 || picture.height < 1) return std::vector<std::uint8_t>();
  try {
    // OpenCV takes no const data; nothing is written through this header.
    cv::Mat grey(picture.height, picture.width, CV_8UC1,
                 const_cast<std::uint8_t*>(picture.pixels.data()));
    const double scale =
        static_cast<double>(kPreviewSide) / std::max(picture.width, picture.height);
    cv::Mat small = grey;
    if (scale < 1) {
      const cv::Size size(std::max(1, static_cast<int>(std::lround(picture.width * scale))),
                          std::max(1, static_cast<int>(std::lround(picture.height * scale))));
      cv::resize(grey, small, size, 0, 0, cv::INTER_AREA);
    }
    cv::Mat rgb;
    cv::cvtColor(small, rgb, cv::COLOR_GRAY2RGB);
    return image::Encode({rgb.cols, rgb.rows, {rgb.datastart, rgb.dataend}}, "jpeg", quality);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "not enough memory for a preview");
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) {
      return Status(StatusCode::kOutOfMemory, "not enough memory for a preview");
    }
    return Status(StatusCode::kInternal, "a preview can't be made: " + error.err);
  }
}

}  // namespace siftsearch::features
