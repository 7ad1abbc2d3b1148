#include "kernel/topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

namespace siftsearch::kernel {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes Random(std::size_t count, int dim, unsigned seed, int values = 256) {
  std::mt19937 random(seed);
  Bytes bytes(count * dim);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() % values);
  return bytes;
}

/// Rows of about the length of SIFT's descriptors, which the kernel may screen, every `every`th a
/// little changed copy of `of`, so that a query has near rows among many far ones.
Bytes OfLength(double length, std::size_t count, int dim, unsigned seed, const Bytes& of = {},
               int every = 1) {
  std::mt19937 random(seed);
  std::exponential_distribution<double> value;
  Bytes rows;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> row(dim);
    double norm = 0;
    for (int j = 0; j < dim; ++j) {
      row[j] = value(random) + 1e-9;
      if (!of.empty() && i % every == 0) row[j] = of[j] + 0.2 * (random() % 100);
      norm += row[j] * row[j];
    }
    for (const double x : row) {
      rows.push_back(static_cast<std::uint8_t>(std::min(255.0, x * length / std::sqrt(norm))));
    }
  }
  return rows;
}

/// By the definition, without any of the kernel's arithmetic.
std::vector<Neighbour> Naive(std::span<const RowSpan> spans, int dim, const Bytes& queries, int k) {
  std::vector<Neighbour> result;
  for (std::size_t q = 0; q < queries.size() / dim; ++q) {
    std::vector<Neighbour> all;
    for (const RowSpan& span : spans) {
      for (std::size_t r = 0; r < span.count; ++r) {
        std::int32_t distance = 0;
        for (int j = 0; j < dim; ++j) {
          const int difference = span.rows[r * dim + j] - queries[q * dim + j];
          distance += difference * difference;
        }
        all.push_back({span.first_row + static_cast<std::int64_t>(r), distance});
      }
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.distance < b.distance; });
    all.resize(k);
    result.insert(result.end(), all.begin(), all.end());
  }
  return result;
}

class EveryVariant : public testing::TestWithParam<Variant> {
 protected:
  void ExpectNaive(const std::vector<RowSpan>& spans, int dim, const Bytes& queries, int k) {
    const auto expected = Naive(spans, dim, queries, k);
    for (const int threads : {1, 2, 3}) {
      std::vector<Neighbour> found;
      const Status status = TopK(spans, dim, queries, {k, threads, GetParam()}, &found);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].row, expected[i].row) << i << " of k=" << k << " threads=" << threads;
        ASSERT_EQ(found[i].distance, expected[i].distance) << i;
      }
    }
    const auto prepared = PreparedQueries::Make(queries, dim, GetParam());
    ASSERT_TRUE(prepared.ok()) << prepared.status().message();
    std::vector<Neighbour> found;
    ASSERT_TRUE(TopK(spans, *prepared, {.k = k}, &found).ok());
    EXPECT_EQ(found, expected);
  }
};

TEST_P(EveryVariant, EqualsTheDefinitionAroundEveryBlockEdge) {
  const Bytes rows = Random(300, 128, 1);
  for (const std::size_t count : {0, 1, 3, 4, 5, 63, 64, 65, 127, 128, 129, 131, 257, 300}) {
    for (const std::size_t queries : {1, 15, 16, 17, 80, 81}) {
      ExpectNaive({{rows.data(), count, 0}}, 128, Random(queries, 128, 2), 5);
    }
  }
}

TEST_P(EveryVariant, EqualsTheDefinitionForEveryK) {
  const Bytes rows = Random(1200, 32, 3);
  for (const int k : {1, 2, 10, 100, 999, 1000, 1300}) {
    ExpectNaive({{rows.data(), 1200, 0}}, 32, Random(3, 32, 4), k);
  }
}

TEST_P(EveryVariant, EqualsTheDefinitionForEveryLength) {
  for (const int dim : {4, 8, 36, 64, 132, 256, 2048}) {
    const Bytes rows = Random(70, dim, 5);
    ExpectNaive({{rows.data(), 70, 0}}, dim, Random(18, dim, 6), 3);
  }
}

TEST_P(EveryVariant, ExtremesAreExact) {
  const Bytes zeros(40 * 2048, 0);
  const Bytes full(40 * 2048, 255);
  for (const int dim : {128, 2048}) {
    ExpectNaive({{zeros.data(), 40, 0}, {full.data(), 40, 40}}, dim, Bytes(2 * dim, 255), 60);
    ExpectNaive({{zeros.data(), 40, 0}, {full.data(), 40, 40}}, dim, Bytes(2 * dim, 0), 60);
  }
}

