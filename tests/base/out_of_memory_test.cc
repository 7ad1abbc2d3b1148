// Threads that can't be started and memory that can't be had in one of them.

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <vector>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "support/failing_new.h"

namespace siftsearch {
namespace {

/// While it lives no thread can be started: none gets a stack of this size.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 50);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

std::vector<int> Squares(int count, int threads) {
  OrderedPipeline<int, std::vector<int>> pipeline(
      threads, 4, [](int i) { return std::vector<int>(100, i * i); });
  std::vector<int> squares;
  pipeline.Run(
      [next = 0, count]() mutable { return next == count ? std::nullopt : std::optional(next++); },
      [&](const std::vector<int>& square) {
        squares.push_back(square.back());
        return true;
      });
  return squares;
}

std::int64_t SumInParallel(int parts, int threads) {
  std::atomic<std::int64_t> sum = 0;
  ParallelFor(static_cast<std::size_t>(parts), threads, [&](std::size_t part) {
    const std::vector<std::int64_t> ones(part, 1);
    sum += std::accumulate(ones.begin(), ones.end(), std::int64_t{0});
  });
  return sum;
}

TEST(ParallelFor, ThrowsWhatABodyThrows) {
  for (const int threads : {1, 2, 7}) {
    for (const std::size_t bad : {0u, 57u, 99u}) {
      const auto body = [&](std::size_t part) {
        if (part == bad) throw std::runtime_error("part");
      };
      EXPECT_THROW(ParallelFor(100, threads, body), std::runtime_error);
    }
  }
}

TEST(ParallelFor, OfNoPartsDoesNothing) {
  ParallelFor(0, 4, [](std::size_t) { throw std::logic_error("there is no part"); });
}

TEST(OrderedPipeline, ThrowsWhatTheWorkThrowsInItsPlace) {
  OrderedPipeline<int, int> pipeline(3, 8, [](int i) {
    if (i == 20) throw std::runtime_error("twenty");
    return i;
  });
  int taken = 0;
  const auto numbers = [next = 0]() mutable { return std::optional(next++); };
  const auto sink = [&](int i) { return i == taken++; };
  EXPECT_THROW(pipeline.Run(numbers, sink), std::runtime_error);
  EXPECT_EQ(taken, 20);
}

TEST(WithoutThreads, TheCallersThreadDoesTheWork) {
  const NoThreads none;
  EXPECT_TRUE(StartThreads(3, [] {}).empty());
  EXPECT_EQ(SumInParallel(100, 4), 4950);
  EXPECT_EQ(Squares(5, 4), (std::vector<int>{0, 1, 4, 9, 16}));
}

TEST(OutOfMemory, AtEachAllocationInTurnIsThrownToTheCaller) {
  FailAllocations(0, 0);
  (void)SumInParallel(20, 3);
  (void)Squares(20, 3);
  const std::int64_t allocations = StopFailingAllocations();
  int thrown = 0;
  for (std::int64_t first = 0; first < allocations; ++first) {
    FailAllocations(first, 1);
    try {
      const std::int64_t sum = SumInParallel(20, 3);
      const std::vector<int> squares = Squares(20, 3);
      StopFailingAllocations();
      EXPECT_EQ(sum, 190);
      EXPECT_EQ(squares.size(), 20u);
    } catch (const std::bad_alloc&) {
      StopFailingAllocations();
      ++thrown;
    }
  }
  EXPECT_GT(thrown, 20);
}

}  // namespace
}  // namespace siftsearch
