// Times exact search, each variant of our kernel and faiss::IndexFlatL2 in turn in one run, and the
// opening of a large database. Prints what it measures on, then the results.
//   search_bench --workload search --images FOLDER [--rows 100000,1000000] [--k 1,10,100]
//   search_bench --workload threads --images FOLDER
//   search_bench --workload open|memory --rows 10000000 [--work FOLDER]
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench_data.h"
#include "faiss_flat.h"
#include "kernel/topk.h"
#include "open_workload.h"
#include "program.h"
#include "siftsearch/types.h"

namespace siftsearch::bench {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using kernel::Neighbour;
using kernel::Variant;

constexpr std::size_t kTrialRows = 100'000;
constexpr std::uint64_t kRowSeed = 1, kQuerySeed = 2;

struct Options {
  std::string workload = "search";
  std::string images, rows = "100000,1000000", ks = "1,10,100", variants = "all", json, work;
  std::size_t queries = 1000;
  int rounds = 3;
  std::size_t faiss_rows_max = 10'000'000;
};

std::vector<std::string> Words(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

std::vector<std::size_t> Numbers(const std::string& list) {
  std::vector<std::size_t> numbers;
  for (const std::string& word : Words(list)) numbers.push_back(std::stoull(word));
  return numbers;
}

Result<std::vector<Variant>> Variants(const std::string& list) {
  if (list == "all") return kernel::SupportedVariants();
  std::vector<Variant> variants;
  for (const std::string& name : Words(list)) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const Variant variant, kernel::VariantNamed(name));
    variants.push_back(variant);
  }
  return variants;
}

/// Rows, queries and, unless there are too many rows, Faiss over them.
struct Data {
  Data(const Bytes& real, std::size_t n, const Options& options)
      : rows(Extended(real, n, kRowSeed, Jitter::kRepeats)),
        queries(Extended(real, options.queries, kQuerySeed, Jitter::kAll)) {
    if (n <= options.faiss_rows_max) faiss = std::make_unique<FaissFlat>(rows, queries);
  }

  Bytes rows;
  Bytes queries;
  std::unique_ptr<FaissFlat> faiss;
};

/// One comparison: a number of rows, a k, a number of threads; all variants.
struct Case {
  std::string workload;
  std::size_t n = 0;
  std::size_t k = 0;
  int threads = 1;
  FaissThreads faiss_threads;
};

struct Times {
  std::vector<std::vector<double>> ours;  ///< Of each variant, round by round.
  std::vector<double> faiss;
  bool same_answers = true;
};

/// Measures round after round: Faiss, then each variant. The first round is not counted.
Result<Times> Measure(const Case& item, Data& data, const std::vector<Variant>& variants,
                      int rounds) {
  Times times{.ours = std::vector<std::vector<double>>(variants.size()), .faiss = {}};
  const kernel::RowSpan span{data.rows.data(), item.n, 0};
  std::vector<Neighbour> first, found;
  for (int round = 0; round <= rounds; ++round) {
    const double seconds = data.faiss ? data.faiss->Search(item.k, item.faiss_threads) : 0;
    if (data.faiss && round > 0) times.faiss.push_back(seconds);
    for (std::size_t v = 0; v < variants.size(); ++v) {
      Status status;
      const double taken = Seconds([&] {
        status = kernel::TopK({&span, 1}, kDescriptorBytes, data.queries,
                              {static_cast<int>(item.k), item.threads, variants[v]}, &found);
      });
      SIFTSEARCH_RETURN_IF_ERROR(status);
      if (round > 0) times.ours[v].push_back(taken);
      if (first.empty()) first = found;
      times.same_answers &= found == first;
    }
  }
  if (data.faiss) times.same_answers &= data.faiss->Agrees(first);
  return times;
}

Json ResultJson(const Case& item, const Options& options, Variant variant, const Times& times,
                const std::vector<double>& seconds) {
  Json json = {{"workload", item.workload},
               {"variant", kernel::VariantName(variant)},
               {"n", item.n},
               {"k", item.k},
               {"queries", options.queries},
               {"threads", item.threads},
               {"seconds", seconds},
               {"median", Median(seconds)}};
  if (!times.faiss.empty()) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < seconds.size(); ++i) ratios.push_back(times.faiss[i] / seconds[i]);
    json["faiss_seconds"] = times.faiss;
    json["faiss_median"] = Median(times.faiss);
    json["faiss_threads"] = {{"omp", item.faiss_threads.omp},
                             {"openblas", item.faiss_threads.openblas}};
    json["ratio"] = Median(times.faiss) / Median(seconds);
    json["ratio_per_round"] = ratios;
  }
  json["same_answers"] = times.same_answers;
  return json;
}

