#include "bench_data.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "features/extractor.h"
#include "features/preview.h"
#include "image/decode.h"
#include "siftsearch/types.h"

namespace siftsearch::bench {
namespace {

/// The value of a line of /proc/cpuinfo, "" when there is none.
std::string CpuInfo(const std::string& name) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(':');
    if (line.starts_with(name) && colon + 2 < line.size()) return line.substr(colon + 2);
  }
  return "";
}

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// SplitMix64.
std::uint64_t NextRandom(std::uint64_t* state) {
  std::uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void AddNoise(std::uint64_t seed, std::uint8_t* row) {
  std::uint64_t state = seed;
  for (int i = 0; i < kDescriptorBytes; i += 8) {
    std::uint64_t bits = NextRandom(&state);
    for (int j = i; j < i + 8; ++j, bits >>= 8) {
      const int noise = static_cast<int>((bits & 255) * 17 >> 8) - 8;
      row[j] = static_cast<std::uint8_t>(std::clamp(row[j] + noise, 0, 255));
    }
  }
}

}  // namespace

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string Machine() {
  const std::string name = CpuInfo("model name");
#ifdef NDEBUG
  constexpr const char* kBuild = "";
#else
  constexpr const char* kBuild = ", a build with assertions";
#endif
  return (name.empty() ? "unknown" : name) + kBuild;
}

std::vector<std::string> CpuFeatures() {
  std::istringstream flags(CpuInfo("flags") + " " + CpuInfo("Features"));
  const std::vector<std::string> all{std::istream_iterator<std::string>(flags), {}};
  std::vector<std::string> present;
  for (const char* name : {"avx2", "avx_vnni", "avx512bw", "avx512_vnni", "amx_int8", "asimddp"}) {
    if (std::find(all.begin(), all.end(), name) != all.end()) present.push_back(name);
  }
  return present;
}

Result<std::vector<RealPicture>> RealPictures(const std::string& folder, std::size_t most) {
  const std::vector<std::string> paths = FilesIn(folder);
  const auto extractor = features::MakeExtractor({});
  if (!extractor.ok()) return extractor.status();
  const std::size_t count = std::min(most, paths.size());
  std::vector<RealPicture> pictures(count);
  ParallelFor(count, AvailableThreads(), [&](std::size_t i) {
    std::ifstream file(paths[i * paths.size() / count], std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
    const auto picture = image::DecodeGrey(bytes, {});
    if (!picture.ok()) return;
    auto found = (*extractor)->Extract(*picture);
    auto preview = features::MakePreview(*picture, features::kStoredPreviewQuality);
    if (found.ok() && preview.ok()) {
      pictures[i] = {std::move(found->descriptors), *std::move(preview)};
    }
  });
  std::erase_if(pictures, [](const RealPicture& picture) { return picture.descriptors.empty(); });
  if (pictures.empty()) {
    return Status(StatusCode::kNotFound, "No picture in " + folder + " gives a descriptor.");
  }
  return pictures;
}

Result<Bytes> RealDescriptors(const std::string& folder) {
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto pictures, RealPictures(folder, kAll));
  Bytes all;
  for (const RealPicture& picture : pictures) {
    all.insert(all.end(), picture.descriptors.begin(), picture.descriptors.end());
  }
  return all;
}

Bytes Extended(const Bytes& real, std::size_t count, std::uint64_t seed, Jitter jitter) {
  constexpr std::size_t kBlock = 10'000;
  const std::size_t real_rows = real.size() / kDescriptorBytes;
  Bytes rows(count * kDescriptorBytes);
  ParallelFor((count + kBlock - 1) / kBlock, AvailableThreads(), [&](std::size_t block) {
    for (std::size_t i = block * kBlock; i < std::min(count, (block + 1) * kBlock); ++i) {
      std::uint8_t* row = &rows[i * kDescriptorBytes];
      std::copy_n(&real[i % real_rows * kDescriptorBytes], kDescriptorBytes, row);
      if (jitter == Jitter::kAll || i >= real_rows) AddNoise(seed << 48 ^ i << 8, row);
    }
  });
  return rows;
}

}  // namespace siftsearch::bench
