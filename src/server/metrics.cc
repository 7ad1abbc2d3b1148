#include "server/metrics.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "siftsearch/engine.h"

namespace siftsearch::server {
namespace {

void Head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Plain(std::string& text, std::string_view name, std::string_view type, std::string_view help,
           double value) {
  Head(text, name, type, help);
  fmt::format_to(std::back_inserter(text), "{} {}\n", name, value);
}

std::int64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  std::int64_t pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::int64_t OpenFiles() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::int64_t files = 0;
  while (readdir(folder) != nullptr) ++files;
  closedir(folder);
  return std::max<std::int64_t>(0, files - 3);  // ".", ".." and the folder itself.
}

void WriteProcess(std::string& text) {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  Plain(text, "process_cpu_seconds_total", "counter", "Time of processors used.",
        seconds(usage.ru_utime) + seconds(usage.ru_stime));
  Plain(text, "process_resident_memory_bytes", "gauge", "Memory in use.",
        static_cast<double>(ResidentBytes()));
  Plain(text, "process_open_fds", "gauge", "Open files and sockets.",
        static_cast<double>(OpenFiles()));
}

}  // namespace

void Metrics::Histogram::Add(double seconds) {
  for (std::size_t i = 0; i < kBounds.size(); ++i) counts[i] += seconds <= kBounds[i];
  ++count;
  sum += seconds;
}

void Metrics::Histogram::Write(std::string_view name, const std::string& labels,
                               std::string& text) const {
  const auto out = std::back_inserter(text);
  const std::string more = labels.empty() ? "" : labels + ",";
  const std::string own = labels.empty() ? "" : "{" + labels + "}";
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    fmt::format_to(out, "{}_bucket{{{}le=\"{}\"}} {}\n", name, more, kBounds[i], counts[i]);
  }
  fmt::format_to(out, "{}_bucket{{{}le=\"+Inf\"}} {}\n", name, more, count);
  fmt::format_to(out, "{}_sum{} {}\n{}_count{} {}\n", name, own, sum, name, own, count);
}

void Metrics::CountRequest(std::string_view route, int status, double seconds) {
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
  request_seconds_[std::string(route)].Add(seconds);
}

void Metrics::CountQuery(const Timings& timings) {
  const std::lock_guard lock(mutex_);
  stage_seconds_["decode"].Add(timings.decode_ms / 1e3);
  stage_seconds_["extract"].Add(timings.extract_ms / 1e3);
  stage_seconds_["search"].Add(timings.search_ms / 1e3);
  stage_seconds_["verify"].Add(timings.verify_ms / 1e3);
}

void Metrics::CountCommit(double seconds) {
  const std::lock_guard lock(mutex_);
  commit_seconds_.Add(seconds);
}

std::string Metrics::Text() const {
  std::string text;
  const auto out = std::back_inserter(text);
  Head(text, "siftsearch_build_info", "gauge", "Version of the program.");
  fmt::format_to(out, "siftsearch_build_info{{version=\"{}\"}} 1\n", Version());
  const std::lock_guard lock(mutex_);
  Head(text, "siftsearch_http_requests_total", "counter", "Requests answered.");
  for (const auto& [key, count] : requests_) {
    fmt::format_to(out, "siftsearch_http_requests_total{{route=\"{}\",code=\"{}\"}} {}\n",
                   key.first, key.second, count);
  }
  Head(text, "siftsearch_http_request_seconds", "histogram",
       "From a request's header to its answer.");
  for (const auto& [route, histogram] : request_seconds_) {
    histogram.Write("siftsearch_http_request_seconds", fmt::format("route=\"{}\"", route), text);
  }
  Head(text, "siftsearch_query_stage_seconds", "histogram", "Stages of queries.");
  for (const auto& [stage, histogram] : stage_seconds_) {
    histogram.Write("siftsearch_query_stage_seconds", fmt::format("stage=\"{}\"", stage), text);
  }
  Head(text, "siftsearch_commit_seconds", "histogram", "Writes, from their turn to their commit.");
  commit_seconds_.Write("siftsearch_commit_seconds", "", text);
  Head(text, "siftsearch_queue_requests", "gauge", "Requests that wait or run.");
  static constexpr std::array<std::string_view, 3> kQueues = {"read", "search", "write"};
  for (std::size_t i = 0; i < kQueues.size(); ++i) {
    fmt::format_to(out, "siftsearch_queue_requests{{queue=\"{}\"}} {}\n", kQueues[i],
                   queued[i].load());
  }
  Plain(text, "siftsearch_overloads_total", "counter", "Requests refused since a queue was full.",
        static_cast<double>(overloads_.load()));
  Plain(text, "siftsearch_connections", "gauge", "Open connections.",
        static_cast<double>(connections.load()));
  WriteProcess(text);
  return text;
}

}  // namespace siftsearch::server
