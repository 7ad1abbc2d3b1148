#include "engine/colours.h"

#include <algorithm>
#include <cmath>

#include "draw/thumbnail.h"
#include "engine/picture_file.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

constexpr int kSmallSide = 64;
/// A file is decoded no larger than it must be for that.
constexpr int kDecodedSide = 2 * kSmallSide;
constexpr std::size_t kMostKnown = 1000;
/// Shared pixels of the small pictures from which they tell something.
constexpr double kEnough = 40;
/// Mean distance from grey, in steps of Cb and Cr, up to which a picture has no colour, and from
/// which it has.
constexpr double kColourless = 2.5;
constexpr double kColoured = 5;
/// Share of the colour that differs between places: below the first in one tint, above the second
/// in several.
constexpr double kOneTint = 0.15;
constexpr double kManyTints = 0.3;
/// Correlation of the colours of one picture with those of the other, place by place, below which
/// they are others.
constexpr double kSameColours = 0.7;

struct Chroma {
  double blue = 0;
  double red = 0;
};

Chroma ChromaAt(const image::RgbImage& picture, int x, int y) {
  const auto* p = &picture.pixels[3 * (static_cast<std::size_t>(y) * picture.width + x)];
  return {-0.169 * p[0] - 0.331 * p[1] + 0.5 * p[2], 0.5 * p[0] - 0.419 * p[1] - 0.081 * p[2]};
}

/// Sums over the places that two pictures share.
struct ChromaSums {
  double count = 0;
  double cross = 0;
  double energy[2] = {0, 0};
  Chroma sum[2];

  void Add(const Chroma& ours, const Chroma& theirs) {
    ++count;
    cross += ours.blue * theirs.blue + ours.red * theirs.red;
    const Chroma both[2] = {ours, theirs};
    for (int i = 0; i < 2; ++i) {
      energy[i] += both[i].blue * both[i].blue + both[i].red * both[i].red;
      sum[i].blue += both[i].blue;
      sum[i].red += both[i].red;
    }
  }

  double Strength(int i) const { return std::sqrt(energy[i] / count); }
  /// Share of the colour that is not that of the mean.
  double Variety(int i) const {
    const double mean = (sum[i].blue * sum[i].blue + sum[i].red * sum[i].red) / count;
    return 1 - mean / energy[i];
  }
};

ChromaSums SumsOf(const PictureColours& query, const PictureColours& image, const Match& match) {
  ChromaSums sums;
  const Box& box = match.query_box;
  for (int y = 0; y < query.small.height; ++y) {
    for (int x = 0; x < query.small.width; ++x) {
      const Point p{(x + 0.5) * query.width / query.small.width - 0.5,
                    (y + 0.5) * query.height / query.small.height - 0.5};
      if (p.x < box.x || p.x > box.x + box.width || p.y < box.y || p.y > box.y + box.height) {
        continue;
      }
      const Point there = verify::Apply(match.image_from_query, p);
      const double tx = std::floor((there.x + 0.5) * image.small.width / image.width);
      const double ty = std::floor((there.y + 0.5) * image.small.height / image.height);
      if (!(tx >= 0 && tx < image.small.width && ty >= 0 && ty < image.small.height)) continue;
      sums.Add(ChromaAt(query.small, x, y),
               ChromaAt(image.small, static_cast<int>(tx), static_cast<int>(ty)));
    }
  }
  return sums;
}

}  // namespace

PictureColours ColoursOf(const image::RgbImage& picture) {
  auto small = draw::Thumbnail(picture, kSmallSide);
  if (!small.ok()) return {};
  const bool reduced = picture.full_width > 0;
  return {reduced ? picture.full_width : picture.width,
          reduced ? picture.full_height : picture.height, std::move(small).value()};
}

std::string ColourWords(const PictureColours& query, const PictureColours& image,
                        const Match& match, bool turned) {
  if (query.width == 0 || image.width == 0) return "";
  const ChromaSums sums = SumsOf(query, image, match);
  if (sums.count < kEnough) return "";
  const int copy = turned ? 1 : 0, original = 1 - copy;
  const double ours = sums.Strength(copy), theirs = sums.Strength(original);
  if (ours < kColourless && theirs >= kColoured) return ", in grey";
  if (theirs < kColourless && ours >= kColoured) return ", coloured";
  if (ours < kColoured || theirs < kColoured) return "";
  if (sums.Variety(copy) < kOneTint && sums.Variety(original) > kManyTints) return ", in one tint";
  const double sign = match.inverted ? -1 : 1;
  const double alike = sign * sums.cross / std::sqrt(sums.energy[0] * sums.energy[1]);
  return alike < kSameColours ? ", other colours" : "";
}

void ColourBook::Put(const std::string& name, std::span<const std::uint8_t> bytes) {
  const auto picture =
      image::DecodeRgb(bytes, {limits_.max_pixels, limits_.max_file_bytes}, kDecodedSide);
  known_[name] = picture.ok() ? ColoursOf(*picture) : PictureColours();
}

const PictureColours& ColourBook::Of(const ImageRecord& image) {
  const auto found = known_.find(image.path);
  if (found != known_.end()) return found->second;
  if (known_.size() >= kMostKnown) known_.clear();
  PictureColours& colours = known_[image.path];
  const auto file = ReadPictureFile(image.path, limits_);
  if (!file.ok() || (image.id > 0 && !HasStamp(image, file->stamp))) return colours;
  Put(image.path, file->bytes);
  return colours;
}

void ColourBook::Tell(const ImageRecord& query, Match& match) {
  const bool located = !match.query_polygon.empty();
  const bool equal = query.hash != ContentHash{} && query.hash == match.image.hash;
  if (!match.copy || !located || equal) return;
  const PictureColours ours = Of(query);
  match.relation += ColourWords(ours, Of(match.image), match, false);
}

}  // namespace siftsearch::engine
