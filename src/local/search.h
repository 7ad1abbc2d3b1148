#pragma once

#include <span>
#include <vector>

#include "local/search_view.h"
#include "local/snapshot.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// The k nearest live rows of every query descriptor vote for their contents: see
/// SearchBackend::Search. Queries share passes over the rows as far as their neighbours fit 64 MiB.
/// With a `view` of the snapshot (may be null), by its index. kInvalidArgument: a query's sizes do
/// not fit each other, or k is not in 1 to 4088. Ends as SearchOptions::call says.
Result<std::vector<SearchResult>> SearchSnapshot(const Snapshot& snapshot, const SearchView* view,
                                                 std::span<const SearchQuery> queries,
                                                 const SearchOptions& options,
                                                 kernel::Variant variant);

}  // namespace siftsearch::local
