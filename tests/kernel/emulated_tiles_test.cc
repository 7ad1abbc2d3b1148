#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "kernel/packing.h"
#include "kernel/topk.h"

namespace siftsearch::kernel {

void ScanEmulatedTiles(const PackedQueries& queries, const RowRun& run, NearestRows& nearest);

namespace {

std::vector<std::uint8_t> Random(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() & 255);
  return bytes;
}

void ExpectPortable(std::size_t rows, std::size_t dim, std::size_t queries, int k,
                    const std::vector<std::uint8_t>& row_bytes) {
  const auto query_bytes = Random(queries * dim, 2);
  const RowSpan span{row_bytes.data(), rows, 70};
  std::vector<Neighbour> expected;
  ASSERT_TRUE(TopK({&span, 1}, static_cast<int>(dim), query_bytes, {.k = k}, &expected).ok());
  const Packing packing(Variant::kAmxInt8, query_bytes, dim);
  NearestRows nearest(queries, k);
  ScanEmulatedTiles(packing.view(), {row_bytes.data(), rows, 70}, nearest);
  for (std::size_t q = 0; q < queries; ++q) {
    const auto keys = nearest.Sort(q);
    ASSERT_EQ(keys.size(), std::min<std::size_t>(rows, static_cast<std::size_t>(k)));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Neighbour& want = expected[q * static_cast<std::size_t>(k) + i];
      ASSERT_EQ(keys[i] & ((std::uint64_t{1} << NearestRows::kRowBits) - 1),
                static_cast<std::uint64_t>(want.row));
      ASSERT_EQ(keys[i] >> NearestRows::kRowBits, static_cast<std::uint64_t>(want.distance));
    }
  }
}

class EmulatedTilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Around the tiles it uses AVX-512.
    if (!__builtin_cpu_supports("avx512bw")) GTEST_SKIP() << "needs AVX-512";
  }
};

TEST_F(EmulatedTilesTest, EqualsThePortableKernelAroundEveryEdge) {
  const auto rows = Random(600 * 128, 1);
  for (const std::size_t count : {1, 15, 16, 17, 31, 32, 33, 255, 256, 257, 289, 600}) {
    for (const std::size_t queries : {1, 16, 17, 33}) ExpectPortable(count, 128, queries, 5, rows);
  }
}

TEST_F(EmulatedTilesTest, EqualsThePortableKernelForEveryLength) {
  const auto rows = Random(70 * 2048, 3);
  for (const std::size_t dim : {4, 36, 64, 68, 192, 2044, 2048}) {
    ExpectPortable(70, dim, 18, 3, rows);
  }
}

TEST_F(EmulatedTilesTest, ExtremesAreExact) {
  ExpectPortable(40, 2048, 3, 10, std::vector<std::uint8_t>(40 * 2048, 255));
  ExpectPortable(40, 2048, 3, 10, std::vector<std::uint8_t>(40 * 2048, 0));
}

}  // namespace
}  // namespace siftsearch::kernel
