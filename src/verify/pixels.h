#pragma once

#include <cstdint>
#include <span>

#include "siftsearch/types.h"

namespace siftsearch::verify {

/// Grey pixels, rows without padding; borrowed.
struct GreyView {
  int width = 0;
  int height = 0;
  std::span<const std::uint8_t> pixels;
};

/// How the pixels of two aligned pictures compare.
struct PixelAgreement {
  double correlation = 0;  ///< −1 to 1; see CompareAligned.
  int windows = 0;         ///< Textured windows compared; too few say nothing: 0, and 0 above.
};

/// Compares two pictures where `image_from_query` (in their pixels) lays one over the other: the
/// mean of the normalised cross-correlation in windows of 7 × 7, weighted by how much texture the
/// richer of the two has in the window; from −1 to 1. Flat windows say nothing and are passed over.
/// Both pictures are sampled at the coarser one's resolution. Pure.
PixelAgreement CompareAligned(const GreyView& query, const GreyView& image,
                              const Transform& image_from_query);

}  // namespace siftsearch::verify
