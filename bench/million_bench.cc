// Simulates the search of one picture in many times the images of a database: its segments are
// listed many times over, each time with other terms.
//   million_bench --db DB [--times 10] [--queries 20]
// The first time the terms are the rows' own. Each other time a row has the word that it has, and
// each byte of its signs from another row of that word, so that lists are as long and signs as
// common as they are. Queries are the features of stored images as copies have them. Prints a line
// of JSON: seconds of each search, of a process that has searched before; bytes of the terms.
#include <algorithm>
#include <boost/program_options.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench_data.h"
#include "catalog/catalog.h"
#include "env/file_env.h"
#include "kernel/topk.h"
#include "lists/terms_file.h"
#include "lists/vocabulary.h"
#include "local/search.h"
#include "local/snapshot.h"
#include "local/terms_keeper.h"
#include "local/terms_view.h"
#include "made_images.h"
#include "program.h"

namespace siftsearch::bench {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using lists::Term;
using lists::TermsFile;

constexpr int kNeighbours = 10;
constexpr int kSignBytes = 8;

struct Options {
  std::string db;
  int times = 10;
  std::size_t queries = 20;
};

struct Many {
  std::shared_ptr<const local::Snapshot> snapshot;
  std::vector<std::shared_ptr<const TermsFile>> terms;  ///< One for each part.
  std::int64_t bytes = 0;                               ///< Of the terms.
};

/// Each byte of a row's signs becomes that of another row of its word.
void MixSigns(std::vector<Term>& terms, std::uint64_t seed) {
  std::vector<std::vector<std::uint64_t>> of_word(lists::kWords);
  for (const Term& term : terms) of_word[term.word].push_back(term.signs);
  Random random(seed);
  for (Term& term : terms) {
    const auto& signs = of_word[term.word];
    std::uint64_t mixed = 0;
    for (int byte = 0; byte < kSignBytes; ++byte) {
      mixed |= signs[random() % signs.size()] & (std::uint64_t{0xFF} << (8 * byte));
    }
    term.signs = mixed;
  }
}

Result<std::vector<std::uint8_t>> MixedTerms(const TermsFile& file, std::uint64_t seed) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::vector<Term> terms, file.ByRow());
  MixSigns(terms, seed);
  return lists::EncodeTerms(
      {.vocabulary = lists::Vocabulary::Shipped().digest(), .segment = file.segment()},
      file.contents(), terms);
}

Result<Many> Load(FileEnv& env, const Options& options) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto catalog,
                              catalog::Catalog::Open(options.db + "/catalog.sqlite", {}));
  SIFTSEARCH_ASSIGN_OR_RETURN(catalog::Listing listing, catalog->ReadListing());
  const std::vector<catalog::SegmentRecord> once = listing.segments;
  if (options.times < 1 || once.empty()) {
    return Status(StatusCode::kInvalidArgument, "--times is below 1, or the database is empty");
  }
  for (int i = 1; i < options.times; ++i) {
    listing.segments.insert(listing.segments.end(), once.begin(), once.end());
  }
  Many many;
  SIFTSEARCH_ASSIGN_OR_RETURN(many.snapshot,
                              local::Snapshot::Open(env, options.db + "/segments",
                                                    catalog->settings_digests(), listing, nullptr));
  const std::uint64_t vocabulary = lists::Vocabulary::Shipped().digest();
  for (const catalog::SegmentRecord& segment : once) {
    const std::string path = local::TermsPath(options.db, segment.id);
    SIFTSEARCH_ASSIGN_OR_RETURN(many.terms.emplace_back(), TermsFile::Open(env, path, vocabulary));
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t bytes, env.FileSize(path));
    many.bytes += options.times * bytes;
  }
  many.terms.resize(listing.segments.size());
  std::vector<Status> statuses(many.terms.size());
  ParallelFor(many.terms.size() - once.size(), AvailableThreads(), [&](std::size_t i) {
    auto bytes = MixedTerms(*many.terms[i % once.size()], i);
    if (!(statuses[i] = bytes.status()).ok()) return;
    auto file = TermsFile::Of("mixed terms", std::move(*bytes), vocabulary);
    if ((statuses[i] = file.status()).ok()) many.terms[once.size() + i] = std::move(*file);
  });
  for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
  return many;
}

/// A stored image and its features as a copy has them.
struct Query {
  std::int64_t content = 0;
  FeatureSet features;
};

/// Images spread over the segments.
Result<std::vector<Query>> Queries(const local::Snapshot& snapshot, std::size_t segments,
                                   std::size_t count) {
  std::vector<Query> queries(count);
  for (std::size_t i = 0; i < count; ++i) {
    const SegmentReader& reader = *snapshot.parts()[i % segments].reader;
    const auto contents = reader.contents();
    const SegmentContent& entry = contents[i * contents.size() / count];
    Query& query = queries[i];
    query.content = entry.content;
    SIFTSEARCH_ASSIGN_OR_RETURN(FeatureSet stored, reader.Features(entry.content));
    query.features = Copied(std::move(stored), i);
  }
  return queries;
}

Status Run(const Options& options) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Many many, Load(DiskEnv(), options));
  const local::TermsView view(many.snapshot, many.terms);
  const int threads = AvailableThreads();
  const std::size_t segments = many.terms.size() / static_cast<std::size_t>(options.times);
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<Query> queries,
                              Queries(*many.snapshot, segments, options.queries));
  const kernel::Variant variant = kernel::SupportedVariants().front();
  std::size_t first = 0, descriptors = 0;
  std::vector<double> seconds;
  for (const bool before : {true, false}) {
    for (const Query& query : queries) {
      const SearchQuery search = {.features = &query.features};
      std::optional<Result<std::vector<SearchResult>>> results;
      const double taken = Seconds([&] {
        results = local::SearchSnapshot(*many.snapshot, &view, {&search, 1},
                                        {.neighbours = kNeighbours, .threads = threads}, variant);
      });
      SIFTSEARCH_RETURN_IF_ERROR(results->status());
      if (before) continue;
      const auto& candidates = (*results)->front().candidates;
      first += !candidates.empty() && candidates.front().content == query.content;
      descriptors += query.features.size();
      seconds.push_back(taken);
    }
  }
  std::cout << Json{{"rows", many.snapshot->rows()},
                    {"queries", queries.size()},
                    {"descriptors", descriptors},
                    {"first", first},
                    {"seconds", seconds},
                    {"terms_bytes", many.bytes}}
                   .dump()
            << std::endl;
  return {};
}

po::options_description Named(Options& options) {
  po::options_description named;
  named.add_options()("db", po::value(&options.db)->required(), "database, indexed by terms")(
      "times", po::value(&options.times), "how often its segments are listed [10]")(
      "queries", po::value(&options.queries), "images to query [20]");
  return named;
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  using namespace siftsearch::bench;
  Options options;
  return RunProgram("million_bench", argc, argv, Named(options), [&] { return Run(options); });
}
