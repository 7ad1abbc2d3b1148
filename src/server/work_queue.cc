#include "server/work_queue.h"

namespace siftsearch::server {

WorkQueue::WorkQueue(int threads, std::size_t waiting, std::atomic<std::int64_t>& count)
    : waiting_(waiting), count_(count) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkQueue::Push(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || tasks_.size() >= waiting_) return false;
    tasks_.push_back(std::move(task));
    ++count_;
  }
  changed_.notify_one();
  return true;
}

void WorkQueue::Run() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !tasks_.empty(); });
      if (ending_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    task = nullptr;  // Lets go what it holds before it counts as done.
    --count_;
  }
}

}  // namespace siftsearch::server
