#include <libexif/exif-data.h>
#include <libexif/exif-utils.h>

#include <algorithm>
#include <memory>

#include "image/raster.h"

namespace siftsearch::image {

int ExifOrientation(std::span<const std::uint8_t> exif) {
  static constexpr std::uint8_t kPrefix[] = {'E', 'x', 'i', 'f', 0, 0};
  // libexif wants the prefix of JPEG's APP1, and what counts here stands near the beginning.
  constexpr std::size_t kMaxBytes = 65'000;
  std::vector<std::uint8_t> block(std::begin(kPrefix), std::end(kPrefix));
  if (exif.size() >= block.size() && std::equal(block.begin(), block.end(), exif.begin())) {
    exif = exif.subspan(block.size());
  }
  exif = exif.first(std::min(exif.size(), kMaxBytes));
  block.insert(block.end(), exif.begin(), exif.end());

  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> data(
      exif_data_new_from_data(block.data(), static_cast<unsigned>(block.size())), exif_data_unref);
  if (data == nullptr) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace siftsearch::image
