#include "open_workload.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>

#include "base/status_macros.h"
#include "bench_data.h"
#include "image/decode.h"
#include "siftsearch/engine.h"

namespace siftsearch::bench {
namespace {

constexpr std::int64_t kRowsPerContent = 1000;

PutItem SyntheticItem(std::int64_t number) {
  std::mt19937_64 random(static_cast<std::uint64_t>(number) + 1);
  auto features = std::make_shared<FeatureSet>();
  features->width = features->height = 640;
  features->descriptors.resize(kRowsPerContent * kDescriptorBytes);
  for (std::size_t i = 0; i < features->descriptors.size(); i += 8) {
    const std::uint64_t bits = random() & 0x7f7f7f7f7f7f7f7f;
    std::memcpy(&features->descriptors[i], &bits, 8);
  }
  for (std::int64_t i = 0; i < kRowsPerContent; ++i) {
    features->keypoints.push_back({static_cast<float>(random() % 640),
                                   static_cast<float>(random() % 640),
                                   static_cast<float>(4 + random() % 30), 0});
  }
  PutItem item;
  item.path = "/synthetic/" + std::to_string(number) + ".jpg";
  std::memcpy(item.hash.data(), &number, sizeof(number));
  item.features = std::move(features);
  return item;
}

Status PutItems(SearchBackend& backend, std::int64_t first, std::int64_t end) {
  constexpr std::int64_t kBatch = 200;
  for (std::int64_t i = first; i < end; i += kBatch) {
    std::vector<PutItem> items;
    for (std::int64_t j = i; j < std::min(end, i + kBatch); ++j) items.push_back(SyntheticItem(j));
    SIFTSEARCH_RETURN_IF_ERROR(backend.Put(items).status());
  }
  return backend.Compact();
}

/// A value of /proc/self/status in MB.
double MemoryMb(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1024;
  }
  return 0;
}

/// A picture of random squares, rich in keypoints, as a PNG file.
Result<Bytes> SyntheticPicture() {
  constexpr int kWidth = 640, kHeight = 480, kSquare = 12;
  image::RgbImage picture{kWidth, kHeight, Bytes(kWidth * kHeight * 3)};
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
    const std::size_t x = i / 3 % kWidth / kSquare, y = i / 3 / kWidth / kSquare;
    picture.pixels[i] = static_cast<std::uint8_t>((x * 7919 + y * 104729) * 2654435761u >> 24);
  }
  return image::Encode(picture, "png", 0);
}

/// Standard output of this program run with other arguments.
Result<std::string> RunSelf(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "search_bench");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Status(StatusCode::kInternal, "No pipe can be made.");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int error = posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string output;
  char buffer[4096];
  for (ssize_t n; error == 0 && (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    output.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  if (error != 0 || waitpid(child, &status, 0) < 0 || status != 0) {
    return Status(StatusCode::kInternal, "The process that opens the database has failed.");
  }
  return output;
}

Result<OpenTrial> TryOnce(const std::string& folder, bool with_query) {
  OpenTrial trial;
  Result<std::string> output = std::string();
  trial.process_seconds = Seconds([&] {
    output = RunSelf({"--workload", with_query ? "child-query" : "child-open", "--work", folder});
  });
  if (!output.ok()) return output.status();
  std::istringstream numbers(*output);
  numbers >> trial.open_seconds >> trial.query_seconds >> trial.private_mb >> trial.peak_mb;
  return trial;
}

Status QueryOnce(Engine& engine) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Bytes picture, SyntheticPicture());
  const auto result = engine.Query({.name = "synthetic.png", .bytes = std::move(picture)}, {});
  return result.ok() ? result->error : result.status();
}

Result<BackendStats> StatsOf(SearchBackend& backend) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, backend.Pin());
  return snapshot->Stats();
}

}  // namespace

Result<DatabaseSize> MakeDatabase(const std::string& folder, std::int64_t rows) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto engine, Engine::Open(folder, {.create = true}));
  SearchBackend& backend = engine->backend();
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats before, StatsOf(backend));
  if (before.descriptors < rows) {
    SIFTSEARCH_RETURN_IF_ERROR(PutItems(backend, before.images, rows / kRowsPerContent));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, StatsOf(backend));
  return DatabaseSize{stats.images, stats.descriptors, stats.segments,
                      stats.segment_bytes + stats.catalog_bytes};
}

Result<std::vector<OpenTrial>> TryOpening(const std::string& folder, int count, bool with_query) {
  std::vector<OpenTrial> trials;
  for (int i = 0; i <= count; ++i) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const OpenTrial trial, TryOnce(folder, with_query));
    if (i > 0) trials.push_back(trial);
  }
  return trials;
}

Status OpenInThisProcess(const std::string& folder, bool with_query) {
  Status status;
  std::unique_ptr<Engine> engine;
  const double open_seconds = Seconds([&] {
    auto opened = Engine::Open(folder, {.read_only = true});
    status = opened.status();
    if (opened.ok()) engine = std::move(opened).value();
    if (engine) status = StatsOf(engine->backend()).status();
  });
  SIFTSEARCH_RETURN_IF_ERROR(status);
  double query_seconds = 0;
  if (with_query) query_seconds = Seconds([&] { status = QueryOnce(*engine); });
  SIFTSEARCH_RETURN_IF_ERROR(status);
  std::cout << open_seconds << ' ' << query_seconds << ' '
            << MemoryMb("VmRSS") - MemoryMb("RssFile") << ' ' << MemoryMb("VmHWM") << '\n';
  return Status();
}

}  // namespace siftsearch::bench