TEST_P(EveryVariant, DistancesOfPairsAreExact) {
  for (const int dim : {4, 8, 20, 36, 128, 132, 2048}) {
    const Bytes rows = Random(40, dim, 30);
    Bytes extremes(3 * dim, 255);
    std::fill_n(extremes.begin(), dim, 0);
    for (const Bytes& some : {rows, extremes}) {
      const std::size_t count = some.size() / dim;
      const RowSpan span{some.data() + dim, count - 1, 0};
      const Bytes query(some.begin(), some.begin() + dim);
      for (const Neighbour& pair : Naive({&span, 1}, dim, query, static_cast<int>(count - 1))) {
        EXPECT_EQ(DistanceOf(GetParam())(query.data(), span.rows + pair.row * dim, dim),
                  pair.distance);
      }
    }
  }
}

TEST_P(EveryVariant, DistancesOfRowsThatLieAnywhereAreExact) {
  const int dim = static_cast<int>(kMeasuredBytes);
  Bytes rows = Random(50, dim, 31);
  std::fill_n(rows.begin() + 7 * dim, dim, 255);
  std::fill_n(rows.begin() + 8 * dim, dim, 0);
  for (const std::size_t count : {0, 1, 3, 4, 5, 8, 50}) {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < count; ++i) numbers.push_back((i * 7 + 7) % 50);
    for (const std::uint32_t query : {0, 7, 8}) {
      std::vector<std::int32_t> distances(count + 1, -1);
      MeasureRowsOf(GetParam())(rows.data() + query * kMeasuredBytes, rows.data(), numbers.data(),
                                count, distances.data());
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(distances[i], DistanceOf(Variant::kPortable)(
                                    rows.data() + query * kMeasuredBytes,
                                    rows.data() + numbers[i] * kMeasuredBytes, kMeasuredBytes));
      }
      EXPECT_EQ(distances[count], -1);
    }
  }
}

/// What is near of signatures that lie `offset` bytes behind the beginning of memory that ends with
/// them: how much each differs, and its index.
std::vector<std::pair<int, std::uint32_t>> Selected(Variant variant,
                                                    const std::vector<std::uint64_t>& signatures,
                                                    const SoughtSignature& sought, int most,
                                                    std::size_t offset = 0) {
  Bytes bytes(offset);
  for (const std::uint64_t signature : signatures) {
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<std::uint8_t>(signature >> shift));
    }
  }
  bytes.shrink_to_fit();
  std::vector<NearSignature> out(signatures.size() + kSelectNearSpare);
  out.resize(
      SelectNearOf(variant)(bytes.data() + offset, signatures.size(), sought, most, out.data()));
  std::vector<std::pair<int, std::uint32_t>> selected;
  for (const NearSignature near : out) {
    selected.emplace_back(static_cast<int>(near >> 32), static_cast<std::uint32_t>(near));
  }
  return selected;
}

TEST_P(EveryVariant, NearSignaturesAreThoseOfTheDefinition) {
  const SoughtSignature sought = {.bits = 0x8000000000000003, .doubled = 0xf000000000000001};
  const std::vector<std::uint64_t> signatures = {
      0x8000000000000003,  // The same.
      0x8000000000000001,  // One bit differs,
      0x8000000000000002,  // one that is doubled,
      0x0000000000000003,  // the highest, which is, too;
      0x8000000000000000,  // a doubled one and another,
      0xb000000000000003,  // two doubled ones,
      0x7ffffffffffffffc,  // all.
  };
  using Pairs = std::vector<std::pair<int, std::uint32_t>>;
  EXPECT_EQ(Selected(GetParam(), signatures, sought, 0), (Pairs{{0, 0}}));
  EXPECT_EQ(Selected(GetParam(), signatures, sought, 2), (Pairs{{0, 0}, {1, 1}, {2, 2}, {2, 3}}));
  EXPECT_EQ(Selected(GetParam(), signatures, sought, 68),
            (Pairs{{0, 0}, {1, 1}, {2, 2}, {2, 3}, {3, 4}, {4, 5}}));
  EXPECT_EQ(Selected(GetParam(), signatures, sought, 69).back(), (std::pair{69, 6u}));
  EXPECT_EQ(Selected(GetParam(), {0}, {~std::uint64_t{0}, ~std::uint64_t{0}}, 128),
            (Pairs{{128, 0}}));
}

