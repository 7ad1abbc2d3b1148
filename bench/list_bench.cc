// Times the search of a database's index against Faiss's inverted lists over the same rows, at
// equal recall.
//   list_bench --db DB [--keys 'IVF1024,Flat;IVF1024,PQ64x4fs'] [--images 50] [--rounds 2]
// Queries are the features of stored images as copies have them, 60 to 130 (L2) from their own;
// recall is the share of them that find their image among the ten nearest rows. Faiss visits ever
// more lists until its recall is the database's. Prints a line of JSON.
#include <faiss/IndexIVF.h>
#include <faiss/index_factory.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench_data.h"
#include "made_images.h"
#include "program.h"
#include "siftsearch/engine.h"

namespace siftsearch::bench {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using Label = faiss::Index::idx_t;

constexpr int kNeighbours = 10;
constexpr int kMostLists = 512;

struct Options {
  std::string db, keys = "IVF1024,Flat;IVF1024,PQ64x4fs";
  std::size_t images = 50;
  int rounds = 2;
};

struct Data {
  std::vector<float> rows;
  std::vector<std::int64_t> content;  ///< Of each row.
  std::vector<FeatureSet> queries;
  std::vector<std::int64_t> wanted;  ///< The content of each query.
  std::size_t descriptors = 0;       ///< Of all queries.
};

Result<Data> Load(const BackendSnapshot& stored, std::size_t count) {
  Data data;
  std::vector<std::int64_t> contents;
  SIFTSEARCH_RETURN_IF_ERROR(stored.List([&](const ImageRecord& image) {
    contents.push_back(image.content);
    return true;
  }));
  count = std::min(count, contents.size());
  std::set<std::int64_t> queried;
  for (std::size_t i = 0; i < count; ++i) queried.insert(contents[i * contents.size() / count]);
  for (const std::int64_t content : contents) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto of_content, stored.Features({&content, 1}));
    FeatureSet& features = of_content.front();
    data.rows.insert(data.rows.end(), features.descriptors.begin(), features.descriptors.end());
    data.content.resize(data.rows.size() / kDescriptorBytes, content);
    if (!queried.contains(content)) continue;
    data.descriptors += features.size();
    data.queries.push_back(Copied(std::move(features), static_cast<std::uint64_t>(content)));
    data.wanted.push_back(content);
  }
  return data;
}

/// Descriptors that voted for their own image.
std::size_t Found(const Data& data, const std::vector<SearchResult>& results) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (const VotedContent& voted : results[i].candidates) {
      if (voted.content != data.wanted[i]) continue;
      std::set<std::int32_t> descriptors;
      for (const VotedPair& pair : voted.pairs) descriptors.insert(pair.query);
      found += descriptors.size();
    }
  }
  return found;
}

Result<Json> MeasureOurs(const BackendSnapshot& stored, const Data& data, int rounds) {
  std::vector<SearchQuery> queries;
  for (const FeatureSet& features : data.queries) queries.push_back({.features = &features});
  std::vector<double> seconds;
  std::size_t found = 0;
  for (int round = 0; round <= rounds; ++round) {
    Status status;
    const double taken = Seconds([&] {
      const auto results =
          stored.Search(queries, {.neighbours = kNeighbours, .threads = AvailableThreads()});
      status = results.status();
      if (results.ok()) found = Found(data, *results);
    });
    SIFTSEARCH_RETURN_IF_ERROR(status);
    if (round > 0) seconds.push_back(taken);
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, stored.Stats());
  return Json{{"index", stats.index},
              {"recall", static_cast<double>(found) / static_cast<double>(data.descriptors)},
              {"seconds", seconds}};
}

struct FaissSearch {
  double recall = 0;
  double seconds = 0;
};

FaissSearch SearchFaiss(const faiss::Index& index, const Data& data,
                        const std::vector<float>& queries) {
  const std::size_t count = data.descriptors;
  std::vector<float> distances(count * kNeighbours);
  std::vector<Label> labels(count * kNeighbours);
  FaissSearch result;
  result.seconds = Seconds([&] {
    index.search(static_cast<Label>(count), queries.data(), kNeighbours, distances.data(),
                 labels.data());
  });
  std::size_t found = 0, i = 0;
  for (std::size_t query = 0; query < data.queries.size(); ++query) {
    for (std::size_t end = i + data.queries[query].size(); i < end; ++i) {
      const auto first = labels.begin() + static_cast<std::ptrdiff_t>(i * kNeighbours);
      found += std::any_of(first, first + kNeighbours, [&](Label row) {
        return row >= 0 && data.content[static_cast<std::size_t>(row)] == data.wanted[query];
      });
    }
  }
  result.recall = static_cast<double>(found) / static_cast<double>(count);
  return result;
}

/// Doubles the lists that are visited until the recall is reached.
Json MeasureFaiss(const std::string& key, const Data& data, double recall, int rounds) {
  const std::unique_ptr<faiss::Index> index(faiss::index_factory(kDescriptorBytes, key.c_str()));
  const auto rows = static_cast<Label>(data.content.size());
  const double build = Seconds([&] {
    index->train(rows, data.rows.data());
    index->add(rows, data.rows.data());
  });
  std::vector<float> queries;
  for (const FeatureSet& features : data.queries) {
    queries.insert(queries.end(), features.descriptors.begin(), features.descriptors.end());
  }
  auto& lists = dynamic_cast<faiss::IndexIVF&>(*index);
  Json result = {{"index", key}, {"build_seconds", build}};
  FaissSearch last;
  for (lists.nprobe = 1;; lists.nprobe *= 2) {
    last = SearchFaiss(*index, data, queries);
    if (last.recall >= recall || lists.nprobe >= std::min<std::size_t>(lists.nlist, kMostLists))
      break;
  }
  std::vector<double> seconds;
  for (int i = 0; i < rounds; ++i) seconds.push_back(SearchFaiss(*index, data, queries).seconds);
  result["nprobe"] = lists.nprobe;
  result["recall"] = last.recall;
  result["seconds"] = seconds;
  return result;
}

Status Run(const Options& options) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto engine, Engine::Open(options.db, {.read_only = true}));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto stored, engine->backend().Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const Data data, Load(*stored, options.images));
  SIFTSEARCH_ASSIGN_OR_RETURN(const Json ours, MeasureOurs(*stored, data, options.rounds));
  Json report = {{"rows", data.content.size()}, {"queries", data.descriptors}, {"ours", ours}};
  std::istringstream keys(options.keys);
  for (std::string key; std::getline(keys, key, ';');) {
    report["faiss"].push_back(MeasureFaiss(key, data, ours["recall"], options.rounds));
  }
  std::cout << report.dump() << std::endl;
  return Status();
}

po::options_description Named(Options& options) {
  po::options_description named;
  named.add_options()("db", po::value(&options.db)->required(), "database")(
      "keys", po::value(&options.keys), "factory keys of Faiss's IVF kinds, semicolons between")(
      "images", po::value(&options.images), "images to query [50]")(
      "rounds", po::value(&options.rounds), "rounds after a first one [2]");
  return named;
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  using namespace siftsearch::bench;
  Options options;
  return RunProgram("list_bench", argc, argv, Named(options), [&] { return Run(options); });
}
