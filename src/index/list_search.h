#pragma once

#include <faiss/Index.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/topk.h"

namespace faiss {
struct InvertedLists;
}

namespace siftsearch::index {

/// The k nearest rows of each query (n × kDescriptorBytes bytes) in the lists that it probes, of n
/// × `probes` list numbers in `assign` the nearest first, -1 for none: the same result as visiting
/// them query by query, but each list meets all its queries at once, in the kernel. Fills n × k
/// exact distances and the rows' ids in ascending order, the largest float and -1 where there are
/// fewer. `lists` hold descriptors as bytes, in ascending order of their ids. One thread. Throws
/// faiss::FaissException.
void SearchLists(const faiss::InvertedLists& lists, kernel::Variant variant,
                 std::span<const std::uint8_t> queries, const faiss::Index::idx_t* assign,
                 std::size_t probes, std::size_t k, float* distances, faiss::Index::idx_t* labels);

}  // namespace siftsearch::index
