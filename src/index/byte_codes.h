#pragma once

#include <memory>

#include "kernel/topk.h"

namespace faiss {
struct Index;
}

namespace siftsearch::index {

/// The same index with descriptors as bytes and the kernel's distance between them, for a graph or
/// inverted lists of whole descriptors (IndexHNSWFlat, IndexIVFFlat) without rows, and for what
/// faiss::read_index makes of one; any other index as it is. Distances stay exact, for queries that
/// are whole numbers from 0 to 255. A row takes 128 bytes instead of 512. Faiss writes the index as
/// one of scalar quantisation (`QT_8bit_direct`). Throws what Faiss does.
std::unique_ptr<faiss::Index> WithByteCodes(std::unique_ptr<faiss::Index> index,
                                            kernel::Variant variant);

}  // namespace siftsearch::index
