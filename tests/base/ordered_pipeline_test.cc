#include "base/ordered_pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace siftsearch {
namespace {

std::function<std::optional<int>()> Numbers(int count, int* given = nullptr) {
  return [next = 0, count, given]() mutable -> std::optional<int> {
    if (next == count) return std::nullopt;
    if (given) ++*given;
    return next++;
  };
}

TEST(OrderedPipeline, KeepsTheOrderOfTheSource) {
  for (const int threads : {1, 2, 5}) {
    OrderedPipeline<int, int> pipeline(threads, 8, [](int i) {
      if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return i * i;
    });
    std::vector<int> results;
    pipeline.Run(Numbers(100), [&](int square) {
      results.push_back(square);
      return true;
    });
    ASSERT_EQ(results.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(results[i], i * i);
  }
}

TEST(OrderedPipeline, HoldsNoMoreThanTheWindow) {
  std::atomic<int> alive = 0;
  std::atomic<int> most = 0;
  struct Token {
    explicit Token(std::atomic<int>* count) : count(count) { ++*count; }
    Token(Token&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
    Token& operator=(Token&&) = delete;
    ~Token() {
      if (count) --*count;
    }
    std::atomic<int>* count;
  };
  OrderedPipeline<int, Token> pipeline(3, 5, [&](int) {
    Token token(&alive);
    int seen = most;
    while (seen < alive && !most.compare_exchange_weak(seen, alive)) {
    }
    return token;
  });
  pipeline.Run(Numbers(200), [](Token) { return true; });
  EXPECT_LE(most, 6);
  EXPECT_EQ(alive, 0);
}

TEST(OrderedPipeline, StopsPullingWhenTheSinkRefuses) {
  int given = 0;
  OrderedPipeline<int, int> pipeline(2, 4, [](int i) { return i; });
  int taken = 0;
  pipeline.Run(Numbers(1000, &given), [&](int) { return ++taken < 3; });
  EXPECT_EQ(taken, 3);
  EXPECT_LE(given, 3 + 4);
}

TEST(OrderedPipeline, AnEmptySourceEndsAtOnce) {
  OrderedPipeline<int, int> pipeline(2, 4, [](int i) { return i; });
  pipeline.Run(Numbers(0), [](int) -> bool { throw std::logic_error("nothing was given"); });
}

}  // namespace
}  // namespace siftsearch
