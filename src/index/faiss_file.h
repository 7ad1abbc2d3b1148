#pragma once

#include <span>
#include <string>

#include "env/file_env.h"
#include "index/id_range.h"
#include "kernel/topk.h"
#include "siftsearch/status.h"

namespace siftsearch::index {

/// Writes the rows as a stock `IDMap,Flat` file (IndexIDMap over IndexFlatL2, floats), which
/// faiss::read_index and Python's `faiss.read_index` read. Needs 4 × dim + 8 bytes of memory a row
/// (520 for a dimension of 128), since Faiss holds the index that it writes. Rows in no range get
/// the id -1.
///
/// The file is written and synced under the name FILE.partial, then renamed: a file that was there
/// stays whole until then, and on an error nothing new is left. Errors name the file:
/// kOutOfMemory, kInvalidArgument for something at `file` that is not a regular file, else those
/// of `env`.
Status WriteFaissFlat(int dim, std::span<const kernel::RowSpan> rows, std::span<const IdRange> ids,
                      const std::string& file, FileEnv& env = DiskEnv());

}  // namespace siftsearch::index
