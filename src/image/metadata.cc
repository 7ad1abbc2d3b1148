#include "image/metadata.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace siftsearch::image {
namespace {

/// Sum of annex K.1's table of luminance scaled to a quality.
int TableSum(int quality) {
  static constexpr std::array<int, 64> kLuminance = {
      16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
      14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
      18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
      49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
  const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  int sum = 0;
  for (const int value : kLuminance) sum += std::clamp((value * scale + 50) / 100, 1, 255);
  return sum;
}

/// Sum of the first 8-bit quantisation table of a DQT segment; 0: it has none.
int FirstTableSum(std::span<const std::uint8_t> segment) {
  if (segment.size() < 65 || segment[0] != 0) return 0;
  int sum = 0;
  for (std::size_t i = 1; i <= 64; ++i) sum += segment[i];
  return sum;
}

}  // namespace

std::string ExifDate(std::span<const std::uint8_t> jpeg) {
  // libexif looks for the block in the file's head; its sizes are 32 bit.
  const auto head = jpeg.first(std::min<std::size_t>(jpeg.size(), 1 << 20));
  if (head.size() < 4 || head[0] != 0xff || head[1] != 0xd8) return "";
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> data(
      exif_data_new_from_data(head.data(), static_cast<unsigned>(head.size())), exif_data_unref);
  if (!data) return "";
  const ExifEntry* entry =
      exif_content_get_entry(data->ifd[EXIF_IFD_EXIF], EXIF_TAG_DATE_TIME_ORIGINAL);
  // "2019:05:01 12:30:00", with a NUL.
  if (entry == nullptr || entry->data == nullptr || entry->size < 19) return "";
  std::string date(reinterpret_cast<const char*>(entry->data), 19);
  const bool clean = date.find_first_not_of("0123456789: ") == std::string::npos;
  if (!clean || date[4] != ':' || date[7] != ':' || date.starts_with("0000")) return "";
  date[4] = date[7] = '-';
  return date;
}

std::optional<int> JpegQuality(std::span<const std::uint8_t> jpeg) {
  if (jpeg.size() < 4 || jpeg[0] != 0xff || jpeg[1] != 0xd8) return std::nullopt;
  std::size_t at = 2;
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xff && jpeg[at + 1] != 0xda) {
    const std::size_t length = std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];
    if (length < 2 || at + 2 + length > jpeg.size()) return std::nullopt;
    const int sum = jpeg[at + 1] == 0xdb ? FirstTableSum(jpeg.subspan(at + 4, length - 2)) : 0;
    if (sum > 0) {
      int best = 1;
      for (int quality = 2; quality <= 100; ++quality) {
        if (std::abs(TableSum(quality) - sum) < std::abs(TableSum(best) - sum)) best = quality;
      }
      return best;
    }
    at += 2 + length;
  }
  return std::nullopt;
}

}  // namespace siftsearch::image
