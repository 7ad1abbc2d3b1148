#pragma once

#include <span>
#include <vector>

#include "engine/impl.h"

namespace siftsearch::engine {

/// Bits in which the PDQ of two pictures may differ for them to be told (the distance that PDQ's
/// authors advise).
inline constexpr int kMostBitsApart = 31;

/// What to look for of a picture that has so few descriptors, and varies so much, that its look as
/// a whole says more: its PDQ in all turns. None of other pictures.
AlikeQuery LookOf(const FeatureSet& query, std::int64_t content);

/// Adds contents that are alike as a whole to what the descriptors of a query found; one that they
/// found and did not call a copy is taken over where the look says more.
Status AddAlike(const FeaturesOfContent& features_of, const FeatureSet& query,
                std::span<const AlikeContent> alike, std::vector<VerifiedContent>& verified);

}  // namespace siftsearch::engine
