#pragma once

#include "kernel/topk.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/types.h"

namespace siftsearch::engine {

/// A candidate with the pairs of points that matching the two pictures alone gives, beside those
/// that the search of the whole database voted for. That search gives each descriptor its k nearest
/// rows: where many pictures look alike (print, charts) or a copy is far from its original (noise,
/// blends), the right row is often not among them. Each query descriptor is paired with its two
/// nearest rows of `image`, at most 260 (L2) apart. The pairs of a point that voted have its vote's
/// weight and rarity; the others weigh next to nothing, the nearer the more, and count as common.
/// `descriptors` are those of `query`; `image` has the features of `voted.content`. Pure; errors of
/// kernel::TopK.
Result<VotedContent> MatchAlone(const FeatureSet& query, const kernel::PreparedQueries& descriptors,
                                const FeatureSet& image, const VotedContent& voted);

}  // namespace siftsearch::engine
