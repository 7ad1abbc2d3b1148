#include "features/opencv_threads.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <opencv2/core/parallel/parallel_backend.hpp>
#include <utility>

#include "base/parallel.h"

namespace siftsearch::features {
namespace {

/// Runs of a loop for each thread: they take unequal time.
constexpr int kRunsEach = 8;

thread_local int loop_threads = 1;

class Loops : public cv::parallel::ParallelForAPI {
 public:
  void parallel_for(int tasks, FN_parallel_for_body_cb_t body, void* data) override {
    if (loop_threads <= 1) return body(0, tasks, data);
    const std::int64_t runs = std::int64_t{loop_threads} * kRunsEach;
    const auto begin = [&](std::int64_t run) { return static_cast<int>(tasks * run / runs); };
    ParallelFor(static_cast<std::size_t>(runs), loop_threads, [&](std::size_t part) {
      const auto run = static_cast<std::int64_t>(part);
      if (begin(run) < begin(run + 1)) body(begin(run), begin(run + 1), data);
    });
  }

  int getThreadNum() const override { return 0; }
  int getNumThreads() const override { return loop_threads; }
  int setNumThreads(int) override { return loop_threads; }
  const char* getName() const override { return "siftsearch"; }
};

}  // namespace

OpenCvThreads::OpenCvThreads(int threads) : before_(std::exchange(loop_threads, threads)) {
  static std::once_flag once;
  std::call_once(once, [] { cv::parallel::setParallelForBackend(std::make_shared<Loops>()); });
}

OpenCvThreads::~OpenCvThreads() { loop_threads = before_; }

}  // namespace siftsearch::features
