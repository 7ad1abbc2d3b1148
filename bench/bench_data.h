#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::bench {

using Bytes = std::vector<std::uint8_t>;

/// Wall time of `work()` in seconds.
template <typename Work>
double Seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double> values);

/// The processor's name, and whether this is a build with assertions.
std::string Machine();

/// Those instruction sets that the kernel can use and this processor has.
std::vector<std::string> CpuFeatures();

/// What a picture of a folder gives.
struct RealPicture {
  Bytes descriptors;
  Bytes preview;  ///< JPEG.
};

/// The pictures in a folder and below that give a descriptor, by path; of more than `most` so many,
/// spread over all of them. kNotFound when there is none.
Result<std::vector<RealPicture>> RealPictures(const std::string& folder, std::size_t most);

/// All descriptors of the pictures in a folder and below. kNotFound when there is none.
Result<Bytes> RealDescriptors(const std::string& folder);

enum class Jitter { kAll, kRepeats };

/// `count` rows, the real ones in turn; all of them, or those from the second turn on, with seeded
/// noise of −8 to 8 in each byte. More rows begin with the same rows.
Bytes Extended(const Bytes& real, std::size_t count, std::uint64_t seed, Jitter jitter);

}  // namespace siftsearch::bench
