// Times exact search: each variant of our kernel against faiss::IndexFlatL2, in turn in one run,
// and the opening of a large database. Prints what it measures on, then the results as JSON.
//   search_bench --images FOLDER [--rows 100000,1000000] [--k 1,10,100] [--queries 1000]
//   search_bench --open-rows 10000000 --work FOLDER
#include <faiss/IndexFlat.h>
#include <omp.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "features/extractor.h"
#include "image/decode.h"
#include "kernel/topk.h"
#include "siftsearch/engine.h"

extern "C" void openblas_set_num_threads(int);

namespace siftsearch {
namespace {

namespace po = boost::program_options;
using Bytes = std::vector<std::uint8_t>;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string images;
  std::string rows = "100000,1000000";
  std::string ks = "10";
  std::size_t queries = 1000;
  int rounds = 3;
  std::size_t faiss_rows_max = 10'000'000;
  std::int64_t open_rows = 0;
  std::string work;
};

std::vector<std::size_t> Numbers(const std::string& list) {
  std::vector<std::size_t> numbers;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) numbers.push_back(std::stoull(word));
  return numbers;
}

template <typename Work>
double Seconds(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string Machine() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// All descriptors of the pictures in a folder.
Bytes RealDescriptors(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  const auto extractor = features::MakeExtractor({});
  std::vector<Bytes> parts(paths.size());
  ParallelFor(paths.size(), AvailableThreads(), [&](std::size_t i) {
    std::ifstream file(paths[i], std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
    const auto picture = image::DecodeGrey(bytes, {});
    if (!picture.ok()) return;
    const auto found = extractor.value()->Extract(*picture);
    if (found.ok()) parts[i] = found->descriptors;
  });
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// `count` rows: the real ones in turn, from the second turn on with noise of ±8 in each byte.
Bytes Extended(const Bytes& real, std::size_t count, unsigned seed, bool all_noisy) {
  std::mt19937 random(seed);
  Bytes rows(count * kDescriptorBytes);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int value = real[i % real.size()];
    const bool noisy = all_noisy || i >= real.size();
    const int noise = noisy ? static_cast<int>(random() % 17) - 8 : 0;
    rows[i] = static_cast<std::uint8_t>(std::clamp(value + noise, 0, 255));
  }
  return rows;
}

class FaissFlat {
 public:
  FaissFlat(const Bytes& rows, const Bytes& queries) : index_(kDescriptorBytes) {
    constexpr std::size_t kBlock = 100'000 * kDescriptorBytes;
    for (std::size_t i = 0; i < rows.size(); i += kBlock) {
      const std::size_t end = std::min(rows.size(), i + kBlock);
      const std::vector<float> block(rows.begin() + i, rows.begin() + end);
      index_.add(static_cast<faiss::Index::idx_t>((end - i) / kDescriptorBytes), block.data());
    }
    queries_.assign(queries.begin(), queries.end());
  }

  double Search(std::size_t k, int omp_threads, int blas_threads) {
    omp_set_num_threads(omp_threads);
    openblas_set_num_threads(blas_threads);
    const std::size_t n = queries_.size() / kDescriptorBytes;
    distances.resize(n * k);
    labels.resize(n * k);
    return Seconds([&] {
      index_.search(static_cast<faiss::Index::idx_t>(n), queries_.data(),
                    static_cast<faiss::Index::idx_t>(k), distances.data(), labels.data());
    });
  }

  std::vector<float> distances;
  std::vector<faiss::Index::idx_t> labels;

 private:
  faiss::IndexFlatL2 index_;
  std::vector<float> queries_;
};

struct Threads {
  int omp = 1;
  int blas = 1;
};

/// Faiss's best setting, found on a small part of the data.
Threads BestThreads(const Bytes& real, Json& report) {
  const Bytes rows = Extended(real, 100'000, 1, false);
  FaissFlat faiss(rows, Extended(real, 1000, 2, true));
  Threads best;
  double best_seconds = 1e9;
  for (int omp = 1; omp <= AvailableThreads(); ++omp) {
    for (int blas = 1; blas <= AvailableThreads(); ++blas) {
      faiss.Search(10, omp, blas);
      std::vector<double> times;
      for (int i = 0; i < 3; ++i) times.push_back(faiss.Search(10, omp, blas));
      report.push_back({{"omp", omp}, {"openblas", blas}, {"seconds", Median(times)}});
      if (Median(times) < best_seconds) {
        best_seconds = Median(times);
        best = {omp, blas};
      }
    }
  }
  return best;
}

/// True where our distances are Faiss's.
bool SameDistances(const std::vector<kernel::Neighbour>& ours, const FaissFlat& faiss) {
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (static_cast<float>(ours[i].distance) != faiss.distances[i]) return false;
  }
  return true;
}

Json SearchWorkload(const Options& options, const Bytes& real, std::size_t n, std::size_t k,
                    Threads faiss_threads) {
  const Bytes rows = Extended(real, n, 1, false);
  const Bytes queries = Extended(real, options.queries, 2, true);
  std::unique_ptr<FaissFlat> faiss;
  if (n <= options.faiss_rows_max) faiss = std::make_unique<FaissFlat>(rows, queries);
  const kernel::RowSpan span{rows.data(), n, 0};
  const auto variants = kernel::SupportedVariants();
  std::vector<std::vector<double>> ours(variants.size());
  std::vector<double> theirs;
  bool same = true;
  for (int round = 0; round <= options.rounds; ++round) {  // The first is not counted.
    const double seconds = faiss ? faiss->Search(k, faiss_threads.omp, faiss_threads.blas) : 0;
    if (round > 0) theirs.push_back(seconds);
    for (std::size_t v = 0; v < variants.size(); ++v) {
      std::vector<kernel::Neighbour> found;
      Status status;
      const double taken = Seconds([&] {
        status = kernel::TopK({&span, 1}, kDescriptorBytes, queries,
                              {static_cast<int>(k), AvailableThreads(), variants[v]}, &found);
      });
      if (!status.ok()) std::cerr << status.message() << '\n';
      if (faiss) same &= SameDistances(found, *faiss);
      if (round > 0) ours[v].push_back(taken);
    }
  }
  Json result = {{"rows", n}, {"k", k}, {"queries", options.queries}, {"same_distances", same}};
  if (faiss) result["faiss_flat_seconds"] = Median(theirs);
  for (std::size_t v = 0; v < variants.size(); ++v) {
    Json entry = {{"seconds", Median(ours[v])}};
    if (faiss) entry["ratio"] = Median(theirs) / Median(ours[v]);
    result[std::string(kernel::VariantName(variants[v]))] = entry;
  }
  return result;
}

/// A database of pictures with 1,000 random descriptors each, unless it is there already.
Status MakeDatabase(const std::string& folder, std::int64_t rows) {
  auto engine = Engine::Open(folder, {.create = true});
  if (!engine.ok()) return engine.status();
  SearchBackend& backend = engine.value()->backend();
  const auto stats = backend.Stats();
  if (!stats.ok()) return stats.status();
  std::mt19937_64 random(1);
  std::vector<PutItem> items;
  for (std::int64_t image = stats->images; image < rows / 1000; ++image) {
    auto features = std::make_shared<FeatureSet>();
    features->width = features->height = 640;
    features->keypoints.resize(1000, {100, 100, 5, 0});
    features->descriptors.resize(1000 * kDescriptorBytes);
    for (std::size_t i = 0; i < features->descriptors.size(); i += 8) {
      const std::uint64_t bits = random() & 0x7f7f7f7f7f7f7f7f;
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&bits), 8, &features->descriptors[i]);
    }
    PutItem item;
    item.path = "/picture/" + std::to_string(image);
    for (std::size_t i = 0; i < 8; ++i) item.hash[i] = static_cast<std::uint8_t>(image >> (8 * i));
    item.features = std::move(features);
    items.push_back(std::move(item));
    if (items.size() < 200 && image + 1 < rows / 1000) continue;
    const auto put = backend.Put(items);
    if (!put.ok()) return put.status();
    items.clear();
  }
  return backend.Compact();
}

