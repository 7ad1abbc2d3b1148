#include "local/least_differing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace siftsearch::local {
namespace {

/// An entry by which it differs, its file and its number.
struct Entry {
  int differing = 0;
  std::size_t file = 0;
  std::uint32_t number = 0;

  auto operator<=>(const Entry&) const = default;
};

void Add(const Entry& entry, LeastDiffering& least) {
  if (entry.differing > least.limit()) return;
  const kernel::NearSignature near =
      static_cast<std::uint64_t>(entry.differing) << 32 | (entry.number - 7);
  least.Add({&near, 1}, entry.file, 7);
}

std::vector<Entry> Taken(LeastDiffering& least) {
  std::vector<Entry> taken;
  for (const std::uint64_t place : least.TakePlaces()) {
    taken.push_back({0, LeastDiffering::FileOf(place), LeastDiffering::EntryOf(place)});
  }
  return taken;
}

std::vector<Entry> RandomEntries(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Entry> entries;
  for (std::uint32_t i = 0; i < count; ++i) {
    entries.push_back({static_cast<int>(random() % 60), random() % 3, 7 + i});
  }
  return entries;
}

TEST(LeastDifferingTest, KeepsTheLeastAndThoseThatDifferAsMuchInWhicheverOrderTheyCome) {
  std::mt19937 random(1);
  for (const std::size_t count : {0, 5, 40, 41, 1000}) {
    auto entries = RandomEntries(count, 2);
    std::sort(entries.begin(), entries.end());
    std::vector<Entry> expected;
    const auto eligible = std::count_if(entries.begin(), entries.end(),
                                        [](const Entry& entry) { return entry.differing <= 50; });
    for (const Entry& entry : entries) {
      if (entry.differing > 50) continue;
      if (expected.size() >= 20 && entry.differing > expected.back().differing) break;
      expected.push_back(entry);
    }
    for (Entry& entry : expected) entry.differing = 0;
    std::sort(expected.begin(), expected.end());
    for (int round = 0; round < 20; ++round) {
      std::shuffle(entries.begin(), entries.end(), random);
      LeastDiffering least(20, 50);
      for (const Entry& entry : entries) Add(entry, least);
      EXPECT_EQ(Taken(least), expected);
      EXPECT_EQ(least.has_left_out(), eligible > 20);
    }
  }
}

TEST(LeastDifferingTest, ManyThatDifferAsLittleAreAllKept) {
  LeastDiffering least(20, 50);
  for (std::uint32_t i = 0; i < 5000; ++i) Add({3, i % 2, 7 + i}, least);
  for (std::uint32_t i = 0; i < 100; ++i) Add({4, 0, 6000 + i}, least);
  EXPECT_EQ(least.limit(), 3);
  EXPECT_TRUE(least.has_left_out());
  EXPECT_EQ(least.TakePlaces().size(), 5000u);
}

}  // namespace
}  // namespace siftsearch::local
