// Compares indexes that --index makes with exact search: build time, memory, time and recall.
//   index_bench --images FOLDER [--rows 1000000] [--keys IVF1024,SQ8;IDMap,HNSW48] [--json FILE]
// Prints what it measures on, then a line for each index and effort.
#include <fmt/format.h>
#include <malloc.h>

#include <boost/program_options.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench_data.h"
#include "index/approximate_index.h"
#include "index/factory_key.h"
#include "kernel/topk.h"
#include "program.h"
#include "siftsearch/types.h"

namespace siftsearch::bench {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using index::ApproximateIndex;

constexpr int kNeighbours = 10;
/// As a database asks for: four candidates for each neighbour, ordered by exact distances.
constexpr int kCandidates = 4 * kNeighbours;
constexpr std::size_t kRowsOfContent = 1000;

struct Options {
  std::string images, json;
  std::string keys = "IVF1024,Flat;IVF1024,SQ8;IVF1024,PQ16;IDMap,HNSW48";
  std::size_t rows = 1'000'000;
  std::size_t queries = 1000;
  int rounds = 3;
};

double OwnMemoryMb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1024;
  }
  return 0;
}

struct Data {
  Bytes rows, queries;
  std::vector<kernel::Neighbour> exact;
  double exact_seconds = 0;

  std::vector<index::ContentRows> Contents() const {
    std::vector<index::ContentRows> contents;
    const std::size_t count = rows.size() / kDescriptorBytes;
    for (std::size_t i = 0; i < count; i += kRowsOfContent) {
      contents.push_back({.content = static_cast<std::int64_t>(contents.size()) + 1,
                          .rows = rows.data() + i * kDescriptorBytes,
                          .count = std::min(kRowsOfContent, count - i)});
    }
    return contents;
  }

  double TimeExact() {
    const kernel::RowSpan span{rows.data(), rows.size() / kDescriptorBytes, 0};
    kernel::TopKOptions options;
    options.k = kNeighbours;
    options.threads = AvailableThreads();
    options.variant = kernel::SupportedVariants().front();
    return Seconds([&] {
      (void)kernel::TopK({&span, 1}, kDescriptorBytes, queries, options, &exact);
    });
  }

  /// Share of the exact neighbours among the first `width` candidates of each query.
  double Recall(const std::vector<ApproximateIndex::Candidate>& found, int width) const {
    const std::size_t n = queries.size() / kDescriptorBytes;
    std::size_t hits = 0;
    for (std::size_t query = 0; query < n; ++query) {
      const auto* candidates = &found[query * kCandidates];
      for (int i = 0; i < kNeighbours; ++i) {
        const std::int64_t row = exact[query * kNeighbours + i].row;
        hits += std::any_of(candidates, candidates + width,
                            [&](const auto& candidate) { return candidate.row == row; });
      }
    }
    return static_cast<double>(hits) / static_cast<double>(n * kNeighbours);
  }
};

std::vector<Approximation> Efforts(const index::FactoryKey& key) {
  std::vector<Approximation> efforts;
  if (key.graph()) {
    for (const int ef : {64, 256, 1024}) efforts.push_back({.ef_search = ef});
  } else {
    for (const int nprobe : {8, 32, 64, 128}) efforts.push_back({.nprobe = nprobe});
  }
  return efforts;
}

Status MeasureSearch(const ApproximateIndex& index, Data& data, const Options& options,
                     const Approximation& effort, Json entry, Json& results) {
  std::vector<double> seconds, exact;
  std::vector<ApproximateIndex::Candidate> found;
  for (int round = 0; round <= options.rounds; ++round) {
    Status status;
    const double taken = Seconds([&] {
      status = index.Search(data.queries, kCandidates, effort, AvailableThreads(), &found);
    });
    SIFTSEARCH_RETURN_IF_ERROR(status);
    const double reference = data.TimeExact();
    if (round == 0) continue;
    seconds.push_back(taken);
    exact.push_back(reference);
  }
  entry["nprobe"] = effort.nprobe;
  entry["ef_search"] = effort.ef_search;
  entry["seconds"] = seconds;
  entry["median"] = Median(seconds);
  entry["exact_median"] = Median(exact);
  entry["recall_reranked"] = data.Recall(found, kCandidates);
  entry["recall_without_rerank"] = data.Recall(found, kNeighbours);
  std::cout << entry.dump() << std::endl;
  results.push_back(std::move(entry));
  return {};
}

Status MeasureKey(const std::string& text, Data& data, const Options& options, Json& results) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const index::FactoryKey key, index::FactoryKey::Parse(text));
  malloc_trim(0);  // What an earlier index gave back does not hide what this one takes.
  const double before = OwnMemoryMb();
  Result<std::unique_ptr<ApproximateIndex>> built = Status(StatusCode::kInternal, "not built");
  const double seconds = Seconds([&] {
    built = ApproximateIndex::Build(key, data.Contents(), kernel::SupportedVariants().front(),
                                    AvailableThreads());
  });
  SIFTSEARCH_RETURN_IF_ERROR(built.status());
  const Json entry = {{"key", text},
                      {"n", options.rows},
                      {"queries", options.queries},
                      {"k", kNeighbours},
                      {"build_seconds", seconds},
                      {"memory_mb", (malloc_trim(0), OwnMemoryMb() - before)}};
  for (const Approximation& effort : Efforts(key)) {
    SIFTSEARCH_RETURN_IF_ERROR(MeasureSearch(**built, data, options, effort, entry, results));
  }
  return {};
}

Status Run(const Options& options) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Bytes real, RealDescriptors(options.images));
  Json report = {{"machine", Machine()},
                 {"threads", AvailableThreads()},
                 {"variant", kernel::VariantName(kernel::SupportedVariants().front())},
                 {"data", fmt::format("{} real descriptors, beyond them copies with seeded noise",
                                      real.size() / kDescriptorBytes)},
                 {"results", Json::array()}};
  std::cout << report.dump() << std::endl;
  Data data{.rows = Extended(real, options.rows, 1, Jitter::kRepeats),
            .queries = Extended(real, options.queries, 2, Jitter::kAll),
            .exact = {}};
  std::istringstream keys(options.keys);
  for (std::string key; std::getline(keys, key, ';');) {
    SIFTSEARCH_RETURN_IF_ERROR(MeasureKey(key, data, options, report["results"]));
  }
  if (options.json.empty()) return {};
  std::ofstream file(options.json);
  file << report.dump(1) << std::endl;
  return file ? Status() : Status(StatusCode::kIoError, options.json + " can't be written.");
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  using namespace siftsearch::bench;
  namespace po = boost::program_options;
  Options options;
  po::options_description named;
  named.add_options()("images", po::value(&options.images)->required(),
                      "folder of pictures to take descriptors from")(
      "rows", po::value(&options.rows), "rows [1000000]")(
      "keys", po::value(&options.keys), "Faiss factory keys, with semicolons between")(
      "queries", po::value(&options.queries), "query descriptors [1000]")(
      "rounds", po::value(&options.rounds), "rounds after a first one [3]")(
      "json", po::value(&options.json), "write the results to this file");
  return RunProgram("index_bench", argc, argv, named, [&] { return Run(options); });
}
