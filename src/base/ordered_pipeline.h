#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace siftsearch {

/// Runs `work` on every item that `source` gives, on `threads` threads, and hands the results to
/// `sink` in the order of the source. `source` and `sink` are called from the calling thread only;
/// at most `window` items are under way or waiting, which bounds the memory. Ends when the source
/// is empty or `sink` returns false (items under way are then finished and dropped). What `work`
/// throws, Run throws in the place of the result. Where no thread can be started, the calling
/// thread does the work.
template <typename In, typename Out>
class OrderedPipeline {
 public:
  OrderedPipeline(int threads, std::size_t window, std::function<Out(In)> work)
      : window_(window),
        work_(std::move(work)),
        workers_(StartThreads(static_cast<std::size_t>(threads), [this] { Work(); })) {}

  ~OrderedPipeline() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      waiting_.clear();
    }
    work_ready_.notify_all();
  }

  void Run(const std::function<std::optional<In>()>& source, const std::function<bool(Out)>& sink) {
    std::deque<std::shared_ptr<Slot>> under_way;
    bool more = true;
    while (true) {
      while (more && under_way.size() < window_) {
        std::optional<In> item = source();
        more = item.has_value();
        if (more) under_way.push_back(Submit(std::move(*item)));
      }
      if (under_way.empty()) return;
      const std::shared_ptr<Slot> first = std::move(under_way.front());
      under_way.pop_front();
      if (!sink(Wait(*first))) return;
    }
  }

 private:
  struct Slot {
    std::optional<In> in;
    std::optional<Out> out;
    std::exception_ptr error;  ///< Thrown in place of `out`.
    bool done = false;
  };

  std::shared_ptr<Slot> Submit(In item) {
    auto slot = std::make_shared<Slot>();
    slot->in.emplace(std::move(item));
    {
      std::lock_guard lock(mutex_);
      waiting_.push_back(slot);
    }
    work_ready_.notify_one();
    return slot;
  }

  Out Wait(Slot& slot) {
    std::unique_lock lock(mutex_);
    while (workers_.empty() && !slot.done) WorkOnFirst(lock);
    result_ready_.wait(lock, [&] { return slot.done; });
    if (slot.error) std::rethrow_exception(slot.error);
    return std::move(*slot.out);
  }

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      work_ready_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      WorkOnFirst(lock);
    }
  }

  /// Does the work on the first waiting item, with the lock open meanwhile.
  void WorkOnFirst(std::unique_lock<std::mutex>& lock) {
    const std::shared_ptr<Slot> slot = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      slot->out.emplace(work_(std::move(*slot->in)));
    } catch (...) {
      slot->error = std::current_exception();
    }
    slot->in.reset();
    lock.lock();
    slot->done = true;
    result_ready_.notify_one();
  }

  const std::size_t window_;
  const std::function<Out(In)> work_;
  std::mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable result_ready_;
  std::deque<std::shared_ptr<Slot>> waiting_;
  bool closed_ = false;
  std::vector<std::jthread> workers_;  // Last, so that they end before what they use.
};

}  // namespace siftsearch
