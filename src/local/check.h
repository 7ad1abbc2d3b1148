#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "env/file_env.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// Compares everything in a database folder with everything else: see SearchBackend::Check. The
/// caller holds the folder's write lock, so that nothing changes meanwhile.
Result<std::vector<CheckProblem>> CheckDatabase(FileEnv& env, const std::string& folder,
                                                catalog::Catalog& catalog, int threads,
                                                const RowsProgress& progress);

}  // namespace siftsearch::local
