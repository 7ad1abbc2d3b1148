#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/topk.h"
#include "lists/word_groups.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch::lists {

/// What a descriptor is looked up by: the number of its word in the upper 12 bits, below it 20
/// signs, the first one highest.
using Term = std::uint32_t;

inline constexpr int kSigns = 20;

/// The bits of a term that remain when only the first `signs` (0 to kSigns) signs count.
constexpr Term TermMask(int signs) { return ~Term{0} << (kSigns - signs); }

/// How a query's descriptor is looked up.
struct ProbeOptions {
  int signs = kSigns;  ///< First signs that count.
  int words = 1;       ///< Nearest words, at least 1.
  int flips = 0;       ///< Least certain of these signs that are tried both ways, at most `signs`.
  kernel::Variant variant = kernel::Variant::kPortable;
  int threads = 1;

  /// Terms for each descriptor.
  std::size_t probes() const { return static_cast<std::size_t>(words) << flips; }
};

/// Words (centroids of k-means) that divide descriptors into cells, and directions that divide each
/// cell: a sign says on which side of the cell's median a descriptor lies (Jégou, Douze, Schmid,
/// "Hamming embedding and weak geometric consistency for large scale image search", ECCV 2008,
/// section 3.2), taken as part of a key that is looked up instead of as a signature that is
/// compared. All numbers are whole, so every machine gives a descriptor the same term. Immutable,
/// safe from several threads.
class Vocabulary {
 public:
  using Projection = std::array<std::int8_t, kDescriptorBytes>;

  /// `medians`: kWords × kSigns, of the projections of each word's descriptors.
  Vocabulary(GroupedWords words, const std::array<Projection, kSigns>& projections,
             std::vector<std::int32_t> medians);

  /// What `Encode` gave (schema/vocabulary.md). kCorrupt; kIncompatible: another format.
  static Result<Vocabulary> Parse(std::span<const std::uint8_t> bytes);
  std::vector<std::uint8_t> Encode() const;

  /// The one that comes with the program.
  static const Vocabulary& Shipped();

  /// Tells one vocabulary from another.
  std::uint64_t digest() const { return digest_; }

  /// The term of each descriptor (n × kDescriptorBytes bytes), in its nearest word (WordGroups).
  std::vector<Term> Terms(std::span<const std::uint8_t> descriptors, kernel::Variant variant,
                          int threads) const;

  /// `options.probes()` terms for each descriptor, all different under TermMask(signs): for each
  /// near word the descriptor's term there, and the same with signs flipped.
  std::vector<Term> Probes(std::span<const std::uint8_t> descriptors,
                           const ProbeOptions& options) const;

  /// Dot products with all directions.
  std::array<std::int32_t, kSigns> Project(const std::uint8_t* descriptor) const;

 private:
  /// Distances from the medians of a word, the sign being that of the sign bit.
  std::array<std::int32_t, kSigns> Residuals(std::size_t word,
                                             const std::array<std::int32_t, kSigns>& at) const;
  /// Writes the terms of one word; gives the place behind them.
  Term* WriteProbes(std::size_t word, const std::array<std::int32_t, kSigns>& at,
                    const ProbeOptions& options, Term* to) const;

  WordGroups words_;
  std::array<Projection, kSigns> projections_;
  std::vector<std::int32_t> medians_;
  std::uint64_t digest_ = 0;
};

}  // namespace siftsearch::lists
