#pragma once

#include <optional>
#include <string>

#include "siftsearch/search_backend.h"

namespace siftsearch::cli {

/// The image that a user names by its id (digits only) or its path.
Result<std::optional<ImageRecord>> FindImage(const BackendSnapshot& snapshot,
                                             const std::string& name);

}  // namespace siftsearch::cli
