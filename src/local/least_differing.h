#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/topk.h"

namespace siftsearch::local {

/// Gathers, of entries in several files, those whose signs differ least from a descriptor's: so
/// many, and those that differ as much as the last of them. They are the same in whichever order
/// they come. Used from one thread.
class LeastDiffering {
 public:
  /// At least `wanted` of the entries that differ by at most `most` (0 to 128).
  LeastDiffering(std::size_t wanted, int most)
      : wanted_(wanted), room_(2 * wanted), most_(most), limit_(most) {}

  /// By how much a further entry may differ; the others need not be added.
  int limit() const { return limit_; }

  /// Adds entries of file number `file` (below 2^24), of which their indexes count from `first`.
  void Add(std::span<const kernel::NearSignature> found, std::size_t file, std::uint32_t first);

  /// Whether entries may have been left out that differ by no more than `most`.
  bool has_left_out() const { return limit_ < most_; }

  /// Where the entries lie, ascending. Called once, at the end.
  std::span<const std::uint64_t> TakePlaces();
  static std::size_t FileOf(std::uint64_t place) { return place >> 32; }
  static std::uint32_t EntryOf(std::uint64_t place) { return static_cast<std::uint32_t>(place); }

 private:
  void Tighten();

  std::size_t wanted_;
  std::size_t room_;  ///< Entries up to which none is left out.
  int most_;
  int limit_;
  std::vector<std::uint64_t> entries_;  ///< By how much it differs << 56 | its place.
};

}  // namespace siftsearch::local
