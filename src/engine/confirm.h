#pragma once

#include <array>
#include <optional>
#include <span>

#include "engine/impl.h"
#include "features/pdq.h"
#include "image/decode.h"
#include "verify/pixels.h"

namespace siftsearch::engine {

/// What a query looks like: its preview, and the PDQ of that in all turns. Of none, without pixels.
struct QueryLook {
  image::GreyImage preview;
  std::array<Pdq, features::kTurns> turns{};

  static QueryLook Of(std::span<const std::uint8_t> preview);
};

/// Looks closer at a content that the voting points agree with: finds more of the points and a
/// finer transform, and compares pixels (both from what is stored). Rewrites the match: transform,
/// regions, inliers, evidence and score. `look` is the query's own; without pixels, or where the
/// content was removed meanwhile, the geometry alone decides; of places of a picture in `itself`,
/// of which little repeats, the geometry and the pixels of what does. Safe from several threads.
Status Confirm(const FeaturesOfContent& features_of, const QueryForm& form, const QueryLook& look,
               bool itself, bool keep_points, VerifiedContent& verified);

/// `Evidence::rarity` without `copies` of the others and without the fraction `shares` of those
/// left (by query point; either may be empty).
double MeanRarity(const VerifiedContent& verified, std::span<const int> copies,
                  std::span<const double> shares);

/// Sets the score, and what follows from it, from the evidence.
void Score(bool itself, VerifiedContent& verified);

/// The transform from the picture, given that from its form.
Transform FromPicture(const Transform& image_from_form, int width, features::Form form);

/// Fills in the regions, overlaps and relation of a match from its transform; `pixels` (its
/// rectangle in the image's own pixels) cuts away what the transform covers and the pixels deny.
/// Of the feature sets the sizes and numbers of pages are read.
void DescribeRegion(const FeatureSet& query, const FeatureSet& image,
                    const std::optional<verify::PixelAgreement>& pixels, Match& match);

}  // namespace siftsearch::engine