TEST_P(EveryVariant, NearSignaturesEqualAPlainLoop) {
  std::mt19937_64 random(40);
  for (std::size_t count = 0; count <= 40; ++count) {
    for (std::size_t round = 0; round < 40; ++round) {
      const SoughtSignature sought = {.bits = random(), .doubled = random() & random()};
      const int most = static_cast<int>(random() % 60);
      std::vector<std::uint64_t> signatures(count);
      std::vector<std::pair<int, std::uint32_t>> expected;
      for (std::size_t i = 0; i < count; ++i) {
        signatures[i] = random();
        if (random() % 2 == 0) signatures[i] = sought.bits ^ (random() & random() & random());
        const std::uint64_t different = signatures[i] ^ sought.bits;
        const int by = std::popcount(different) + std::popcount(different & sought.doubled);
        if (by <= most) expected.emplace_back(by, static_cast<std::uint32_t>(i));
      }
      EXPECT_EQ(Selected(GetParam(), signatures, sought, most, round % 5), expected) << count;
    }
  }
}

TEST_P(EveryVariant, EqualDistancesAreOrderedByRow) {
  const Bytes rows = Random(500, 128, 7, 2);
  Bytes twice = rows;
  twice.insert(twice.end(), rows.begin(), rows.end());
  ExpectNaive({{twice.data(), 1000, 0}}, 128, Random(20, 128, 8, 2), 20);
  const Bytes same(128 * 700, 9);
  ExpectNaive({{same.data(), 700, 0}}, 128, Random(4, 128, 9), 10);
}

TEST_P(EveryVariant, DescriptorsAmongManyFarOnesAreExact) {
  for (const int dim : {4, 36, 128, 256}) {
    const Bytes queries = OfLength(512, 33, dim, 20);
    const Bytes rows = OfLength(512, 3001, dim, 21, queries, 9);
    for (const int k : {1, 10, 100}) ExpectNaive({{rows.data(), 3001, 0}}, dim, queries, k);
  }
}

TEST_P(EveryVariant, RowsAndQueriesOfAnyLengthMix) {
  Bytes rows, queries;
  for (const double length : {0.0, 3.0, 60.0, 300.0, 511.0, 543.5, 544.5, 600.0, 1500.0}) {
    const Bytes more = OfLength(length, 203, 128, 22 + static_cast<unsigned>(length));
    rows.insert(rows.end(), more.begin(), more.end());
    queries.insert(queries.end(), more.begin(), more.begin() + 3 * 128);
  }
  ExpectNaive({{rows.data(), rows.size() / 128, 0}}, 128, queries, 7);
}

TEST_P(EveryVariant, LongRowsNearShortQueriesAreExact) {
  const Bytes queries = OfLength(512, 33, 128, 23);
  const Bytes rows = OfLength(1600, 1001, 128, 24, queries, 9);
  ExpectNaive({{rows.data(), 1001, 0}}, 128, queries, 5);
}

TEST_P(EveryVariant, FewLargeValuesAreExact) {
  Bytes rows = Random(4 * 500, 4, 30, 2), queries = Random(40, 4, 31, 2);
  for (Bytes* bytes : {&rows, &queries}) {
    for (std::uint8_t& byte : *bytes) byte = static_cast<std::uint8_t>(byte * 255);
  }
  ExpectNaive({{rows.data(), 2000, 0}}, 4, queries, 40);
}

