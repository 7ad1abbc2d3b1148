#include "lists/terms_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "segment/segment_format.h"

namespace siftsearch::lists {
namespace {

constexpr std::uint64_t kOfVocabulary = 77;

/// Of random signs, in words below `below`.
std::vector<Term> RandomTerms(std::size_t rows, std::uint32_t below, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<Term> terms(rows);
  for (Term& term : terms) {
    term.word = static_cast<std::uint32_t>(random() % below);
    term.signs = random();
  }
  return terms;
}

std::vector<std::uint8_t> Encode(const std::vector<Term>& terms) {
  const auto half = static_cast<std::uint32_t>(terms.size() / 2);
  const std::vector<TermedContent> contents = {
      {.content = 3, .rows = half, .checksum = 5},
      {.content = 8, .rows = static_cast<std::uint32_t>(terms.size()) - half, .checksum = 6}};
  return EncodeTerms({.vocabulary = kOfVocabulary, .segment = 99}, contents, terms);
}

Result<std::shared_ptr<const TermsFile>> Open(std::vector<std::uint8_t> bytes) {
  return TermsFile::Of("1.terms", std::move(bytes), kOfVocabulary);
}

using RowSigns = std::vector<std::pair<std::uint32_t, std::uint64_t>>;

/// The rows of a word, ascending, with their signs.
Result<RowSigns> OfWord(const TermsFile& file, std::uint32_t word) {
  TermsFile::Entries entries;
  SIFTSEARCH_RETURN_IF_ERROR(file.OfWord(word, &entries));
  std::vector<std::uint32_t> rows(entries.signatures.size() / 8);
  std::iota(rows.begin(), rows.end(), entries.first);
  SIFTSEARCH_RETURN_IF_ERROR(file.ToRows(rows));
  RowSigns found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    found.emplace_back(rows[i], segment::LoadU64(&entries.signatures[8 * i]));
  }
  std::sort(found.begin(), found.end());
  return found;
}

RowSigns Expected(const std::vector<Term>& terms, std::uint32_t word) {
  RowSigns expected;
  for (std::uint32_t row = 0; row < terms.size(); ++row) {
    if (terms[row].word == word) expected.emplace_back(row, terms[row].signs);
  }
  return expected;
}

class TermsFileTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(TermsFileTest, GivesExactlyTheRowsOfAWord) {
  // Few words, so that one crosses blocks; then many.
  for (const std::uint32_t below : {1u, 3u, 500u, static_cast<std::uint32_t>(kWords)}) {
    const auto terms = RandomTerms(GetParam(), below, 1);
    const auto file = Open(Encode(terms));
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ((*file)->rows(), terms.size());
    EXPECT_EQ((*file)->segment(), 99u);
    EXPECT_EQ((*file)->contents().size(), 2u);
    for (const std::uint32_t word : {0u, 1u, 2u, 499u, 2000u, kWords - 1u}) {
      EXPECT_EQ(OfWord(**file, word).value(), Expected(terms, word)) << word;
    }
    EXPECT_EQ((*file)->ByRow().value(), terms);
    EXPECT_TRUE((*file)->Verify().ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, TermsFileTest,
                         ::testing::Values(0, 1, 2, 1023, 1024, 1025, 2048, 5000));

TEST(TermsFileTest, ManyThreadsReadTheSameFromAFileThatNoneHasTouched) {
  const auto terms = RandomTerms(20'000, 16, 5);
  const auto file = Open(Encode(terms));
  ASSERT_TRUE(file.ok()) << file.status().message();
  ParallelFor(64, 4, [&](std::size_t part) {
    const auto word = static_cast<std::uint32_t>(part % 16);
    EXPECT_EQ(OfWord(**file, word).value(), Expected(terms, word));
  });
}

TEST(TermsFileTest, EveryFlippedByteIsFoundBeforeItGivesAWrongRow) {
  const auto terms = RandomTerms(2100, 20, 2);
  const auto bytes = Encode(terms);
  for (std::size_t at = 0; at < bytes.size(); at += at < 400 ? 1 : 41) {
    auto damaged = bytes;
    damaged[at] ^= 0x10;
    const auto file = Open(std::move(damaged));
    if (!file.ok()) continue;
    EXPECT_EQ((*file)->Verify().code(), StatusCode::kCorrupt) << "byte " << at;
    EXPECT_EQ((*file)->ByRow().status().code(), StatusCode::kCorrupt) << "byte " << at;
    for (const std::uint32_t word : {0u, 10u, 19u}) {
      const auto found = OfWord(**file, word);
      if (!found.ok()) continue;
      EXPECT_EQ(*found, Expected(terms, word)) << "byte " << at;
    }
  }
}

TEST(TermsFileTest, EveryCutIsFound) {
  const auto bytes = Encode(RandomTerms(1500, 2000, 3));
  for (std::size_t size = 0; size < bytes.size(); size += size < 300 ? 1 : 37) {
    EXPECT_EQ(
        Open({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}).status().code(),
        StatusCode::kCorrupt)
        << size;
  }
}

TEST(TermsFileTest, AnotherVocabularyIsNoDamage) {
  const auto bytes = Encode(RandomTerms(10, 10, 4));
  EXPECT_EQ(TermsFile::Of("1.terms", bytes, kOfVocabulary + 1).status().code(),
            StatusCode::kIncompatible);
}

}  // namespace
}  // namespace siftsearch::lists
