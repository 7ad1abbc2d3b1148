#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "env/file_env.h"
#include "local/local_backend.h"
#include "support/fault_env.h"
#include "testing.h"

namespace siftsearch::local {
namespace {

using State = std::map<std::string, ContentHash>;

class LocalCrashTest : public ::testing::Test {
 protected:
  std::string database() const { return folder_.path("db"); }

  static std::unique_ptr<LocalBackend> Open(FileEnv& env, const std::string& folder) {
    auto backend = LocalBackend::Open(env, folder, {.create = true});
    EXPECT_TRUE(backend.ok()) << backend.status().message();
    return std::move(backend).value();
  }

  /// Seven segments, so that the next one starts a merge, with a removed image.
  void MakeTemplate() {
    const auto backend = Open(DiskEnv(), folder_.path("template"));
    for (int i = 1; i <= 7; ++i) PutOne(*backend, MakeItem("/" + std::to_string(i), i));
    const ImageId removed = 3;
    EXPECT_EQ(*backend->Remove({&removed, 1}), 1);
  }
  void CopyTemplate() {
    std::filesystem::remove_all(database());
    std::filesystem::copy(folder_.path("template"), database(),
                          std::filesystem::copy_options::recursive);
  }

  /// Fails every changing file operation of `change` in turn, once alone and once with all that
  /// follow. Then the database is sound, holds the state before or after, and the repeat succeeds.
  void FailEverywhere(const std::function<Status(LocalBackend&)>& change, const State& before,
                      const State& after) {
    for (std::int64_t count : {std::int64_t{1}, FaultEnv::kAllLater}) {
      for (std::int64_t operation = 0;; ++operation) {
        CopyTemplate();
        FaultEnv env(DiskEnv());
        const auto backend = Open(env, database());
        FaultEnv::Fault fault;
        fault.first = operation;
        fault.count = count;
        fault.status = Status(StatusCode::kOutOfSpace, "no space, says the test");
        fault.tear = operation % 2 == 1;
        env.Arm(fault);
        const Status status = change(*backend);
        const bool reached = env.operations() > operation;
        env.Disarm();
        if (!status.ok()) {
          EXPECT_EQ(status.code(), StatusCode::kOutOfSpace) << status.message();
        }
        ExpectEither(status.ok() ? after : before, after);
        EXPECT_EQ(StateOf(*backend), StateOf(*Open(DiskEnv(), database())));
        const Status repeated = change(*backend);
        EXPECT_TRUE(repeated.ok()) << repeated.message();
        EXPECT_EQ(StateOf(*backend), after);
        PutOne(*backend, MakeItem("/last", 99));
        ExpectSound(*backend);
        if (HasFailure() || !reached) return;
      }
    }
  }

  void ExpectEither(const State& one, const State& other) {
    const auto backend = Open(DiskEnv(), database());
    const State state = StateOf(*backend);
    EXPECT_TRUE(state == one || state == other);
    for (const auto& [path, hash] : state) {
      const int seed = hash[0];
      EXPECT_EQ(BestContent(*backend, seed), Pinned(*backend)->FindPath(path)->value().content)
          << path;
    }
  }

  State TemplateState() {
    CopyTemplate();
    return StateOf(*Open(DiskEnv(), database()));
  }

