#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <system_error>

namespace siftsearch {

int AvailableThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

std::vector<std::jthread> StartThreads(std::size_t count, const std::function<void()>& body) {
  std::vector<std::jthread> threads;
  try {
    threads.reserve(count);
    while (threads.size() < count) threads.emplace_back(body);
  } catch (const std::system_error&) {  // The work goes on with the threads that there are.
  } catch (const std::bad_alloc&) {
  }
  return threads;
}

void ParallelFor(std::size_t parts, int threads, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next = 0;
  std::atomic_flag failed;
  std::exception_ptr error;
  const auto work = [&] {
    try {
      for (std::size_t part = next++; part < parts && !failed.test(); part = next++) body(part);
    } catch (...) {
      if (!failed.test_and_set()) error = std::current_exception();
    }
  };
  {
    const std::size_t most = std::min<std::size_t>(std::max(threads, 1), parts);
    const std::vector<std::jthread> helpers =
        StartThreads(std::max<std::size_t>(most, 1) - 1, work);
    work();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace siftsearch
