#include "lists/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "lists/shipped_vocabulary.h"
#include "segment/segment_format.h"

namespace siftsearch::lists {
namespace {

using segment::LoadU32;
using segment::LoadU64;
using segment::StoreU32;
using segment::StoreU64;

constexpr std::array<std::uint8_t, 8> kVocabularyMagic = {'S', 'I', 'F', 'T', 'V', 'O', 'C', '\n'};
constexpr std::uint32_t kVocabularyVersion = 1;
constexpr std::size_t kVocabularyHeaderBytes = 32;
constexpr std::size_t kCentroidBytes = std::size_t{kWords} * kDescriptorBytes;
constexpr std::size_t kProjectionBytes = std::size_t{kSigns} * kDescriptorBytes;
constexpr std::size_t kMedianBytes = std::size_t{kWords} * kSigns * 4;
constexpr std::size_t kFileBytes =
    kVocabularyHeaderBytes + kCentroidBytes + kProjectionBytes + kMedianBytes;

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

Vocabulary::Vocabulary(std::vector<std::uint8_t> centroids,
                       const std::array<Projection, kSigns>& projections,
                       std::vector<std::int32_t> medians)
    : centroids_(std::move(centroids)),
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
  std::vector<std::uint8_t> centroids(from, from + kCentroidBytes);
  from += kCentroidBytes;
  std::array<Projection, kSigns> projections;
  for (Projection& projection : projections) {
    for (std::int8_t& value : projection) value = static_cast<std::int8_t>(*from++);
  }
  std::vector<std::int32_t> medians(std::size_t{kWords} * kSigns);
  for (std::int32_t& median : medians) {
    median = static_cast<std::int32_t>(LoadU32(from));
    from += 4;
  }
  return Vocabulary(std::move(centroids), projections, std::move(medians));
}

std::vector<std::uint8_t> Vocabulary::Encode() const {
  std::vector<std::uint8_t> bytes(kFileBytes);
  std::copy(kVocabularyMagic.begin(), kVocabularyMagic.end(), bytes.begin());
  StoreU32(kVocabularyVersion, &bytes[8]);
  std::uint8_t* to =
      std::copy(centroids_.begin(), centroids_.end(), bytes.data() + kVocabularyHeaderBytes);
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

Status Vocabulary::NearestWords(std::span<const std::uint8_t> descriptors, int count,
                                kernel::Variant variant, int threads,
                                std::vector<kernel::Neighbour>* words) const {
  const kernel::RowSpan rows{.rows = centroids_.data(), .count = kWords, .first_row = 0};
  return kernel::TopK({&rows, 1}, kDescriptorBytes, descriptors,
                      {.k = count, .threads = threads, .variant = variant}, words);
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
    std::int64_t word, const std::array<std::int32_t, kSigns>& at) const {
  std::array<std::int32_t, kSigns> residuals;
  const std::int32_t* median = &medians_[static_cast<std::size_t>(word) * kSigns];
  for (int sign = 0; sign < kSigns; ++sign) residuals[sign] = at[sign] - median[sign];
  return residuals;
}

Status Vocabulary::Terms(std::span<const std::uint8_t> descriptors, kernel::Variant variant,
                         int threads, std::vector<Term>* terms) const {
  std::vector<kernel::Neighbour> words;
  SIFTSEARCH_RETURN_IF_ERROR(NearestWords(descriptors, 1, variant, threads, &words));
  terms->resize(words.size());
  ParallelFor((words.size() + kAtOnce - 1) / kAtOnce, threads, [&](std::size_t part) {
    const std::size_t end = std::min(words.size(), (part + 1) * kAtOnce);
    for (std::size_t i = part * kAtOnce; i < end; ++i) {
      const auto residuals =
          Residuals(words[i].row, Project(&descriptors[i * std::size_t{kDescriptorBytes}]));
      (*terms)[i] = static_cast<Term>(words[i].row) << kSigns | SignsOf(residuals);
    }
  });
  return {};
}

Status Vocabulary::Probes(std::span<const std::uint8_t> descriptors, const ProbeOptions& options,
                          std::vector<Term>* terms) const {
  std::vector<kernel::Neighbour> words;
  SIFTSEARCH_RETURN_IF_ERROR(
      NearestWords(descriptors, options.words, options.variant, options.threads, &words));
  const std::size_t count = descriptors.size() / kDescriptorBytes;
  const std::size_t near = static_cast<std::size_t>(options.words);
  terms->resize(count * options.probes());
  ParallelFor((count + kAtOnce - 1) / kAtOnce, options.threads, [&](std::size_t part) {
    const std::size_t end = std::min(count, (part + 1) * kAtOnce);
    for (std::size_t i = part * kAtOnce; i < end; ++i) {
      const auto at = Project(&descriptors[i * std::size_t{kDescriptorBytes}]);
      Term* to = &(*terms)[i * options.probes()];
      for (std::size_t rank = 0; rank < near; ++rank) {
        to = WriteProbes(words[i * near + rank].row, at, options, to);
      }
    }
  });
  return {};
}

Term* Vocabulary::WriteProbes(std::int64_t word, const std::array<std::int32_t, kSigns>& at,
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