  TestFolder folder_;
};

TEST_F(LocalCrashTest, APutThatFailsAnywhereChangesNothing) {
  MakeTemplate();
  const std::vector<PutItem> items = {MakeItem("/8", 8), MakeItem("/1", 9), MakeItem("/3", 3)};
  const State before = TemplateState();
  State after = before;
  after["/8"] = MakeHash(8);
  after["/1"] = MakeHash(9);
  after["/3"] = MakeHash(3);
  FailEverywhere([&](LocalBackend& backend) { return backend.Put(items).status(); }, before, after);
}

TEST_F(LocalCrashTest, ARemoveThatFailsAnywhereChangesNothing) {
  MakeTemplate();
  const std::vector<ImageId> ids = {2, 5};
  const State before = TemplateState();
  State after = before;
  after.erase("/2");
  after.erase("/5");
  FailEverywhere([&](LocalBackend& backend) { return backend.Remove(ids).status(); }, before,
                 after);
}

TEST_F(LocalCrashTest, ACompactThatFailsAnywhereChangesNothing) {
  MakeTemplate();
  const State before = TemplateState();
  FailEverywhere([&](LocalBackend& backend) { return backend.Compact(); }, before, before);
}

TEST_F(LocalCrashTest, ACreationThatFailsAnywhereCanBeRepeated) {
  for (std::int64_t operation = 0;; ++operation) {
    std::filesystem::remove_all(database());
    FaultEnv env(DiskEnv());
    env.Arm({.first = operation, .count = 1, .status = {StatusCode::kIoError, "the test"}});
    const bool opened = LocalBackend::Open(env, database(), {.create = true}).ok();
    const bool reached = env.operations() > operation;
    EXPECT_EQ(opened, !reached);
    env.Disarm();
    PutOne(*Open(env, database()), MakeItem("/a", 1));
    if (!reached) return;
  }
}

/// Runs `body` in a child process and returns its exit status.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/// A file-size limit is a full disk that also SQLite meets.
TEST_F(LocalCrashTest, ACatalogueThatCannotGrowKeepsTheStateBefore) {
  MakeTemplate();
  const State before = TemplateState();
  const rlim_t size = std::filesystem::file_size(database() + "/catalog.sqlite");
  const int exit_code = InChild([&] {
    const auto backend = Open(DiskEnv(), database());
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = size, .rlim_max = size};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    std::vector<PutItem> items;
    for (int i = 100; i < 600; ++i) {
      items.push_back(MakeItem("/" + std::string(200, 'x') + std::to_string(i), i, 0));
    }
    const Status status = backend->Put(items).status();
    EXPECT_EQ(status.code(), StatusCode::kOutOfSpace) << status.message();
    if (status.code() != StatusCode::kOutOfSpace) return 2;
    return StateOf(*backend) == before ? 0 : 3;
  });
  EXPECT_EQ(exit_code, 0);
  ExpectEither(before, before);
  const auto backend = Open(DiskEnv(), database());
  PutOne(*backend, MakeItem("/new", 50));
  ExpectSound(*backend);
}

/// A writer killed at random moments: every image that it reported is there, each is whole.
TEST_F(LocalCrashTest, AKilledWriterLosesNothingThatItReported) {
  std::mt19937 random(7);
  Open(DiskEnv(), database());
  int next = 1;
  for (int round = 0; round < 30; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto backend = Open(DiskEnv(), database());
      for (int seed = next;; ++seed) {
        PutOne(*backend, MakeItem("/" + std::to_string(seed), seed, 3));
        if (write(pipe_ends[1], &seed, sizeof(seed)) != sizeof(seed)) _exit(1);
      }
    }
    close(pipe_ends[1]);
    int reported = next - 1;
    // Killed in every other round when it has stored something, however long that takes.
    if (round % 2 == 1) {
      ASSERT_EQ(read(pipe_ends[0], &reported, sizeof(int)), static_cast<ssize_t>(sizeof(int)));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(2'000 + random() % 25'000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    for (int seed = 0; read(pipe_ends[0], &seed, sizeof(seed)) == sizeof(seed);) reported = seed;
    close(pipe_ends[0]);

    const auto backend = Open(DiskEnv(), database());
    const std::size_t stored = StateOf(*backend).size();
    ASSERT_GE(stored, static_cast<std::size_t>(reported));
    ASSERT_LE(stored, static_cast<std::size_t>(reported) + 1);
    next = static_cast<int>(stored) + 1;
    if (stored > 0) {
      EXPECT_EQ(BestContent(*backend, next - 1, 0, 3), next - 1);
    }
  }
  const auto backend = Open(DiskEnv(), database());
  PutOne(*backend, MakeItem("/last", 100'000));
  EXPECT_GT(next, 1);
  ExpectSound(*backend);
}

}  // namespace
}  // namespace siftsearch::local