TEST_P(EveryVariant, OnlyRowsBelowADistanceAreNeighboursIfAsked) {
  constexpr int kK = 7;
  const Bytes queries = OfLength(512, 40, 128, 1);
  const Bytes rows = OfLength(512, 1100, 128, 2, queries, 9);
  const RowSpan span{rows.data(), 1100, 0};
  auto expected = Naive({{span}}, 128, queries, kK);
  for (const std::int32_t below : {0, 1, expected[3].distance, expected[3].distance + 1, 300'000}) {
    std::vector<Neighbour> found;
    const std::vector<std::int32_t> limits(40, below);
    const TopKOptions options{.k = kK, .variant = GetParam(), .distances_below = limits};
    ASSERT_TRUE(TopK({&span, 1}, 128, queries, options, &found).ok());
    auto near = expected;
    for (Neighbour& neighbour : near) {
      if (neighbour.distance >= below) neighbour = {};
    }
    EXPECT_EQ(found, near) << below;
  }
}

TEST_P(EveryVariant, EachQueryMayHaveItsOwnLimit) {
  constexpr int kK = 7;
  constexpr std::size_t kQueries = 90;
  const Bytes queries = OfLength(512, kQueries, 128, 1);
  const Bytes rows = OfLength(512, 1100, 128, 2, queries, 9);
  const RowSpan span{rows.data(), 1100, 0};
  auto near = Naive({{span}}, 128, queries, kK);
  std::vector<std::int32_t> limits;
  for (std::size_t q = 0; q < kQueries; ++q) {
    limits.push_back(q % 9 == 8 ? TopKOptions::kNoLimit : near[q * kK + q % 7].distance);
    for (std::size_t i = q * kK; i < (q + 1) * kK; ++i) {
      if (near[i].distance >= limits.back()) near[i] = {};
    }
  }
  std::vector<Neighbour> found;
  TopKOptions options{.k = kK, .variant = GetParam(), .distances_below = limits};
  ASSERT_TRUE(TopK({&span, 1}, 128, queries, options, &found).ok());
  EXPECT_EQ(found, near);
  options.distances_below = options.distances_below.first(kQueries - 1);
  EXPECT_EQ(TopK({&span, 1}, 128, queries, options, &found).code(), StatusCode::kInvalidArgument);
}

TEST_P(EveryVariant, SpansWithGapsKeepTheirRowNumbers) {
  const Bytes rows = Random(500, 128, 10);
  std::vector<RowSpan> spans;
  for (std::int64_t i = 0; i < 100; ++i) {
    spans.push_back({rows.data() + i * 5 * 128, static_cast<std::size_t>(i % 6), 1000 + i * 7});
  }
  ExpectNaive(spans, 128, Random(9, 128, 11), 12);
}

TEST_P(EveryVariant, RowsMayLieAtAnyAddress) {
  const Bytes rows = Random(101, 128, 12);
  for (int offset = 0; offset < 64; offset += 7) {
    ExpectNaive({{rows.data() + offset, 100, 0}}, 128, Random(5, 128, 13), 4);
  }
}

TEST_P(EveryVariant, TheOneAskedForIsTheOneThatRuns) {
  const Bytes rows = Random(50, 128, 14);
  const RowSpan span{rows.data(), 50, 0};
  std::vector<std::uint64_t> before;
  for (const Variant variant : SupportedVariants()) before.push_back(RunsOf(variant));
  std::vector<Neighbour> found;
  ASSERT_TRUE(TopK({&span, 1}, 128, Random(1, 128, 15), {1, 1, GetParam()}, &found).ok());
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Variant variant = SupportedVariants()[i];
    EXPECT_EQ(RunsOf(variant) - before[i], variant == GetParam() ? 1u : 0u) << VariantName(variant);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernel, EveryVariant, testing::ValuesIn(SupportedVariants()),
                         [](const auto& info) {
                           std::string name(VariantName(info.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST(PreparedQueriesTest, RefusesWhatItCannotDo) {
  const Bytes few = Random(2, 128, 1);
  EXPECT_EQ(PreparedQueries::Make(few, 6, Variant::kPortable).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PreparedQueries::Make({few.data(), 100}, 128, Variant::kPortable).status().code(),
            StatusCode::kInvalidArgument);
  const Bytes many((PreparedQueries::kMost + 1) * 4);
  EXPECT_EQ(PreparedQueries::Make(many, 4, Variant::kPortable).status().code(),
            StatusCode::kLimitExceeded);
  const auto prepared = PreparedQueries::Make(few, 128, Variant::kPortable);
  ASSERT_TRUE(prepared.ok());
  std::vector<Neighbour> found;
  EXPECT_EQ(TopK({}, *prepared, {.k = 0}, &found).code(), StatusCode::kInvalidArgument);
}

TEST(TopK, RefusesWhatItCannotDo) {
  const Bytes rows(128, 0);
  std::vector<Neighbour> found;
  const RowSpan span{rows.data(), 1, 0};
  EXPECT_EQ(TopK({&span, 1}, 6, Bytes(6), {}, &found).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TopK({&span, 1}, 128, Bytes(100), {}, &found).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TopK({&span, 1}, 128, Bytes(128), {.k = 0}, &found).code(),
            StatusCode::kInvalidArgument);
  const std::int32_t below_zero = -1;
  EXPECT_EQ(TopK({&span, 1}, 128, Bytes(128), {.distances_below = {&below_zero, 1}}, &found).code(),
            StatusCode::kInvalidArgument);
}

TEST(Variants, AreFoundByTheirNames) {
  for (const Variant variant : SupportedVariants()) {
    EXPECT_EQ(VariantNamed(VariantName(variant)).value(), variant);
  }
  const Status unknown = VariantNamed("abacus").status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.message().find("portable"), std::string::npos);
}

TEST(Variants, PortableIsAlwaysThereAndTheBestIsFirst) {
  const auto supported = SupportedVariants();
  EXPECT_EQ(supported.back(), Variant::kPortable);
  EXPECT_EQ(VariantOrBest("").value(), supported.front());
  EXPECT_EQ(VariantOrBest("portable").value(), Variant::kPortable);
  EXPECT_FALSE(VariantOrBest("abacus").ok());
}

}  // namespace
}  // namespace siftsearch::kernel
