#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/impl.h"

namespace siftsearch::engine {

/// Groups those of `which` (indexes of `matches`, best first) whose contents show the same picture
/// where the query shows it: stored several times, saved again, scaled. Each group is of one form
/// and has at least two members, which were compared with its first as a query would be, from the
/// transforms of the two matches on. Ends after a few pictures that are like none of the next.
/// Uses `threads` threads.
Result<std::vector<std::vector<std::size_t>>> NearDuplicates(
    const FeaturesOfContent& features_of, std::span<const VerifiedContent> matches,
    std::span<const std::size_t> which, int threads);

}  // namespace siftsearch::engine
