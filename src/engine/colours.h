#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "image/decode.h"
#include "siftsearch/engine.h"

namespace siftsearch::engine {

/// A picture's colours, small.
struct PictureColours {
  int width = 0;  ///< Of the picture; 0: it could not be read.
  int height = 0;
  image::RgbImage small;
};

/// Of a decoded picture.
PictureColours ColoursOf(const image::RgbImage& picture);

/// How the colours of a match's query differ from those of its image (of the image from those of
/// the query, if `turned`) where they share content: ", in grey", ", coloured", ", in one tint" (as
/// sepia), ", other colours" (another hue, channels exchanged), or "" where they are the same,
/// paler, stronger or warmer, and where one of them is not known.
std::string ColourWords(const PictureColours& query, const PictureColours& image,
                        const Match& match, bool turned);

/// Adds the words on colour to the relations of copies, from the files at the paths of the
/// pictures. A file that can't be read or has changed since it was stored is passed over in
/// silence. Keeps the colours of a thousand pictures (12 kB each). Used from one thread.
class ColourBook {
 public:
  explicit ColourBook(const InputLimits& limits) : limits_(limits) {}

  /// Takes the colours of a picture that is no file from its bytes.
  void Put(const std::string& name, std::span<const std::uint8_t> bytes);
  void Tell(const ImageRecord& query, Match& match);

 private:
  const PictureColours& Of(const ImageRecord& image);

  const InputLimits limits_;
  std::map<std::string, PictureColours> known_;
};

}  // namespace siftsearch::engine
