#include "draw/match_svg.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status_macros.h"
#include "draw/thumbnail.h"
#include "report/html_page.h"

namespace siftsearch::draw {
namespace {

constexpr int kQuality = 88;

/// One picture in the drawing.
struct Side {
  image::RgbImage pixels;
  double scale_x = 1;
  double scale_y = 1;
  int left = 0;

  std::string At(const Point& point) const {
    return fmt::format("{:.2f},{:.2f}", (point.x + 0.5) * scale_x + left,
                       (point.y + 0.5) * scale_y);
  }
};

Result<Side> MakeSide(const image::RgbImage& picture, int side, int left) {
  SIFTSEARCH_ASSIGN_OR_RETURN(image::RgbImage small, Thumbnail(picture, side));
  const double x = 1.0 * small.width / picture.width;
  const double y = 1.0 * small.height / picture.height;
  return Side{std::move(small), x, y, left};
}

Result<std::string> PictureElement(const Side& side) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto jpeg, image::Encode(side.pixels, "jpeg", kQuality));
  return fmt::format("<image x=\"{}\" y=\"0\" width=\"{}\" height=\"{}\" href=\"{}\"/>\n",
                     side.left, side.pixels.width, side.pixels.height, report::JpegUrl(jpeg));
}

std::string Outline(const Side& side, const std::vector<Point>& polygon) {
  std::string points;
  for (const Point& point : polygon) points += side.At(point) + " ";
  return "<polygon points=\"" + points +
         "\" fill=\"none\" stroke=\"#ff5028\" stroke-width=\"2\"/>\n";
}

std::string Lines(const Side& left, const Side& right, const Match& match, int most) {
  std::string path;
  const std::size_t count = match.inlier_points.size();
  const std::size_t lines = std::min<std::size_t>(count, std::max(0, most));
  for (std::size_t i = 0; i < lines; ++i) {
    const auto& [from, to] = match.inlier_points[i * count / lines];
    path += fmt::format("M{}L{}", left.At(from), right.At(to));
  }
  return "<path d=\"" + path + "\" stroke=\"#3cdc78\" stroke-width=\"0.8\" fill=\"none\"/>\n";
}

}  // namespace

std::string CaptionOf(const Match& match) {
  return fmt::format("{}; {}, score {:.4f}, {} points agree", match.relation,
                     match.copy ? "copy" : "no copy", match.score, match.inliers);
}

Result<std::string> DrawMatchSvg(const image::RgbImage& query, const image::RgbImage& image,
                                 const Match& match, const DrawOptions& options) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Side left, MakeSide(query, options.panel_side, 0));
  SIFTSEARCH_ASSIGN_OR_RETURN(const Side right,
                              MakeSide(image, options.panel_side, left.pixels.width + kGap));
  const int width = right.left + right.pixels.width;
  const int height = std::max(left.pixels.height, right.pixels.height) + kCaptionHeight;
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string first, PictureElement(left));
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string second, PictureElement(right));
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
             "viewBox=\"0 0 {0} {1}\">\n<rect width=\"{0}\" height=\"{1}\" "
             "fill=\"#202020\"/>\n",
             width, height) +
         first + second + Lines(left, right, match, options.max_lines) +
         Outline(left, match.query_polygon) + Outline(right, match.image_polygon) +
         fmt::format(
             "<text x=\"8\" y=\"{}\" fill=\"#fff\" font-family=\"sans-serif\" "
             "font-size=\"14\">{}</text>\n</svg>\n",
             height - 9, CaptionOf(match));
}

}  // namespace siftsearch::draw