void PrintResult(const Json& json) {
  std::string line = fmt::format("{} n={} k={} threads={} {}: {:.4f} s",
                                 json["workload"].get<std::string>(), json["n"].get<std::size_t>(),
                                 json["k"].get<std::size_t>(), json["threads"].get<int>(),
                                 json["variant"].get<std::string>(), json["median"].get<double>());
  if (json.contains("ratio")) {
    line += fmt::format("; faiss {:.4f} s; ratio {:.2f}, per round",
                        json["faiss_median"].get<double>(), json["ratio"].get<double>());
    for (const double ratio : json["ratio_per_round"]) line += fmt::format(" {:.2f}", ratio);
  }
  std::cout << line << "; same answers: " << (json["same_answers"].get<bool>() ? "yes" : "NO")
            << std::endl;
}

/// Faiss's best setting for each k and each limit of threads.
class BestFaissThreads {
 public:
  BestFaissThreads(const Bytes& real, const Options& options)
      : rows_(std::min(kTrialRows, std::ranges::max(Numbers(options.rows)))),
        data_(real, rows_, options),
        may_run_(data_.faiss != nullptr) {}

  FaissThreads Of(std::size_t k, int max_threads) {
    if (!may_run_) return {};
    const auto [entry, first] = best_.try_emplace({k, max_threads});
    if (first) entry->second = Find(k, max_threads);
    return entry->second;
  }

 private:
  FaissThreads Find(std::size_t k, int max_threads) {
    const std::vector<FaissTrial> trials = TryFaissThreads(*data_.faiss, k, max_threads);
    for (const FaissTrial& trial : trials) {
      std::cout << fmt::format("faiss setting n={} k={}: omp {} openblas {}: {:.4f} s\n", rows_, k,
                               trial.threads.omp, trial.threads.openblas, trial.seconds);
    }
    return trials.front().threads;
  }

  const std::size_t rows_;
  Data data_;
  const bool may_run_;
  std::map<std::pair<std::size_t, int>, FaissThreads> best_;
};

/// The times of each tenfold number of rows, one beside the other.
void AddScaling(Json& report) {
  for (const Json& small : report["results"]) {
    for (const Json& large : report["results"]) {
      if (large["n"] != 10 * small["n"].get<std::size_t>() || large["k"] != small["k"] ||
          large["variant"] != small["variant"] || large["threads"] != small["threads"]) {
        continue;
      }
      Json entry = {{"variant", small["variant"]},
                    {"k", small["k"]},
                    {"threads", small["threads"]},
                    {"n", {small["n"], large["n"]}},
                    {"ratio", large["median"].get<double>() / small["median"].get<double>()}};
      std::cout << fmt::format("time(n={}) / time(n={}), k={} {}: {:.2f}\n",
                               large["n"].get<std::size_t>(), small["n"].get<std::size_t>(),
                               small["k"].get<std::size_t>(), small["variant"].get<std::string>(),
                               entry["ratio"].get<double>());
      report["scaling"].push_back(std::move(entry));
    }
  }
}

Status SearchWorkload(const Options& options, Json& report) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto variants, Variants(options.variants));
  SIFTSEARCH_ASSIGN_OR_RETURN(const Bytes real, RealDescriptors(options.images));
  report["data"] = fmt::format(
      "{} real descriptors of the pictures; rows beyond them are copies with seeded noise of -8 to "
      "8 in each byte; queries are real descriptors with other noise",
      real.size() / kDescriptorBytes);
  std::cout << "data: " << report["data"].get<std::string>() << std::endl;
  const int cores = AvailableThreads();
  BestFaissThreads best(real, options);
  for (const std::size_t n : Numbers(options.rows)) {
    Data data(real, n, options);
    for (const std::size_t k : Numbers(options.ks)) {
      for (int t = options.workload == "threads" ? 1 : cores; t <= cores; ++t) {
        const Case item = {options.workload, n, k, t, best.Of(k, t)};
        SIFTSEARCH_ASSIGN_OR_RETURN(const Times times,
                                    Measure(item, data, variants, options.rounds));
        for (std::size_t v = 0; v < variants.size(); ++v) {
          report["results"].push_back(ResultJson(item, options, variants[v], times, times.ours[v]));
          PrintResult(report["results"].back());
        }
      }
    }
  }
  AddScaling(report);
  return Status();
}

Json OpenJson(const std::string& workload, const DatabaseSize& size,
              const std::vector<OpenTrial>& trials) {
  std::vector<double> open, query, process, memory, peak;
  for (const OpenTrial& trial : trials) {
    open.push_back(trial.open_seconds);
    query.push_back(trial.query_seconds);
    process.push_back(trial.process_seconds);
    memory.push_back(trial.private_mb);
    peak.push_back(trial.peak_mb);
  }
  Json json = {{"workload", workload},
               {"n", size.descriptors},
               {"images", size.images},
               {"segments", size.segments},
               {"bytes_per_descriptor", static_cast<double>(size.bytes) / size.descriptors},
               {"seconds", open},
               {"median", Median(open)},
               {"process_median", Median(process)},
               {"private_mb", Median(memory)},
               {"peak_mb_with_mapped_files", Median(peak)}};
  if (workload == "memory") json["query_median"] = Median(query);
  return json;
}

