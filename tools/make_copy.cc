// Makes a modified copy of a picture: cropped, rotated, scaled down, encoded again.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "image/decode.h"
#include "siftsearch/status.h"

namespace siftsearch {
namespace {

namespace po = boost::program_options;

struct CopyOptions {
  std::string input;
  std::string output;
  double crop_percent = 100;  ///< Of the width and of the height, around the centre.
  double rotate_degrees = 0;  ///< Clockwise; the picture grows so that nothing is cut off.
  int side = 0;               ///< Longer side in pixels; 0 keeps the size.
  int quality = 90;
};

cv::Mat Crop(const cv::Mat& picture, double percent) {
  const int width = std::max(1, static_cast<int>(picture.cols * percent / 100));
  const int height = std::max(1, static_cast<int>(picture.rows * percent / 100));
  return picture(cv::Rect((picture.cols - width) / 2, (picture.rows - height) / 2, width, height));
}

cv::Mat Rotate(const cv::Mat& picture, double degrees) {
  const cv::Point2f centre((picture.cols - 1) / 2.0f, (picture.rows - 1) / 2.0f);
  cv::Mat turn = cv::getRotationMatrix2D(centre, -degrees, 1);
  const double cosine = std::abs(turn.at<double>(0, 0));
  const double sine = std::abs(turn.at<double>(0, 1));
  const cv::Size size(static_cast<int>(std::ceil(picture.cols * cosine + picture.rows * sine)),
                      static_cast<int>(std::ceil(picture.cols * sine + picture.rows * cosine)));
  turn.at<double>(0, 2) += (size.width - picture.cols) / 2.0;
  turn.at<double>(1, 2) += (size.height - picture.rows) / 2.0;
  cv::Mat turned;
  cv::warpAffine(picture, turned, turn, size, cv::INTER_LINEAR, cv::BORDER_CONSTANT,
                 cv::Scalar::all(255));
  return turned;
}

cv::Mat ScaleDown(const cv::Mat& picture, int side) {
  const double factor = static_cast<double>(side) / std::max(picture.cols, picture.rows);
  if (factor >= 1) return picture;
  cv::Mat scaled;
  cv::resize(picture, scaled, cv::Size(), factor, factor, cv::INTER_AREA);
  return scaled;
}

Result<image::RgbImage> Modify(image::RgbImage image, const CopyOptions& options) {
  try {
    cv::Mat picture(image.height, image.width, CV_8UC3, image.pixels.data());
    picture = Crop(picture, options.crop_percent);
    if (options.rotate_degrees != 0) picture = Rotate(picture, options.rotate_degrees);
    if (options.side > 0) picture = ScaleDown(picture, options.side);
    picture = picture.clone();  // Rows without padding.
    return image::RgbImage{picture.cols, picture.rows,
                           std::vector<std::uint8_t>(picture.datastart, picture.dataend)};
  } catch (const cv::Exception& error) {
    return Status(StatusCode::kInternal, error.what());
  }
}

Result<std::vector<std::uint8_t>> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) return Status(StatusCode::kIoError, "the file can't be read");
  return bytes;
}

Status Write(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return Status(StatusCode::kIoError, "the file can't be written");
  return Status();
}

int Fail(const std::string& path, const Status& status) {
  std::cerr << "make_copy: " << path << ": " << status.message() << '\n';
  return 1;
}

int MakeCopy(const CopyOptions& options) {
  const auto bytes = Read(options.input);
  if (!bytes.ok()) return Fail(options.input, bytes.status());
  auto image = image::DecodeRgb(*bytes, image::DecodeLimits());
  if (!image.ok()) return Fail(options.input, image.status());
  const auto copy = Modify(std::move(image).value(), options);
  if (!copy.ok()) return Fail(options.input, copy.status());
  const std::string format = options.output.ends_with(".png") ? "png" : "jpeg";
  const auto encoded = image::Encode(*copy, format, options.quality);
  if (!encoded.ok()) return Fail(options.output, encoded.status());
  const Status written = Write(options.output, *encoded);
  return written.ok() ? 0 : Fail(options.output, written);
}

int Main(int argc, char** argv) {
  CopyOptions copy;
  po::options_description named("make_copy [OPTIONS] INPUT OUTPUT");
  named.add_options()("crop", po::value(&copy.crop_percent), "keep this percentage of each side")(
      "rotate", po::value(&copy.rotate_degrees), "turn clockwise by degrees")(
      "side", po::value(&copy.side), "scale down to this longer side, pixels")(
      "quality", po::value(&copy.quality), "JPEG quality, 1 to 100")("help", "say this");
  po::options_description all;
  all.add(named).add_options()("input", po::value(&copy.input)->required())(
      "output", po::value(&copy.output)->required());
  po::positional_options_description places;
  places.add("input", 1).add("output", 1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(places).run(), values);
    if (values.count("help") != 0) {
      std::cout << named;
      return 0;
    }
    po::notify(values);
  } catch (const po::error& error) {
    std::cerr << "make_copy: " << error.what() << '\n' << named;
    return 2;
  }
  if (!(copy.crop_percent > 0 && copy.crop_percent <= 100) || copy.side < 0) {
    std::cerr << "make_copy: --crop takes more than 0 to 100 percent, --side 0 or more pixels\n";
    return 2;
  }
  return MakeCopy(copy);
}

}  // namespace
}  // namespace siftsearch

int main(int argc, char** argv) { return siftsearch::Main(argc, argv); }
