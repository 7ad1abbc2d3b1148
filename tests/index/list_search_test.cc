#include "index/list_search.h"

#include <faiss/invlists/InvertedLists.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "index_test_util.h"
#include "siftsearch/types.h"

namespace siftsearch::index {
namespace {

using Id = faiss::Index::idx_t;

constexpr std::size_t kLists = 12;
constexpr std::size_t kProbes = 5;

/// Lists of 0 to some 270 rows of few values, so that distances are often equal.
class ListSearchTest : public ::testing::TestWithParam<kernel::Variant> {
 protected:
  ListSearchTest() : lists_(kLists, kDescriptorBytes) {
    std::mt19937 random(1);
    for (Id id = 0; id < 1000; ++id) {
      const std::size_t most = 1 + random() % (kLists - 1);
      const std::size_t list = 1 + random() % most;  // The first list stays empty.
      std::vector<std::uint8_t> bytes = RandomBytes(kDescriptorBytes, random());
      for (std::uint8_t& byte : bytes) byte %= 3;
      lists_.add_entry(list, id, bytes.data());
    }
  }

  /// By the definition; ids in order of distance, then id.
  std::vector<std::pair<std::int32_t, Id>> Nearest(const std::uint8_t* query,
                                                   const Id* probed) const {
    std::vector<std::pair<std::int32_t, Id>> all;
    for (std::size_t i = 0; i < kProbes; ++i) {
      if (probed[i] < 0) continue;
      const auto list = static_cast<std::size_t>(probed[i]);
      for (std::size_t row = 0; row < lists_.list_size(list); ++row) {
        std::int32_t distance = 0;
        for (std::size_t j = 0; j < kDescriptorBytes; ++j) {
          const int difference = query[j] - lists_.get_codes(list)[row * kDescriptorBytes + j];
          distance += difference * difference;
        }
        all.emplace_back(distance, lists_.get_ids(list)[row]);
      }
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  faiss::ArrayInvertedLists lists_;
};

TEST_P(ListSearchTest, EqualsTheDefinition) {
  std::mt19937 random(2);
  for (const std::size_t count : {1, 7, 100}) {  // Few queries of a list, and many.
    std::vector<std::uint8_t> queries = RandomBytes(count * kDescriptorBytes, 3);
    for (std::uint8_t& byte : queries) byte %= 3;
    std::vector<Id> assign;
    for (std::size_t query = 0; query < count; ++query) {
      std::vector<Id> order(kLists);
      for (std::size_t i = 0; i < kLists; ++i) order[i] = static_cast<Id>(i);
      std::shuffle(order.begin(), order.end(), random);
      order[kProbes - 1] = -1;
      assign.insert(assign.end(), order.begin(), order.begin() + kProbes);
    }
    for (const std::size_t k : {1, 10, 700}) {
      std::vector<float> distances(count * k);
      std::vector<Id> labels(count * k);
      SearchLists(lists_, GetParam(), queries, assign.data(), kProbes, k, distances.data(),
                  labels.data());
      for (std::size_t query = 0; query < count; ++query) {
        auto expected = Nearest(&queries[query * kDescriptorBytes], &assign[query * kProbes]);
        for (std::size_t i = 0; i < k; ++i) {
          const bool there = i < expected.size();
          const std::size_t at = query * k + i;
          ASSERT_EQ(labels[at], there ? expected[i].second : -1) << i << " of k = " << k;
          ASSERT_EQ(distances[at], there ? static_cast<float>(expected[i].first)
                                         : std::numeric_limits<float>::max());
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, ListSearchTest, ::testing::ValuesIn(kernel::SupportedVariants()),
                         [](const auto& info) {
                           std::string name(kernel::VariantName(info.param));
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace siftsearch::index
