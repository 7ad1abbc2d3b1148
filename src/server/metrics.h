#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "siftsearch/results.h"

namespace siftsearch::server {

/// What a server counts of its work since it began. Safe from several threads.
class Metrics {
 public:
  /// A request that was answered: its route's pattern ("" where there is none), status, time.
  void CountRequest(std::string_view route, int status, double seconds);
  /// The stages of a query.
  void CountQuery(const Timings& timings);
  /// A write, from its turn to its commit.
  void CountCommit(double seconds);
  /// A request that found its queue full.
  void CountOverload() { ++overloads_; }

  std::atomic<std::int64_t> connections{0};
  /// Requests that wait or run: short reads, searches, writes.
  std::array<std::atomic<std::int64_t>, 3> queued{};

  /// Prometheus' text format, version 0.0.4.
  std::string Text() const;

 private:
  /// Times counted by upper bounds.
  struct Histogram {
    static constexpr std::array<double, 14> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                       0.25,  0.5,    1,     2.5,  5,     10,   60};
    std::array<std::int64_t, kBounds.size()> counts{};
    std::int64_t count = 0;
    double sum = 0;

    void Add(double seconds);
    void Write(std::string_view name, const std::string& labels, std::string& text) const;
  };

  mutable std::mutex mutex_;  ///< Guards the maps.
  std::map<std::pair<std::string, int>, std::int64_t, std::less<>> requests_;
  std::map<std::string, Histogram, std::less<>> request_seconds_;  ///< By route.
  std::map<std::string, Histogram, std::less<>> stage_seconds_;
  Histogram commit_seconds_;
  std::atomic<std::int64_t> overloads_{0};
};

}  // namespace siftsearch::server
