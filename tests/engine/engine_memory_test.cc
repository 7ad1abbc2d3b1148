// Memory that can't be had, wherever it is asked for, is a Status and never an exception.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "siftsearch/engine.h"
#include "support/failing_new.h"

namespace siftsearch {
namespace {

constexpr double kStep = 2.1;  // From one failing allocation to the next one that is tried.

/// Blurred noise as PGM: has some hundred keypoints.
std::vector<std::uint8_t> Picture(unsigned seed) {
  constexpr int kSide = 96;
  const std::string head = "P5 96 96 255\n";
  std::vector<std::uint8_t> bytes(head.begin(), head.end());
  std::mt19937 random(seed);
  std::vector<int> cells(kSide * kSide / 16);
  for (int& cell : cells) cell = static_cast<int>(random() % 256);
  for (int i = 0; i < kSide * kSide; ++i) {
    bytes.push_back(
        static_cast<std::uint8_t>(cells[(i / kSide / 4) * (kSide / 4) + i % kSide / 4]));
  }
  return bytes;
}

class EngineMemory : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "siftsearch-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    database_ = folder_ + "/db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<Engine>> Open() { return Engine::Open(database_, options_); }

  /// Calls `arm` when all that the test itself allocates is there.
  Status Add(Engine& engine, unsigned first, const std::function<void()>& arm) {
    std::vector<AddInput> inputs;
    for (unsigned seed = first; seed < first + 3; ++seed) {
      inputs.push_back({.path = "picture " + std::to_string(seed),
                        .read = [bytes = Picture(seed)] { return Result(bytes); }});
    }
    std::size_t given = 0;
    const std::function<std::optional<AddInput>()> next = [&]() -> std::optional<AddInput> {
      if (given == inputs.size()) return std::nullopt;
      return std::move(inputs[given++]);
    };
    const AddOptions options;
    arm();
    const auto summary = engine.Add(next, options, [](const AddOutcome&) {});
    StopFailingAllocations();
    if (!summary.ok()) return summary.status();
    EXPECT_EQ(summary->failed, summary->out_of_memory);
    if (summary->failed > 0) return {StatusCode::kOutOfMemory, "a picture failed"};
    return {};
  }

  /// Runs `work` with each of many allocations failing in turn. It gets the number of the round,
  /// and what it has to call before the call that is tested.
  void FailingInTurn(const std::function<Status(unsigned, const std::function<void()>&)>& work) {
    ASSERT_TRUE(work(0, [] { FailAllocations(0, 0); }).ok());
    const std::int64_t all = StopFailingAllocations();
    ASSERT_GT(all, 100);
    int failed = 0;
    unsigned round = 0;
    for (double at = 0; at < static_cast<double>(all); at = at * kStep + 1) {
      const auto first = static_cast<std::int64_t>(at);
      const Status status = work(++round, [&] { FailAllocations(first, 1); });
      StopFailingAllocations();
      failed += !status.ok();
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kOutOfMemory)
          << "allocation " << first << " of " << all << ": " << status.message();
    }
    EXPECT_GT(failed, 3);
  }

  const EngineOptions options_ = {
      .create = true, .settings = ExtractorSettings{.max_features = 100}, .threads = 2};
  std::string folder_;
  std::string database_;
};

TEST_F(EngineMemory, OfOpening) {
  FailingInTurn([&](unsigned, const auto& arm) {
    arm();
    return Open().status();
  });
}

TEST_F(EngineMemory, OfAdding) {
  const auto engine = Open();
  ASSERT_TRUE(engine.ok());
  FailingInTurn([&](unsigned round, const auto& arm) { return Add(**engine, 3 * round, arm); });
  const auto problems = (*engine)->backend().Check();
  ASSERT_TRUE(problems.ok());
  EXPECT_TRUE(problems->empty());
}

TEST_F(EngineMemory, OfQuerying) {
  const auto engine = Open();
  ASSERT_TRUE(engine.ok());
  ASSERT_TRUE(Add(**engine, 0, [] {}).ok());
  FailingInTurn([&](unsigned, const auto& arm) -> Status {
    QueryInput input{.name = "one", .bytes = Picture(1)};
    arm();
    const auto result = (*engine)->Query(std::move(input), {});
    StopFailingAllocations();
    return result.ok() ? result->error : result.status();
  });
}

TEST_F(EngineMemory, OfAReport) {
  const auto engine = Open();
  ASSERT_TRUE(engine.ok());
  ASSERT_TRUE(Add(**engine, 0, [] {}).ok());
  FailingInTurn([&](unsigned, const auto& arm) {
    arm();
    return (*engine)->ReportAll({}, [](const ReportPair&) { return Status(); }).status();
  });
}

TEST_F(EngineMemory, WhatACallbackThrowsEndsTheOperation) {
  const auto engine = Open();
  ASSERT_TRUE(engine.ok());
  const auto inputs = []() -> std::optional<AddInput> { throw std::runtime_error("no more"); };
  const auto added = (*engine)->Add(inputs, {}, [](const AddOutcome&) {});
  EXPECT_EQ(added.status().code(), StatusCode::kInternal);
  EXPECT_EQ(added.status().message(), "no more");
}

}  // namespace
}  // namespace siftsearch
