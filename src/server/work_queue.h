#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace siftsearch::server {

/// Threads that do tasks in the order given. Safe from several threads.
class WorkQueue {
 public:
  /// `waiting` tasks may wait for their turn; `count` is kept at those that wait or run.
  WorkQueue(int threads, std::size_t waiting, std::atomic<std::int64_t>& count);
  /// Ends when the tasks that run have ended; those that wait are dropped.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// False, and nothing is done, where too many wait already. `task` must not throw.
  bool Push(std::function<void()> task);

 private:
  void Run();

  const std::size_t waiting_;
  std::atomic<std::int64_t>& count_;
  std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace siftsearch::server
