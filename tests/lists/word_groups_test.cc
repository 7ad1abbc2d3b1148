#include "lists/word_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "lists/vocabulary.h"

namespace siftsearch::lists {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes ShippedCentroids() {
  const Bytes encoded = Vocabulary::Shipped().Encode();
  return {encoded.begin() + 32, encoded.begin() + 32 + kWords * kDescriptorBytes};
}

/// Words of the vocabulary, each value moved by up to `most`.
Bytes MovedWords(int count, int most, unsigned seed) {
  std::mt19937 random(seed);
  const Bytes centroids = ShippedCentroids();
  Bytes moved;
  for (int i = 0; i < count; ++i) {
    const std::size_t word = random() % kWords;
    for (std::size_t j = 0; j < kDescriptorBytes; ++j) {
      const int value = centroids[word * kDescriptorBytes + j] +
                        static_cast<int>(random() % (2 * most + 1)) - most;
      moved.push_back(static_cast<std::uint8_t>(std::clamp(value, 0, 255)));
    }
  }
  return moved;
}

std::vector<std::uint64_t> AllKeys(const Bytes& centroids, const std::uint8_t* descriptor) {
  std::vector<std::uint64_t> keys;
  const auto distance = kernel::DistanceOf(kernel::Variant::kPortable);
  for (std::size_t word = 0; word < kWords; ++word) {
    const auto squared = static_cast<std::uint64_t>(
        distance(descriptor, &centroids[word * kDescriptorBytes], kDescriptorBytes));
    keys.push_back(squared << kWordBits | word);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

TEST(WordGroupsTest, AllWordsAreFoundInOrderWhereAllAreAskedFor) {
  const Bytes centroids = ShippedCentroids();
  const WordGroups groups(GroupWords(centroids));
  const Bytes descriptors = MovedWords(3, 20, 1);
  for (std::size_t i = 0; i < descriptors.size(); i += kDescriptorBytes) {
    std::vector<std::uint64_t> found(kWords);
    groups.Find(&descriptors[i], kernel::MeasureRowsOf(kernel::Variant::kPortable), found);
    EXPECT_EQ(found, AllKeys(centroids, &descriptors[i]));
  }
}

TEST(WordGroupsTest, NearlyAllNearWordsAreFoundByEveryVariant) {
  const Bytes centroids = ShippedCentroids();
  const WordGroups groups(GroupWords(centroids));
  const Bytes descriptors = MovedWords(200, 30, 2);
  int found_words = 0;
  for (std::size_t i = 0; i < descriptors.size(); i += kDescriptorBytes) {
    const auto all = AllKeys(centroids, &descriptors[i]);
    std::vector<std::uint64_t> found(8);
    groups.Find(&descriptors[i], kernel::MeasureRowsOf(kernel::Variant::kPortable), found);
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
    for (const std::uint64_t key : found) {
      EXPECT_TRUE(std::binary_search(all.begin(), all.end(), key));
      found_words += key <= all[7];
    }
    for (const kernel::Variant variant : kernel::SupportedVariants()) {
      std::vector<std::uint64_t> again(8);
      groups.Find(&descriptors[i], kernel::MeasureRowsOf(variant), again);
      EXPECT_EQ(again, found);
    }
  }
  EXPECT_GE(found_words, 200 * 8 * 95 / 100);
}

TEST(WordGroupsTest, EachWordLiesInTheGroupOfItsNearestMiddle) {
  const GroupedWords words = GroupWords(ShippedCentroids());
  const auto distance = kernel::DistanceOf(kernel::Variant::kPortable);
  for (std::size_t word = 0; word < kWords; word += 41) {
    const auto to = [&](std::size_t group) {
      return distance(&words.centroids[word * kDescriptorBytes],
                      &words.middles[group * kDescriptorBytes], kDescriptorBytes);
    };
    for (std::size_t group = 0; group < kGroups; ++group) {
      EXPECT_GE(to(group), to(words.group_of[word]));
    }
  }
}

TEST(WordGroupsTest, WordsThatAreAllTheSameAreFound) {
  const WordGroups groups(GroupWords(Bytes(std::size_t{kWords} * kDescriptorBytes, 7)));
  const Bytes descriptor(kDescriptorBytes, 9);
  std::vector<std::uint64_t> found(3);
  groups.Find(descriptor.data(), kernel::MeasureRowsOf(kernel::Variant::kPortable), found);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(found[i], 512u << kWordBits | i);
}

TEST(WordGroupsTest, TheShippedGroupsAreThoseOfTheShippedWords) {
  const Bytes encoded = Vocabulary::Shipped().Encode();
  const GroupedWords words = GroupWords(ShippedCentroids());
  const auto shipped = encoded.begin() + 32 + kWords * kDescriptorBytes;
  EXPECT_TRUE(std::equal(words.middles.begin(), words.middles.end(), shipped));
  EXPECT_TRUE(std::equal(words.group_of.begin(), words.group_of.end(),
                         shipped + std::ssize(words.middles)));
}

}  // namespace
}  // namespace siftsearch::lists
