#include "support/byte_flat_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/FaissException.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "index_test_util.h"

namespace siftsearch::index {
namespace {

constexpr int kDim = 128;
constexpr int kStoredRows = 1000;
constexpr int kQueryRows = 17;

class ByteFlatIndexTest : public ::testing::TestWithParam<kernel::Variant> {
 protected:
  ByteFlatIndex Index(int threads = 2) const {
    // Two spans, as of two segments.
    return ByteFlatIndex(kDim, {{rows_.data(), 300, 0}, {rows_.data() + 300 * kDim, 700, 300}},
                         GrowingImages(kStoredRows), GetParam(), threads);
  }

  const std::vector<std::uint8_t> rows_ = RandomBytes(kStoredRows * kDim, 1);
  const std::vector<std::uint8_t> queries_ = RandomBytes(kQueryRows * kDim, 2);
};

TEST_P(ByteFlatIndexTest, GivesTheNeighboursDistancesAndIdsOfStockFaiss) {
  faiss::IndexFlatL2 flat(kDim);
  faiss::IndexIDMap stock(&flat);
  std::vector<faiss::Index::idx_t> ids(kStoredRows);
  for (const IdRange& range : GrowingImages(kStoredRows)) {
    std::fill_n(ids.begin() + range.first_row, range.count, range.id);
  }
  stock.add_with_ids(kStoredRows, ToFloats(rows_).data(), ids.data());
  const ByteFlatIndex ours = Index();
  const auto queries = ToFloats(queries_);
  for (const int k : {1, 10, 100}) {
    const std::size_t places = static_cast<std::size_t>(k) * kQueryRows;
    std::vector<float> distances(places), stock_distances(places);
    std::vector<faiss::Index::idx_t> labels(places), stock_labels(places);
    ours.search(kQueryRows, queries.data(), k, distances.data(), labels.data());
    stock.search(kQueryRows, queries.data(), k, stock_distances.data(), stock_labels.data());
    EXPECT_EQ(distances, stock_distances);
    EXPECT_EQ(labels, stock_labels);
  }
}

TEST_P(ByteFlatIndexTest, WhereRowsRunOutTheRestIsEmpty) {
  const ByteFlatIndex index(kDim, {{rows_.data(), 2, 0}}, {{0, 1, 7}}, GetParam(), 1);
  std::vector<float> distances(4);
  std::vector<faiss::Index::idx_t> labels(4);
  const auto query = ToFloats(rows_);  // Its first row.
  index.search(1, query.data(), 4, distances.data(), labels.data());
  EXPECT_EQ(distances[0], 0);
  EXPECT_THAT(labels, ::testing::ElementsAre(7, -1, -1, -1));  // The second row has no id.
  EXPECT_LT(distances[1], std::numeric_limits<float>::max());
  EXPECT_EQ(distances[2], std::numeric_limits<float>::max());
}

TEST_P(ByteFlatIndexTest, RefusesWhatIsNoByte) {
  const ByteFlatIndex index = Index();
  for (const float bad : {-1.0f, 255.5f, 256.0f, 0.5f, std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> query(kDim, 1.0f);
    query[5] = bad;
    float distance;
    faiss::Index::idx_t label;
    EXPECT_THROW(index.search(1, query.data(), 1, &distance, &label), faiss::FaissException);
  }
}

TEST_P(ByteFlatIndexTest, IsAView) {
  ByteFlatIndex index = Index();
  EXPECT_EQ(index.ntotal, kStoredRows);
  EXPECT_EQ(index.d, kDim);
  EXPECT_THROW(index.add(1, ToFloats(queries_).data()), faiss::FaissException);
  EXPECT_THROW(index.reset(), faiss::FaissException);
}

TEST_P(ByteFlatIndexTest, TheNumberOfThreadsChangesNothing) {
  const auto one = Index(1).SearchRows(queries_, 10);
  const auto three = Index(3).SearchRows(queries_, 10);
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(*one, *three);
}

INSTANTIATE_TEST_SUITE_P(Variants, ByteFlatIndexTest,
                         ::testing::ValuesIn(kernel::SupportedVariants()));

TEST(IdRangeTest, FindsTheRangeOfARow) {
  const std::vector<IdRange> ranges = {{2, 3, 70}, {10, 1, 80}};
  for (const auto& [row, id] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {0, -1}, {1, -1}, {2, 70}, {4, 70}, {5, -1}, {9, -1}, {10, 80}, {11, -1}}) {
    EXPECT_EQ(FindId(ranges, row), id) << row;
  }
}

}  // namespace
}  // namespace siftsearch::index
