#include "draw/match_picture.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "draw/match_svg.h"

namespace siftsearch::draw {
namespace {

constexpr int kSubpixelBits = 4;
const cv::Scalar kBackground(32, 32, 32);
const cv::Scalar kOutline(255, 80, 40);
const cv::Scalar kLine(60, 220, 120);

/// A picture in the drawing: where its top left corner lies and how much it is scaled.
struct Panel {
  cv::Mat pixels;
  double scale = 1;
  int left = 0;

  /// Fixed-point canvas position of a point in picture pixels.
  cv::Point At(const Point& point) const {
    const double unit = 1 << kSubpixelBits;
    return {static_cast<int>(std::lround(((point.x + 0.5) * scale - 0.5 + left) * unit)),
            static_cast<int>(std::lround(((point.y + 0.5) * scale - 0.5) * unit))};
  }
};

Panel MakePanel(const image::RgbImage& picture, int side, int left) {
  // OpenCV takes no const data; nothing is written through this header.
  const cv::Mat whole(picture.height, picture.width, CV_8UC3,
                      const_cast<std::uint8_t*>(picture.pixels.data()));
  Panel panel;
  panel.left = left;
  panel.scale = static_cast<double>(side) / std::max(picture.width, picture.height);
  const cv::Size size(std::max(1, static_cast<int>(std::lround(picture.width * panel.scale))),
                      std::max(1, static_cast<int>(std::lround(picture.height * panel.scale))));
  cv::resize(whole, panel.pixels, size, 0, 0, panel.scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return panel;
}

void DrawOutline(cv::Mat& canvas, const Panel& panel, const std::vector<Point>& polygon) {
  std::vector<cv::Point> corners;
  for (const Point& point : polygon) corners.push_back(panel.At(point));
  if (corners.empty()) return;
  cv::polylines(canvas, corners, true, kOutline, 2, cv::LINE_AA, kSubpixelBits);
}

void DrawLines(cv::Mat& canvas, const Panel& query, const Panel& image, const Match& match,
               int max_lines) {
  const std::size_t count = match.inlier_points.size();
  const std::size_t lines = std::min<std::size_t>(count, std::max(0, max_lines));
  for (std::size_t i = 0; i < lines; ++i) {
    const auto& [from, to] = match.inlier_points[i * count / lines];
    cv::line(canvas, query.At(from), image.At(to), kLine, 1, cv::LINE_AA, kSubpixelBits);
    for (const cv::Point& end : {query.At(from), image.At(to)}) {
      cv::circle(canvas, end, 3 << kSubpixelBits, kLine, 1, cv::LINE_AA, kSubpixelBits);
    }
  }
}

/// OpenCV's letters are those of ASCII.
void DrawCaption(cv::Mat& canvas, std::string text) {
  for (std::size_t at = text.find("°"); at != std::string::npos; at = text.find("°")) {
    text.replace(at, std::string("°").size(), " deg");
  }
  const double scale = 0.5;
  const int width = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, scale, 1, nullptr).width;
  const double fitting = std::min(scale, scale * (canvas.cols - 2 * kGap) / std::max(1, width));
  cv::putText(canvas, text, {kGap, canvas.rows - 9}, cv::FONT_HERSHEY_SIMPLEX, fitting,
              cv::Scalar::all(255), 1, cv::LINE_AA);
}

image::RgbImage Draw(const image::RgbImage& query, const image::RgbImage& image, const Match& match,
                     const DrawOptions& options) {
  const Panel left = MakePanel(query, options.panel_side, 0);
  const Panel right = MakePanel(image, options.panel_side, left.pixels.cols + kGap);
  image::RgbImage drawing;
  drawing.width = right.left + right.pixels.cols;
  drawing.height = std::max(left.pixels.rows, right.pixels.rows) + kCaptionHeight;
  drawing.pixels.resize(std::size_t{3} * drawing.width * drawing.height);
  cv::Mat canvas(drawing.height, drawing.width, CV_8UC3, drawing.pixels.data());
  canvas.setTo(kBackground);
  for (const Panel* panel : {&left, &right}) {
    panel->pixels.copyTo(canvas(cv::Rect(panel->left, 0, panel->pixels.cols, panel->pixels.rows)));
  }
  DrawLines(canvas, left, right, match, options.max_lines);
  DrawOutline(canvas, left, match.query_polygon);
  DrawOutline(canvas, right, match.image_polygon);
  DrawCaption(canvas, CaptionOf(match));
  return drawing;
}

}  // namespace

Result<image::RgbImage> DrawMatch(const image::RgbImage& query, const image::RgbImage& image,
                                  const Match& match, const DrawOptions& options) {
  try {
    return Draw(query, image, match, options);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "not enough memory to draw the match");
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) {
      return Status(StatusCode::kOutOfMemory, "not enough memory to draw the match");
    }
    return Status(StatusCode::kInternal, "the match can't be drawn: " + error.err);
  }
}

}  // namespace siftsearch::draw
