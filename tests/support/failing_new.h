#pragma once

#include <cstdint>

namespace siftsearch {

/// A program linked with this has an operator new that fails on request, on every thread.

/// From the allocation number `first` on (0: the next one) `count` allocations throw
/// std::bad_alloc, but for those of OpenCV itself: a destructor in its SIFT throws then, which ends
/// the process.
void FailAllocations(std::int64_t first, std::int64_t count);

/// Ends that; gives the number of allocations since the last FailAllocations.
std::int64_t StopFailingAllocations();

}  // namespace siftsearch