/// Process memory in MB: without the pages of mapped files.
double OwnMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1024;
  }
  return 0;
}

Json OpenWorkload(const Options& options) {
  const std::string folder = options.work + "/open.db";
  if (const Status made = MakeDatabase(folder, options.open_rows); !made.ok()) {
    return {{"error", made.message()}};
  }
  std::vector<double> times;
  BackendStats stats;
  for (int i = 0; i < 11; ++i) {
    times.push_back(Seconds([&] {
      const auto engine = Engine::Open(folder, {.read_only = true});
      if (engine.ok()) stats = engine.value()->backend().Stats().value();
    }));
  }
  return {{"descriptors", stats.descriptors},
          {"images", stats.images},
          {"segments", stats.segments},
          {"bytes_per_descriptor",
           static_cast<double>(stats.segment_bytes + stats.catalog_bytes) / stats.descriptors},
          {"open_ms", Median(times) * 1000},
          {"own_memory_mb", OwnMemory()}};
}

int Main(int argc, char** argv) {
  Options options;
  po::options_description named("search_bench");
  named.add_options()("images", po::value(&options.images), "folder of pictures")(
      "rows", po::value(&options.rows), "numbers of rows")("k", po::value(&options.ks), "ks")(
      "queries", po::value(&options.queries), "query descriptors")(
      "rounds", po::value(&options.rounds), "rounds")(
      "faiss-rows-max", po::value(&options.faiss_rows_max), "leave Faiss out above")(
      "open-rows", po::value(&options.open_rows), "time the opening of so many descriptors")(
      "work", po::value(&options.work), "folder for the database to open");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, named), values);
  po::notify(values);
  Json report = {{"machine", Machine()},
                 {"threads", AvailableThreads()},
                 {"kernel", kernel::VariantName(kernel::SupportedVariants().front())}};
  if (options.open_rows > 0) report["open"] = OpenWorkload(options);
  if (!options.images.empty()) {
    const Bytes real = RealDescriptors(options.images);
    report["data"] = std::to_string(real.size() / kDescriptorBytes) +
                     " real descriptors, beyond them copies with noise of ±8; queries with noise";
    std::cerr << report.dump() << '\n';
    const Threads threads = BestThreads(real, report["faiss_threads"]);
    for (const std::size_t n : Numbers(options.rows)) {
      for (const std::size_t k : Numbers(options.ks)) {
        report["search"].push_back(SearchWorkload(options, real, n, k, threads));
        std::cerr << report["search"].back().dump() << '\n';
      }
    }
  }
  std::cout << report.dump(1) << std::endl;
  return 0;
}

}  // namespace
}  // namespace siftsearch

int main(int argc, char** argv) { return siftsearch::Main(argc, argv); }
