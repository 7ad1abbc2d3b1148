#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/impl.h"

namespace siftsearch::engine {

/// Groups those of `which` (indexes of `matches`, best first) whose contents show the same picture
/// where the query shows it: stored several times, saved again, scaled. Each group is of one form
/// and has two members at least. A picture is compared with the first of a group as a query is,
/// from the transforms of the two matches on; of the first few groups only, since pictures that
/// share but a watermark make as many groups as there are pictures. Safe from several threads.
Result<std::vector<std::vector<std::size_t>>> NearDuplicates(
    const FeaturesOfContent& features_of, std::span<const VerifiedContent> matches,
    std::span<const std::size_t> which, int threads);

}  // namespace siftsearch::engine
