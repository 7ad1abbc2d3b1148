// One engine used by many threads at once. Also run under ThreadSanitizer (tools/test --tsan).

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "noise_picture.h"
#include "siftsearch/engine.h"
#include "support/memory_backend.h"

namespace siftsearch {
namespace {

constexpr int kThreads = 16;
constexpr int kQueriesEach = 2;
constexpr unsigned kStays = 4;  ///< Pictures that are there all the time.

/// Sixteen threads query, two of the pictures asked for never go; another adds and removes
/// meanwhile and now and then merges. Every answer is whole: the picture itself first, with its
/// record.
void QueryWhileAnotherWrites(Engine& engine) {
  ASSERT_EQ(AddNoise(engine, 0, kStays).value().added, kStays);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (unsigned round = 0; !done; ++round) {
      const unsigned seed = 100 + round;
      const auto added = AddNoise(engine, seed, 1);
      ASSERT_TRUE(added.ok()) << added.status().message();
      const auto snapshot = engine.backend().Pin();
      ASSERT_TRUE(snapshot.ok()) << snapshot.status().message();
      const auto image = snapshot.value()->FindPath(NoiseName(seed));
      ASSERT_TRUE(image.ok() && image->has_value());
      ASSERT_EQ(engine.backend().Remove({&(*image)->id, 1}).value(), 1);
      if (round % 8 < 7) continue;
      ASSERT_TRUE(engine.backend().Compact().ok());
    }
  });
  std::vector<std::thread> readers;
  for (int i = 0; i < kThreads; ++i) {
    readers.emplace_back([&, i] {
      QueryOptions options;  // What takes time and has no state of its own is left out.
      options.form_features = 0;
      options.query_features = 1;
      for (int round = 0; round < kQueriesEach; ++round) {
        const unsigned seed = static_cast<unsigned>(i + round) % kStays;
        const auto result = engine.Query(NoiseQuery(seed), options);
        ASSERT_TRUE(result.ok()) << result.status().message();
        ASSERT_FALSE(result->matches.empty());
        EXPECT_EQ(result->matches.front().image.path, NoiseName(seed));
        EXPECT_EQ(result->matches.front().score, 1);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  done = true;
  writer.join();
}

TEST(EngineThreadsTest, SixteenQueryWhileOneAddsAndRemoves) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("threads-" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  {
    const auto engine = Engine::Open(folder.string(), {.create = true, .threads = 2});
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    QueryWhileAnotherWrites(**engine);
    EXPECT_TRUE(engine.value()->backend().Check().value().empty());
  }
  std::filesystem::remove_all(folder);
}

TEST(EngineThreadsTest, SixteenQueryABackendInMemory) {
  const auto engine = Engine::Over(std::make_unique<MemoryBackend>(), {.threads = 2});
  ASSERT_TRUE(engine.ok()) << engine.status().message();
  QueryWhileAnotherWrites(**engine);
}

}  // namespace
}  // namespace siftsearch
