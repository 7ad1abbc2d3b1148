#include "lists/vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <set>

namespace siftsearch::lists {
namespace {

std::vector<std::uint8_t> RandomDescriptors(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> descriptors(static_cast<std::size_t>(count) * kDescriptorBytes);
  for (auto& value : descriptors) value = static_cast<std::uint8_t>(random() % 100);
  return descriptors;
}

std::vector<Term> TermsOf(const std::vector<std::uint8_t>& descriptors, kernel::Variant variant,
                          int threads) {
  return Vocabulary::Shipped().Terms(descriptors, variant, threads);
}

std::vector<Term> ProbesOf(const std::vector<std::uint8_t>& descriptors,
                           const ProbeOptions& options) {
  return Vocabulary::Shipped().Probes(descriptors, options);
}

TEST(VocabularyTest, EveryVariantAndNumberOfThreadsGivesTheSameTerms) {
  const auto descriptors = RandomDescriptors(700, 1);
  const auto terms = TermsOf(descriptors, kernel::Variant::kPortable, 1);
  ASSERT_EQ(terms.size(), 700u);
  for (const kernel::Variant variant : kernel::SupportedVariants()) {
    EXPECT_EQ(TermsOf(descriptors, variant, 3), terms);
  }
}

TEST(VocabularyTest, ADescriptorIsAmongItsOwnProbes) {
  const auto descriptors = RandomDescriptors(300, 2);
  const auto terms = TermsOf(descriptors, kernel::Variant::kPortable, 1);
  for (const int signs : {0, 1, 2, 7, 20}) {
    for (const int words : {1, 3}) {
      const ProbeOptions options{.signs = signs, .words = words, .flips = std::min(2, signs)};
      const auto probes = ProbesOf(descriptors, options);
      const std::size_t each = options.probes();
      ASSERT_EQ(probes.size(), 300 * each);
      for (std::size_t i = 0; i < 300; ++i) {
        EXPECT_EQ(probes[i * each], terms[i]);
        std::set<Term> different;
        for (std::size_t n = 0; n < each; ++n) {
          different.insert(probes[i * each + n] & TermMask(signs));
        }
        EXPECT_EQ(different.size(), each);
      }
    }
  }
}

TEST(VocabularyTest, FlippedSignsAreThoseNearestTheirMedians) {
  const auto descriptors = RandomDescriptors(100, 3);
  const auto probes = ProbesOf(descriptors, {.words = 1, .flips = 1});
  // A descriptor moved a little keeps its term or gets that of the flip more often than another.
  std::mt19937 random(4);
  auto moved = descriptors;
  for (auto& value : moved) {
    value =
        static_cast<std::uint8_t>(std::clamp(value + static_cast<int>(random() % 3) - 1, 0, 255));
  }
  const auto terms = TermsOf(moved, kernel::Variant::kPortable, 1);
  int same = 0, flipped = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    EXPECT_EQ(std::popcount(probes[2 * i] ^ probes[2 * i + 1]), 1);
    same += terms[i] == probes[2 * i];
    flipped += terms[i] == probes[2 * i + 1];
  }
  EXPECT_GT(same, 50);
  EXPECT_GT(flipped, (100 - same) / 2);
}

TEST(VocabularyTest, WhatIsWrittenIsReadAndDamageIsNamed) {
  const std::vector<std::uint8_t> bytes = Vocabulary::Shipped().Encode();
  const auto again = Vocabulary::Parse(bytes);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->digest(), Vocabulary::Shipped().digest());
  EXPECT_EQ(again->Encode(), bytes);
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{16}, bytes.size() / 2, bytes.size() - 1}) {
    auto damaged = bytes;
    damaged[at] ^= 1;
    EXPECT_EQ(Vocabulary::Parse(damaged).status().code(), StatusCode::kCorrupt);
  }
  auto newer = bytes;
  newer[8] = 9;
  EXPECT_EQ(Vocabulary::Parse(newer).status().code(), StatusCode::kIncompatible);
  EXPECT_EQ(Vocabulary::Parse({bytes.data(), bytes.size() - 1}).status().code(),
            StatusCode::kCorrupt);
}

}  // namespace
}  // namespace siftsearch::lists
