#include "lists/vocabulary.h"

#include <algorithm>
#include <cstdlib>
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
constexpr std::uint32_t kVocabularyVersion = 3;
constexpr std::size_t kVocabularyHeaderBytes = 32;
constexpr std::size_t kCentroidBytes = std::size_t{kWords} * kDescriptorBytes;
constexpr std::size_t kMiddleBytes = std::size_t{kGroups} * kDescriptorBytes;
constexpr std::size_t kProjectionBytes = std::size_t{kSigns} * kDescriptorBytes;
constexpr std::size_t kMedianBytes = std::size_t{kWords} * kSigns * 4;
constexpr std::size_t kFileBytes = kVocabularyHeaderBytes + kCentroidBytes + kMiddleBytes + kWords +
                                   kProjectionBytes + kMedianBytes;

/// Descriptors that one part of a parallel loop takes.
constexpr std::size_t kAtOnce = 256;

}  // namespace

Vocabulary::Vocabulary(GroupedWords words, const Projections& projections,
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
  Projections projections;
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

Vocabulary::Projected Vocabulary::Project(const std::uint8_t* descriptor) const {
  Projected dots;
  for (int sign = 0; sign < kSigns; ++sign) {
    std::int32_t sum = 0;
    for (int i = 0; i < kDescriptorBytes; ++i) {
      sum += std::int32_t{projections_[sign][i]} * descriptor[i];
    }
    dots[sign] = sum;
  }
  return dots;
}

std::uint64_t Vocabulary::SignsOf(std::uint32_t word, const Projected& at) const {
  const std::int32_t* median = &medians_[std::size_t{word} * kSigns];
  std::uint64_t signs = 0;
  for (std::size_t sign = 0; sign < kSigns; ++sign) {
    signs = signs << 1 | static_cast<std::uint64_t>(at[sign] >= median[sign]);
  }
  return signs;
}

std::uint64_t Vocabulary::CertainOf(std::uint32_t word, const Projected& at) const {
  const std::int32_t* median = &medians_[std::size_t{word} * kSigns];
  Projected distances;
  std::int32_t sum = 0;  // Each is below 2^23 (127 · 255 · 128 · 2).
  for (std::size_t sign = 0; sign < kSigns; ++sign) {
    distances[sign] = std::abs(at[sign] - median[sign]);
    sum += distances[sign];
  }
  const std::int32_t mean = sum / kSigns;
  std::uint64_t certain = 0;
  for (std::size_t sign = 0; sign < kSigns; ++sign) {
    certain = certain << 1 | static_cast<std::uint64_t>(distances[sign] > mean);
  }
  return certain;
}

template <typename Visit>
void Vocabulary::VisitWords(std::span<const std::uint8_t> descriptors, const ProbeOptions& options,
                            const Visit& visit) const {
  kernel::MeasureRows* const measure = kernel::MeasureRowsOf(options.variant);
  const std::size_t count = descriptors.size() / kDescriptorBytes;
  const std::size_t each = static_cast<std::size_t>(options.words);
  ParallelFor((count + kAtOnce - 1) / kAtOnce, options.threads, [&](std::size_t part) {
    std::vector<std::uint64_t> words(each);
    const std::size_t end = std::min(count, (part + 1) * kAtOnce);
    for (std::size_t i = part * kAtOnce; i < end; ++i) {
      const std::uint8_t* descriptor = &descriptors[i * std::size_t{kDescriptorBytes}];
      words_.Find(descriptor, measure, words);
      const Projected at = Project(descriptor);
      const std::uint64_t farthest =
          (words[0] >> kWordBits) + static_cast<std::uint64_t>(options.farther);
      for (std::size_t n = 0; n < each && words[n] >> kWordBits <= farthest; ++n) {
        visit(i, n, static_cast<std::uint32_t>(words[n] % kWords), at);
      }
    }
  });
}

std::vector<Term> Vocabulary::Terms(std::span<const std::uint8_t> descriptors,
                                    kernel::Variant variant, int threads) const {
  std::vector<Term> terms(descriptors.size() / kDescriptorBytes);
  VisitWords(descriptors, {.variant = variant, .threads = threads},
             [&](std::size_t i, std::size_t, std::uint32_t word, const Projected& at) {
               terms[i] = {word, SignsOf(word, at)};
             });
  return terms;
}

std::vector<Probe> Vocabulary::Probes(std::span<const std::uint8_t> descriptors,
                                      const ProbeOptions& options) const {
  const std::size_t each = static_cast<std::size_t>(options.words);
  std::vector<Probe> probes(descriptors.size() / kDescriptorBytes * each,
                            {.term = {.word = kWords}});
  VisitWords(descriptors, options,
             [&](std::size_t i, std::size_t n, std::uint32_t word, const Projected& at) {
               probes[i * each + n] = {.descriptor = static_cast<std::uint32_t>(i),
                                       .term = {word, SignsOf(word, at)},
                                       .certain = CertainOf(word, at)};
             });
  std::erase_if(probes, [](const Probe& probe) { return probe.term.word == kWords; });
  return probes;
}

}  // namespace siftsearch::lists
