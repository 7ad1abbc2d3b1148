#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace siftsearch {

/// Number of processors this process may run on (its affinity mask), at least 1.
int AvailableThreads();

/// Starts `count` threads that each run `body`, which must not throw; fewer, even none, where the
/// system gives no more or there is no memory for them.
std::vector<std::jthread> StartThreads(std::size_t count, const std::function<void()>& body);

/// Runs `body(part)` for part = 0 … parts − 1 on up to `threads` threads (the caller's included)
/// and returns when all are done. What a body throws is thrown again by the caller's thread, once
/// no other body runs; parts that were not begun are then left out.
void ParallelFor(std::size_t parts, int threads, const std::function<void(std::size_t)>& body);

}  // namespace siftsearch
