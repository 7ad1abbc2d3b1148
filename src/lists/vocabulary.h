#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernel/topk.h"
#include "lists/word_groups.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch::lists {

inline constexpr int kSigns = 64;

/// What a descriptor is found by: the number of a word, and 64 signs, the first one highest.
struct Term {
  std::uint32_t word = 0;
  std::uint64_t signs = 0;

  bool operator==(const Term&) const = default;
};

/// A term that a query's descriptor is looked up by, and those of its signs that are more certain
/// than the others, since the descriptor lies farther from their medians than from all in the mean.
struct Probe {
  std::uint32_t descriptor = 0;  ///< Its number among those of the query.
  Term term;
  std::uint64_t certain = 0;
};

/// How a query's descriptor is looked up.
struct ProbeOptions {
  int words = 1;  ///< Nearest words, at least 1.
  /// Of these, none that lies farther than the nearest by more than this, both squared (L2).
  std::int32_t farther = std::numeric_limits<std::int32_t>::max();
  kernel::Variant variant = kernel::Variant::kPortable;
  int threads = 1;
};

/// Words (centroids of k-means) that divide descriptors into cells, and directions that divide each
/// cell: a sign says on which side of the cell's median a descriptor lies (Jégou, Douze, Schmid,
/// "Hamming embedding and weak geometric consistency for large scale image search", ECCV 2008,
/// section 3.2). The directions are those in which the descriptors of a word differ most, turned at
/// random so that each sign tells as much as another. All numbers are whole, so every machine gives
/// a descriptor the same term. Immutable, safe from several threads.
class Vocabulary {
 public:
  using Projection = std::array<std::int8_t, kDescriptorBytes>;
  using Projections = std::array<Projection, kSigns>;
  using Projected = std::array<std::int32_t, kSigns>;

  /// `medians`: kWords × kSigns, of the projections of each word's descriptors.
  Vocabulary(GroupedWords words, const Projections& projections, std::vector<std::int32_t> medians);

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

  /// For one descriptor after the other a probe in each of its near words, nearest first.
  std::vector<Probe> Probes(std::span<const std::uint8_t> descriptors,
                            const ProbeOptions& options) const;

  /// Dot products with all directions.
  Projected Project(const std::uint8_t* descriptor) const;

 private:
  std::uint64_t SignsOf(std::uint32_t word, const Projected& at) const;
  std::uint64_t CertainOf(std::uint32_t word, const Projected& at) const;
  /// Calls `visit(descriptor, n, word, projected)` for the nth near word of each descriptor, on
  /// threads.
  template <typename Visit>
  void VisitWords(std::span<const std::uint8_t> descriptors, const ProbeOptions& options,
                  const Visit& visit) const;

  WordGroups words_;
  Projections projections_;
  std::vector<std::int32_t> medians_;
  std::uint64_t digest_ = 0;
};

}  // namespace siftsearch::lists
