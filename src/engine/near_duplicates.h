#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/impl.h"

namespace siftsearch::engine {

/// Groups those of `leaders` and `others` (indexes of `matches`, best first) whose contents show
/// the same picture where the query shows it: stored several times, saved again, scaled. Each group
/// is of one form, begins with one of `leaders`, and has at least one member more, each of which
/// was compared with the first as a query would be, from the transforms of the two matches on. Ends
/// after a few leaders that are like none of the next. Uses `threads` threads.
Result<std::vector<std::vector<std::size_t>>> NearDuplicates(
    const FeaturesOfContent& features_of, std::span<const VerifiedContent> matches,
    std::span<const std::size_t> leaders, std::span<const std::size_t> others, int threads);

}  // namespace siftsearch::engine
