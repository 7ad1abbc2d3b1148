#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernel/topk.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/types.h"

namespace siftsearch::engine {

/// The two nearest rows of `image` of each descriptor of a query of `size`, at most 260 (L2) apart;
/// rows of −1 where there are none. Pure; errors of kernel::TopK.
Result<std::vector<kernel::Neighbour>> NearestAlone(std::size_t size,
                                                    const kernel::PreparedQueries& descriptors,
                                                    const FeatureSet& image);

/// A candidate with the pairs of points that matching the two pictures alone gives (`nearest`, of
/// NearestAlone), beside those that the search of the whole database voted for. That search gives
/// each descriptor its k nearest rows: where many pictures look alike (print, charts) or a copy is
/// far from its original (noise, blends), the right row is often not among them. The pairs of a
/// point that voted have its vote's weight and rarity; the others weigh next to nothing, the nearer
/// the more, and count as common. `image` has the features of `voted.content`. Pure.
VotedContent MatchAlone(std::span<const kernel::Neighbour> nearest, const FeatureSet& image,
                        const VotedContent& voted);

/// A candidate with the votes that a search which looks rows up has missed, as far as the picture
/// alone tells (`alone`, of NearestAlone): descriptors that did not vote for it do so with their
/// nearest row, had it been found among `found`, the search's nearest rows (SearchResult). Pure.
VotedContent WithMissedVotes(std::span<const kernel::Neighbour> alone, const FeatureSet& image,
                             std::span<const NearRow> found, const VotedContent& voted);

}  // namespace siftsearch::engine
