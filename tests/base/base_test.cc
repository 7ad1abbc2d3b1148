#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/hash.h"
#include "base/parallel.h"

namespace siftsearch {
namespace {

std::vector<std::uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Hash, Sha256OfAbcIsThePublishedDigest) {
  EXPECT_EQ(ToHex(Sha256(Bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, ChecksumChangesWithEveryBit) {
  std::vector<std::uint8_t> bytes(100, 7);
  const auto before = Checksum(bytes);
  for (int bit = 0; bit < 800; ++bit) {
    bytes[bit / 8] ^= 1 << (bit % 8);
    EXPECT_NE(Checksum(bytes), before) << bit;
    bytes[bit / 8] ^= 1 << (bit % 8);
  }
}

TEST(ParallelFor, RunsEveryPartOnce) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> runs(100);
    ParallelFor(runs.size(), threads, [&](std::size_t part) { ++runs[part]; });
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

}  // namespace
}  // namespace siftsearch
