// Micro benchmarks of the search kernel: multiply-accumulates per second of each variant.
//   kernel_bench [--benchmark_filter=REGEX …]
#include <benchmark/benchmark.h>

#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernel/topk.h"
#include "siftsearch/types.h"

namespace siftsearch {
namespace {

constexpr std::size_t kQueries = 256;

/// About as long as SIFT's descriptors and, like them, in clusters: some near, most far. What a
/// variant may skip depends on both.
std::vector<std::uint8_t> ClusteredRows(std::size_t count, unsigned seed) {
  constexpr std::size_t kClusters = 500;
  std::mt19937 random(1);
  std::vector<std::uint8_t> centres(kClusters * kDescriptorBytes);
  for (std::uint8_t& value : centres) value = static_cast<std::uint8_t>(random() % 70);
  random.seed(seed);
  std::vector<std::uint8_t> rows(count * kDescriptorBytes);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t cluster = i / kDescriptorBytes % kClusters;
    const std::uint8_t centre = centres[cluster * kDescriptorBytes + i % kDescriptorBytes];
    rows[i] = static_cast<std::uint8_t>(centre + random() % 20);
  }
  return rows;
}

void BM_TopK(benchmark::State& state, kernel::Variant variant) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> rows = ClusteredRows(n, 2), queries = ClusteredRows(kQueries, 3);
  const kernel::RowSpan span{rows.data(), n, 0};
  const kernel::TopKOptions options = {static_cast<int>(state.range(1)), 1, variant};
  std::vector<kernel::Neighbour> found;
  for (auto _ : state) {
    const Status status = kernel::TopK({&span, 1}, kDescriptorBytes, queries, options, &found);
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
    benchmark::DoNotOptimize(found.data());
  }
  state.counters["MAC/s"] = benchmark::Counter(static_cast<double>(n * kQueries * kDescriptorBytes),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

void RegisterAll() {
  for (const kernel::Variant variant : kernel::SupportedVariants()) {
    const std::string name = "TopK/" + std::string(kernel::VariantName(variant));
    benchmark::RegisterBenchmark(name.c_str(), BM_TopK, variant)
        ->ArgNames({"n", "k"})
        ->ArgsProduct({{10'000, 100'000}, {1, 10, 100}})
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace
}  // namespace siftsearch

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  siftsearch::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
