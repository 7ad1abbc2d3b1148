// Writes a database of many images that do not exist, with known copies among them: features are
// made of those of real pictures (made_images.h), without a picture to decode.
//   make_database --pictures FOLDER --images 10000 --db FOLDER --truth FILE [--index Terms]
// One image in `--copy-every` is a copy of an earlier one; FILE lists the pairs: copy,original.
// Prints a line of JSON: what was made, and the distances of descriptors to the nearest one of
// another image, real and made, by quantiles.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench_data.h"
#include "kernel/topk.h"
#include "made_images.h"
#include "program.h"
#include "siftsearch/engine.h"

namespace siftsearch::bench {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kBatch = 1000;  // Some 110 MB.
constexpr std::size_t kComparedRows = 100'000, kCompared = 300;

struct Options {
  std::string pictures, db, truth, index = "Terms";
  std::int64_t images = 1000, copy_every = 10;
  std::size_t pool = 600;
  MadeImages::Options made;
};

std::string PathOf(std::int64_t number) { return fmt::format("/made/{:07}.jpg", number); }

/// The original of an image that is a copy, else -1: any earlier image that is none.
std::int64_t OriginalOf(std::int64_t number, const Options& options) {
  if (options.copy_every < 2 || number % options.copy_every != options.copy_every - 1) return -1;
  Random random(static_cast<std::uint64_t>(number));
  const std::int64_t any = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(number));
  return any % options.copy_every == options.copy_every - 1 ? any - 1 : any;
}

PutItem ItemOf(const MadeImages& made, std::int64_t number, const Options& options) {
  const std::int64_t original = OriginalOf(number, options);
  PutItem item;
  item.path = PathOf(number);
  const std::int64_t hash = number + 1;
  std::memcpy(item.hash.data(), &hash, sizeof(hash));
  item.features = std::make_shared<FeatureSet>(original < 0 ? made.Original(number)
                                                            : made.Copy(original, number));
  return item;
}

Result<std::int64_t> PutAll(SearchBackend& backend, const MadeImages& made,
                            const Options& options) {
  std::ofstream truth(options.truth);
  truth << "copy,original\n";
  std::int64_t copies = 0;
  for (std::int64_t first = 0; first < options.images; first += kBatch) {
    std::vector<PutItem> items(static_cast<std::size_t>(std::min(kBatch, options.images - first)));
    ParallelFor(items.size(), AvailableThreads(), [&](std::size_t i) {
      items[i] = ItemOf(made, first + static_cast<std::int64_t>(i), options);
    });
    SIFTSEARCH_RETURN_IF_ERROR(backend.Put(items).status());
    const std::int64_t end = first + static_cast<std::int64_t>(items.size());
    for (std::int64_t number = first; number < end; ++number) {
      const std::int64_t original = OriginalOf(number, options);
      if (original < 0) continue;
      truth << PathOf(number) << ',' << PathOf(original) << '\n';
      ++copies;
    }
    std::cerr << fmt::format("\r{} of {} images", end, options.images) << std::flush;
  }
  std::cerr << '\n';
  truth.close();
  if (!truth) return Status(StatusCode::kIoError, options.truth + " can't be written.");
  return copies;
}

struct Rows {
  Bytes bytes;
  std::vector<std::uint32_t> image;
};

/// Quantiles 5, 25, 50, 75 and 95 % of the distances of some rows to the nearest one of another
/// image.
Json NearestOfOthers(const Rows& rows) {
  const auto distance = kernel::DistanceOf(kernel::SupportedVariants().front());
  const std::size_t count = rows.image.size(), compared = std::min(kCompared, count);
  std::vector<double> nearest(compared);
  ParallelFor(compared, AvailableThreads(), [&](std::size_t i) {
    const std::size_t query = i * count / compared;
    auto best = std::numeric_limits<double>::max();
    for (std::size_t row = 0; row < count; ++row) {
      if (rows.image[row] == rows.image[query]) continue;
      best = std::min(best, static_cast<double>(distance(&rows.bytes[query * kDescriptorBytes],
                                                         &rows.bytes[row * kDescriptorBytes],
                                                         kDescriptorBytes)));
    }
    nearest[i] = std::sqrt(best);
  });
  std::sort(nearest.begin(), nearest.end());
  Json quantiles = Json::array();
  for (const std::size_t percent : {5, 25, 50, 75, 95}) {
    quantiles.push_back(std::lround(nearest[percent * (compared - 1) / 100]));
  }
  return quantiles;
}

/// As many rows of real and of made images, and how they lie.
Json ComparedDistances(const MadeImages& made, const Options& options) {
  Rows real{made.rows(), made.picture_of_row()};
  const std::size_t count = std::min(kComparedRows, real.image.size());
  real.bytes.resize(count * kDescriptorBytes);
  real.image.resize(count);
  Rows others;
  for (std::uint32_t number = 0; others.image.size() < count; ++number) {
    const FeatureSet features = made.Original(options.images + number);
    others.bytes.insert(others.bytes.end(), features.descriptors.begin(),
                        features.descriptors.end());
    others.image.resize(others.bytes.size() / kDescriptorBytes, number);
  }
  return {{"rows", count},
          {"quantiles_percent", {5, 25, 50, 75, 95}},
          {"real", NearestOfOthers(real)},
          {"made", NearestOfOthers(others)}};
}

Result<BackendStats> StatsOf(SearchBackend& backend) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, backend.Pin());
  return snapshot->Stats();
}

Status Run(const Options& options) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto pictures, RealPictures(options.pictures, options.pool));
  const std::size_t real = pictures.size();
  const MadeImages made(std::move(pictures), options.made);
  EngineOptions open{.create = true};
  open.index = options.index;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto engine, Engine::Open(options.db, open));
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats before, StatsOf(engine->backend()));
  if (before.images > 0) {
    return Status(StatusCode::kInvalidArgument, options.db + " holds images already.");
  }
  Result<std::int64_t> copies = 0;
  const double seconds = Seconds([&] { copies = PutAll(engine->backend(), made, options); });
  SIFTSEARCH_RETURN_IF_ERROR(copies.status());
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, StatsOf(engine->backend()));
  const Json result = {{"images", stats.images},
                       {"descriptors", stats.descriptors},
                       {"copies", *copies},
                       {"index", stats.index},
                       {"real_pictures", real},
                       {"seconds", std::round(seconds * 10) / 10},
                       {"distance_to_nearest_of_others", ComparedDistances(made, options)}};
  std::cout << result.dump() << std::endl;
  return Status();
}

po::options_description Named(Options& options) {
  po::options_description named;
  named.add_options()("pictures", po::value(&options.pictures)->required(),
                      "folder of pictures to take descriptors from")(
      "images", po::value(&options.images), "images [1000]")(
      "db", po::value(&options.db)->required(), "folder of the new database")(
      "truth", po::value(&options.truth)->required(), "file that lists the copies")(
      "copy-every", po::value(&options.copy_every), "one image in so many is a copy [10]")(
      "index", po::value(&options.index), "index of the database [Terms]")(
      "pool", po::value(&options.pool), "pictures taken of the folder [600]")(
      "descriptors", po::value(&options.made.descriptors), "of an image [750]")(
      "seed", po::value(&options.made.seed), "of everything random [1]");
  return named;
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  using namespace siftsearch::bench;
  Options options;
  return RunProgram("make_database", argc, argv, Named(options), [&] { return Run(options); });
}
