#include "lists/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/parallel.h"
#include "lists/shipped_vocabulary.h"
#include "segment/segment_format.h"

namespace siftsearch::lists {
namespace {

using segment::LoadU32;
using segment::LoadU64;
using segment::StoreU32;
using segment::StoreU64;

constexpr std::array<std::uint8_t, 8> kVocabularyMagic = {'S', 'I', 'F', 'T', 'V', 'O', 'C', '\n'};
constexpr std::uint32_t kVocabularyVersion = 2;
constexpr std::size_t kVocabularyHeaderBytes = 32;
constexpr std::size_t kCentroidBytes = std::size_t{kWords} * kDescriptorBytes;
constexpr std::size_t kMiddleBytes = std::size_t{kGroups} * kDescriptorBytes;
constexpr std::size_t kProjectionBytes = std::size_t{kSigns} * kDescriptorBytes;
constexpr std::size_t kMedianBytes = std::size_t{kWords} * kSigns * 4;
constexpr std::size_t kFileBytes = kVocabularyHeaderBytes + kCentroidBytes + kMiddleBytes + kWords +
                                   kProjectionBytes + kMedianBytes;

/// Descriptors that one part of a parallel loop takes.
constexpr std::size_t kAtOnce = 256;

Term SignsOf(const std::array<std::int32_t, kSigns>& residuals) {
  Term signs = 0;
  for (const std::int32_t residual : residuals) signs = signs << 1 | (residual >= 0 ? 1 : 0);
  return signs;
}

constexpr Term SignBit(int sign) { return Term{1} << (kSigns - 1 - sign); }

/// Bits of the `flips` least certain of the first `signs` signs.
std::vector<Term> LeastCertain(const std::array<std::int32_t, kSigns>& residuals, int signs,
                               int flips) {
  std::array<int, kSigns> order;
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + flips, order.begin() + signs, [&](int a, int b) {
    const std::int32_t x = std::abs(residuals[a]), y = std::abs(residuals[b]);
    return x != y ? x < y : a < b;
  });
  std::vector<Term> bits;
  for (int i = 0; i < flips; ++i) bits.push_back(SignBit(order[i]));
  return bits;
}

}  // namespace

Vocabulary::Vocabulary(GroupedWords words, const std::array<Projection, kSigns>& projections,
                       std::vector<std::int32_t> medians)
    : words_(std::move(words)),
      projections_(projections),
      medians_(std::move(medians)),
      digest_(LoadU64(&Encode()[16])) {}

Result<Vocabulary> Vocabulary::Parse(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != kFileBytes ||
      !std::equal(kVocabularyMagic.begin(), kVocabularyMagic.end(), bytes.begin()) ||
      Checksum(bytes.subspan(kVocabularyHeaderBytes)) != LoadU64(&bytes[16])) {
    return Status(StatusCode::kCorrupt, "the vocabulary is damaged");
  }
  if (LoadU32(&bytes[8]) != kVocabularyVersion) {
    return Status(StatusCode::kIncompatible, "the vocabulary has another format");
  }
  const std::uint8_t* from = bytes.data() + kVocabularyHeaderBytes;
  const auto take = [&](std::size_t count) {
    from += count;
    return std::vector<std::uint8_t>(from - count, from);
  };
  GroupedWords words{take(kCentroidBytes), take(kMiddleBytes), take(kWords)};
  std::array<Projection, kSigns> projections;
  for (Projection& projection : projections) {
    for (std::int8_t& value : projection) value = static_cast<std::int8_t>(*from++);
  }
  std::vector<std::int32_t> medians(std::size_t{kWords} * kSigns);
  for (std::int32_t& median : medians) {
    median = static_cast<std::int32_t>(LoadU32(from));
    from += 4;
  }
  return Vocabulary(std::move(words), projections, std::move(medians));
}

