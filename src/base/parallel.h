#pragma once

#include <cstddef>
#include <functional>

namespace siftsearch {

/// Number of processors this process may run on (its affinity mask), at least 1.
int AvailableThreads();

/// Runs `body(part)` for part = 0 … parts − 1 on up to `threads` threads (the caller's included)
/// and returns when all are done. `body` must not throw.
void ParallelFor(std::size_t parts, int threads, const std::function<void(std::size_t)>& body);

}  // namespace siftsearch
