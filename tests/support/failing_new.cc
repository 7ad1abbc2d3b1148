#include "support/failing_new.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace siftsearch {
namespace {

std::atomic<std::int64_t> made = 0;
std::atomic<std::int64_t> first_failing = std::numeric_limits<std::int64_t>::max();
std::atomic<std::int64_t> failing = 0;

bool IsOpenCv(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && std::strstr(info.dli_fname, "libopencv") != nullptr;
}

void* Allocate(std::size_t size, std::size_t alignment, const void* caller) {
  const std::int64_t number = made++ - first_failing;
  void* memory = nullptr;
  if (number >= 0 && number < failing && !IsOpenCv(caller)) throw std::bad_alloc();
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0)
    throw std::bad_alloc();
  return memory;
}

}  // namespace

void FailAllocations(std::int64_t first, std::int64_t count) {
  failing = count;
  first_failing = first;
  made = 0;
}

std::int64_t StopFailingAllocations() {
  failing = 0;
  return made;
}

}  // namespace siftsearch

void* operator new(std::size_t size) {
  return siftsearch::Allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new[](std::size_t size) {
  return siftsearch::Allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return siftsearch::Allocate(size, static_cast<std::size_t>(alignment),
                              __builtin_return_address(0));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return siftsearch::Allocate(size, static_cast<std::size_t>(alignment),
                              __builtin_return_address(0));
}
// Those that give null instead, so that all memory is of one kind; libstdc++ sorts with it.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