std::vector<std::uint8_t> Vocabulary::Encode() const {
  std::vector<std::uint8_t> bytes(kFileBytes);
  std::copy(kVocabularyMagic.begin(), kVocabularyMagic.end(), bytes.begin());
  StoreU32(kVocabularyVersion, &bytes[8]);
  const GroupedWords& words = words_.words();
  std::uint8_t* to = bytes.data() + kVocabularyHeaderBytes;
  for (const auto* part : {&words.centroids, &words.middles, &words.group_of}) {
    to = std::copy(part->begin(), part->end(), to);
  }
  for (const Projection& projection : projections_) {
    for (const std::int8_t value : projection) *to++ = static_cast<std::uint8_t>(value);
  }
  for (const std::int32_t median : medians_) {
    StoreU32(static_cast<std::uint32_t>(median), to);
    to += 4;
  }
  StoreU64(Checksum(std::span(bytes).subspan(kVocabularyHeaderBytes)), &bytes[16]);
  return bytes;
}

const Vocabulary& Vocabulary::Shipped() {
  static const Vocabulary vocabulary = Parse(ShippedVocabulary()).value();
  return vocabulary;
}

std::array<std::int32_t, kSigns> Vocabulary::Project(const std::uint8_t* descriptor) const {
  std::array<std::int32_t, kSigns> dots;
  for (int sign = 0; sign < kSigns; ++sign) {
    std::int32_t sum = 0;
    for (int i = 0; i < kDescriptorBytes; ++i) {
      sum += std::int32_t{projections_[sign][i]} * descriptor[i];
    }
    dots[sign] = sum;
  }
  return dots;
}

std::array<std::int32_t, kSigns> Vocabulary::Residuals(
    std::size_t word, const std::array<std::int32_t, kSigns>& at) const {
  std::array<std::int32_t, kSigns> residuals;
  const std::int32_t* median = &medians_[word * kSigns];
  for (int sign = 0; sign < kSigns; ++sign) residuals[sign] = at[sign] - median[sign];
  return residuals;
}

std::vector<Term> Vocabulary::Terms(std::span<const std::uint8_t> descriptors,
                                    kernel::Variant variant, int threads) const {
  return Probes(descriptors, {.variant = variant, .threads = threads});
}

std::vector<Term> Vocabulary::Probes(std::span<const std::uint8_t> descriptors,
                                     const ProbeOptions& options) const {
  kernel::MeasureRows* const measure = kernel::MeasureRowsOf(options.variant);
  const std::size_t count = descriptors.size() / kDescriptorBytes;
  std::vector<Term> terms(count * options.probes());
  ParallelFor((count + kAtOnce - 1) / kAtOnce, options.threads, [&](std::size_t part) {
    std::vector<std::uint64_t> words(static_cast<std::size_t>(options.words));
    const std::size_t end = std::min(count, (part + 1) * kAtOnce);
    for (std::size_t i = part * kAtOnce; i < end; ++i) {
      const std::uint8_t* descriptor = &descriptors[i * std::size_t{kDescriptorBytes}];
      words_.Find(descriptor, measure, words);
      const auto at = Project(descriptor);
      Term* to = &terms[i * options.probes()];
      for (const std::uint64_t word : words) to = WriteProbes(word % kWords, at, options, to);
    }
  });
  return terms;
}

Term* Vocabulary::WriteProbes(std::size_t word, const std::array<std::int32_t, kSigns>& at,
                              const ProbeOptions& options, Term* to) const {
  const auto residuals = Residuals(word, at);
  const Term term = static_cast<Term>(word) << kSigns | SignsOf(residuals);
  const auto bits = LeastCertain(residuals, options.signs, options.flips);
  for (unsigned choice = 0; choice < 1u << options.flips; ++choice) {
    *to = term;
    for (std::size_t bit = 0; bit < bits.size(); ++bit) {
      if (choice >> bit & 1) *to ^= bits[bit];
    }
    ++to;
  }
  return to;
}

}  // namespace siftsearch::lists
