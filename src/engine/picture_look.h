#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/colours.h"
#include "siftsearch/engine.h"

namespace siftsearch::engine {

/// What can be seen of a picture file, for a report that shows it.
struct PictureLook {
  bool gone = false;    ///< There is no file at the path any more.
  std::string problem;  ///< Why the file could not be read; then nothing below but a thumbnail.
  std::vector<std::uint8_t> thumbnail;  ///< JPEG; empty where there is none.
  int thumbnail_width = 0;
  int thumbnail_height = 0;
  std::optional<int> jpeg_quality;
  std::string taken;         ///< By EXIF: "2019-05-01 12:30:00"; empty where it doesn't say.
  std::uint64_t pixels = 0;  ///< Checksum of size and pixels.
  double brightness = 0;     ///< Mean of grey, 0 to 255,
  double contrast = 0;       ///< and its standard deviation.
  PictureColours colours;
};

/// Reads and decodes a file. Safe from several threads.
PictureLook LookAt(const std::string& path, const InputLimits& limits);

}  // namespace siftsearch::engine