/// "open" opens the database; "memory" queries it, too.
Status OpenWorkload(const Options& options, Json& report) {
  const bool query = options.workload == "memory";
  report["data"] = "synthetic descriptors, 1000 in each content";
  std::cout << "data: " << report["data"].get<std::string>() << std::endl;
  for (const std::size_t n : Numbers(options.rows)) {
    const std::string folder = fmt::format("{}/rows-{}.db", options.work, n);
    SIFTSEARCH_ASSIGN_OR_RETURN(const DatabaseSize size,
                                MakeDatabase(folder, static_cast<std::int64_t>(n)));
    for (const bool with_query : {false, true}) {
      if (with_query && !query) continue;
      SIFTSEARCH_ASSIGN_OR_RETURN(const auto trials,
                                  TryOpening(folder, options.rounds, with_query));
      report["results"].push_back(OpenJson(with_query ? "memory" : "open", size, trials));
      std::cout << report["results"].back().dump() << std::endl;
    }
  }
  return Status();
}

/// Runs `work` with a folder to work in: the one given, or a new one that goes afterwards.
template <typename Work>
Status WithFolder(Options options, const Work& work) {
  const bool temporary = options.work.empty();
  if (temporary) {
    std::string name = std::filesystem::temp_directory_path() / "siftsearch-bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
      return Status(StatusCode::kIoError, "No folder " + name + " can be made.");
    }
    options.work = name;
  }
  std::error_code ignored;
  std::filesystem::create_directories(options.work, ignored);
  const Status status = work(options);
  if (temporary) std::filesystem::remove_all(options.work, ignored);
  return status;
}

Result<Json> MachineJson() {
  const Variant variant = kernel::SupportedVariants().front();
  Json report = {{"machine", Machine()},
                 {"cpu_features", CpuFeatures()},
                 {"variant", kernel::VariantName(variant)},
                 {"threads", AvailableThreads()},
                 {"data", ""},
                 {"results", Json::array()}};
  std::cout << "machine: " << Machine() << "\ncpu features: " << report["cpu_features"].dump()
            << "\nkernel variant: " << kernel::VariantName(variant)
            << "\nthreads: " << AvailableThreads() << std::endl;
  return report;
}

Status WriteJson(const Json& report, const std::string& path) {
  if (path.empty()) return Status();
  std::ofstream file(path);
  file << report.dump(1) << std::endl;
  return file ? Status() : Status(StatusCode::kIoError, path + " can't be written.");
}

Status Run(const Options& options) {
  const std::string& workload = options.workload;
  if (workload.starts_with("child-")) {
    return OpenInThisProcess(options.work, workload == "child-query");
  }
  const bool search = workload == "search" || workload == "threads";
  if (!search && workload != "open" && workload != "memory") {
    return Status(StatusCode::kInvalidArgument,
                  "There is no workload " + workload + ": search, threads, open or memory.");
  }
  if (search && options.images.empty()) {
    return Status(StatusCode::kInvalidArgument, "This workload takes --images FOLDER.");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(Json report, MachineJson());
  const Status status =
      search ? SearchWorkload(options, report)
             : WithFolder(options, [&](const Options& o) { return OpenWorkload(o, report); });
  SIFTSEARCH_RETURN_IF_ERROR(status);
  return WriteJson(report, options.json);
}

po::options_description Named(Options& options) {
  po::options_description named;
  named.add_options()("workload", po::value(&options.workload),
                      "search, threads, open or memory [search]")(
      "images", po::value(&options.images), "folder of pictures to take descriptors from")(
      "rows", po::value(&options.rows), "numbers of rows [100000,1000000]")(
      "k", po::value(&options.ks), "numbers of neighbours [1,10,100]")(
      "queries", po::value(&options.queries), "query descriptors [1000]")(
      "rounds", po::value(&options.rounds), "rounds after a first one [3]")(
      "variants", po::value(&options.variants), "all, or names with commas [all]")(
      "faiss-rows-max", po::value(&options.faiss_rows_max), "no Faiss above [10000000]")(
      "work", po::value(&options.work), "folder to make, or find, databases in [a temporary one]")(
      "json", po::value(&options.json), "write the results to this file");
  return named;
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  using namespace siftsearch::bench;
  Options options;
  return RunProgram("search_bench", argc, argv, Named(options), [&] { return Run(options); });
}
