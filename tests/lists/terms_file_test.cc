#include "lists/terms_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>

#include "base/parallel.h"

namespace siftsearch::lists {
namespace {

constexpr std::uint64_t kOfVocabulary = 77;

std::vector<Term> RandomTerms(std::size_t rows, Term below, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Term> terms(rows);
  for (Term& term : terms) term = random() % below;
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

kernel::SelectNear* Select() { return kernel::SelectNearOf(kernel::Variant::kPortable); }

std::vector<std::uint32_t> Found(const TermsFile& file, Term term, Term mask, int differing) {
  std::vector<std::uint32_t> rows;
  EXPECT_TRUE(file.Find(term, mask, differing, Select(), &rows).ok());
  for (const kernel::Variant variant : kernel::SupportedVariants()) {
    std::vector<std::uint32_t> same;
    EXPECT_TRUE(file.Find(term, mask, differing, kernel::SelectNearOf(variant), &same).ok());
    EXPECT_EQ(same, rows) << kernel::VariantName(variant);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::uint32_t> Expected(const std::vector<Term>& terms, Term term, Term mask,
                                    int differing) {
  std::vector<std::uint32_t> rows;
  for (std::size_t row = 0; row < terms.size(); ++row) {
    const Term different = terms[row] ^ term;
    if ((different & mask) != 0 || std::popcount(different & ~TermMask(0)) > differing) continue;
    rows.push_back(static_cast<std::uint32_t>(row));
  }
  return rows;
}

class TermsFileTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(TermsFileTest, FindsExactlyTheRowsOfATerm) {
  // Few terms, so that runs of one term cross blocks; then many.
  for (const Term below : {Term{3}, Term{5000}, Term{0xffffffff}}) {
    const auto terms = RandomTerms(GetParam(), below, 1);
    const auto file = Open(Encode(terms));
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ((*file)->rows(), terms.size());
    EXPECT_EQ((*file)->segment(), 99u);
    EXPECT_EQ((*file)->contents().size(), 2u);
    for (const int signs : {0, 4, 12, kSigns}) {
      for (const int differing : {0, 3, 8, kSigns}) {
        const auto expect_found = [&](Term term) {
          EXPECT_EQ(Found(**file, term, TermMask(signs), differing),
                    Expected(terms, term, TermMask(signs), differing));
        };
        for (const Term term : {0u, 1u, 2u, 4999u, 0xfffffffeu}) expect_found(term);
        for (std::size_t row = 0; row < terms.size(); row += 97) expect_found(terms[row]);
      }
    }
    EXPECT_EQ((*file)->ByRow().value(), terms);
    EXPECT_TRUE((*file)->Verify().ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, TermsFileTest,
                         ::testing::Values(0, 1, 2, 1023, 1024, 1025, 2048, 5000));

TEST(TermsFileTest, ManyThreadsFindTheSameInAFileThatNoneHasTouched) {
  const auto terms = RandomTerms(20'000, 0xffffffff, 5);
  const auto file = Open(Encode(terms));
  ASSERT_TRUE(file.ok()) << file.status().message();
  ParallelFor(64, 4, [&](std::size_t part) {
    const Term term = terms[part * 61 % 997];
    EXPECT_EQ(Found(**file, term, TermMask(2), 9), Expected(terms, term, TermMask(2), 9));
  });
}

TEST(TermsFileTest, EveryFlippedByteIsFoundBeforeItGivesAWrongRow) {
  const auto terms = RandomTerms(2100, 2000, 2);
  const auto bytes = Encode(terms);
  for (std::size_t at = 0; at < bytes.size(); at += at < 300 ? 1 : 41) {
    auto damaged = bytes;
    damaged[at] ^= 0x10;
    const auto file = Open(std::move(damaged));
    if (!file.ok()) continue;
    EXPECT_EQ((*file)->Verify().code(), StatusCode::kCorrupt) << "byte " << at;
    for (const Term term : {Term{0}, Term{1000}, Term{1999}}) {
      std::vector<std::uint32_t> rows;
      const Status status = (*file)->Find(term, TermMask(kSigns), kSigns, Select(), &rows);
      std::sort(rows.begin(), rows.end());
      if (!status.ok()) continue;
      EXPECT_EQ(rows, Expected(terms, term, TermMask(kSigns), kSigns)) << "byte " << at;
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
