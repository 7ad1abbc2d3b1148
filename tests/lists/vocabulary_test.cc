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

TEST(VocabularyTest, EveryVariantAndNumberOfThreadsGivesTheSameTerms) {
  const auto descriptors = RandomDescriptors(700, 1);
  const auto terms = TermsOf(descriptors, kernel::Variant::kPortable, 1);
  ASSERT_EQ(terms.size(), 700u);
  for (const kernel::Variant variant : kernel::SupportedVariants()) {
    EXPECT_EQ(TermsOf(descriptors, variant, 3), terms);
  }
}

TEST(VocabularyTest, ADescriptorIsTheFirstOfItsProbes) {
  const auto descriptors = RandomDescriptors(300, 2);
  const auto terms = TermsOf(descriptors, kernel::Variant::kPortable, 1);
  for (const std::size_t words : {1, 3, 8}) {
    const auto probes =
        Vocabulary::Shipped().Probes(descriptors, {.words = static_cast<int>(words)});
    ASSERT_EQ(probes.size(), 300 * words);
    for (std::size_t i = 0; i < 300; ++i) {
      EXPECT_EQ(probes[i * words].descriptor, i);
      EXPECT_EQ(probes[i * words].term, terms[i]);
      std::set<std::uint32_t> different;
      for (std::size_t n = 0; n < words; ++n) {
        different.insert(probes[i * words + n].term.word);
        EXPECT_GT(std::popcount(probes[i * words + n].certain), kSigns / 4);
        EXPECT_LT(std::popcount(probes[i * words + n].certain), 3 * kSigns / 4);
      }
      EXPECT_EQ(different.size(), words);
    }
  }
}

TEST(VocabularyTest, WordsThatAreMuchFartherThanTheNearestAreLeftOut) {
  const auto descriptors = RandomDescriptors(300, 5);
  const auto all = Vocabulary::Shipped().Probes(descriptors, {.words = 8});
  std::size_t before = 0;
  for (const int farther : {0, 500, 3'000, 1'000'000}) {
    const auto near = Vocabulary::Shipped().Probes(descriptors, {.words = 8, .farther = farther});
    // Each descriptor has the first of its words, in their order.
    auto one = all.begin();
    for (const Probe& probe : near) {
      if (one->descriptor != probe.descriptor) {
        one = std::find_if(one, all.end(), [&](const Probe& other) {
          return other.descriptor == probe.descriptor;
        });
      }
      EXPECT_EQ(one->term, probe.term);
      ++one;
    }
    EXPECT_GT(near.size(), before);
    before = near.size();
  }
  EXPECT_EQ(before, all.size());
}

TEST(VocabularyTest, CertainSignsChangeLessOftenThanTheOthers) {
  const auto descriptors = RandomDescriptors(300, 3);
  const auto probes = Vocabulary::Shipped().Probes(descriptors, {});
  std::mt19937 random(4);
  auto moved = descriptors;
  for (auto& value : moved) {
    value =
        static_cast<std::uint8_t>(std::clamp(value + static_cast<int>(random() % 21) - 10, 0, 255));
  }
  const auto terms = TermsOf(moved, kernel::Variant::kPortable, 1);
  int certain = 0, others = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].word != probes[i].term.word) continue;
    const std::uint64_t changed = terms[i].signs ^ probes[i].term.signs;
    certain += std::popcount(changed & probes[i].certain);
    others += std::popcount(changed & ~probes[i].certain);
  }
  EXPECT_GT(others, 300);
  EXPECT_LT(20 * certain, others);
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
