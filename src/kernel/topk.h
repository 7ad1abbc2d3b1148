#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::kernel {

/// Consecutive descriptor rows in memory (usually mapped); borrowed, not copied.
struct RowSpan {
  const std::uint8_t* rows = nullptr;  ///< count × dim bytes; any alignment.
  std::size_t count = 0;
  std::int64_t first_row = 0;  ///< Number of the first row; spans are in ascending order.
};

struct Neighbour {
  std::int64_t row = -1;      ///< -1 where fewer than k rows exist, or are near enough.
  std::int32_t distance = 0;  ///< Squared L2 between bytes, exact.

  bool operator==(const Neighbour&) const = default;
};

enum class Variant { kPortable, kAvx2, kAvx512Vnni, kAmxInt8, kNeonDotprod };

/// "portable", "avx2", "avx512-vnni", "amx-int8", "neon-dotprod".
std::string_view VariantName(Variant variant);

/// Variants that this CPU and operating system can run, best first; never empty.
std::vector<Variant> SupportedVariants();

/// The supported variant of a name. kInvalidArgument, listing those supported, for any other name.
Result<Variant> VariantNamed(std::string_view name);

/// The variant of a name as of VariantNamed; the best supported where the name is empty.
Result<Variant> VariantOrBest(std::string_view name);

/// Passes over the rows that a variant has made in this process: shows which one ran.
std::uint64_t RunsOf(Variant variant);

/// Squared L2 between two descriptors of `dim` bytes (a multiple of 4 up to 2048), exact.
using Distance = std::int32_t(const std::uint8_t* a, const std::uint8_t* b, std::size_t dim);

/// The function of a supported variant, the portable one where it has none of its own: for those
/// who choose the pairs themselves.
Distance* DistanceOf(Variant variant);

/// Squared L2 between `query` and rows `numbers[i]` of `rows`, all of kMeasuredBytes, exact:
/// distances[i], for i below `count`. The rows may lie anywhere: their memory is asked for ahead.
using MeasureRows = void(const std::uint8_t* query, const std::uint8_t* rows,
                         const std::uint32_t* numbers, std::size_t count, std::int32_t* distances);

inline constexpr std::size_t kMeasuredBytes = 128;

/// The function of a supported variant, or one that is as good there.
MeasureRows* MeasureRowsOf(Variant variant);

/// Signatures are compared with this one: a bit that differs counts 1, one in `doubled` counts 2.
struct SoughtSignature {
  std::uint64_t bits = 0;
  std::uint64_t doubled = 0;
};

/// A signature that differs little: by how much << 32 | its index.
using NearSignature = std::uint64_t;

/// Writes those of `count` signatures (64 bits each, little-endian, any alignment) to `out` that
/// differ by at most `most` (0 to 128), by ascending index; gives how many. `out`: room for count +
/// kSelectNearSpare, all of which may be written to.
using SelectNear = std::size_t(const std::uint8_t* signatures, std::size_t count,
                               const SoughtSignature& sought, int most, NearSignature* out);

inline constexpr std::size_t kSelectNearSpare = 8;

/// The function of a supported variant, or one that is as good there.
SelectNear* SelectNearOf(Variant variant);

struct TopKOptions {
  int k = 10;       ///< 1 to 4096.
  int threads = 1;  ///< The rows are split between threads.
  Variant variant = Variant::kPortable;
  /// Of each query: only rows at a smaller squared distance are neighbours; the fewer there are,
  /// the faster. None: no limits.
  std::span<const std::int32_t> distances_below = {};
  /// Asked now and then, from all threads; true ends the search with kCancelled.
  std::function<bool()> stop = {};

  static constexpr std::int32_t kNoLimit = 1 << 30;
};

/// Exact k nearest rows of each query by squared L2, ascending by (distance, row): the same bytes
/// for every variant and every number of threads. `queries` holds n × dim bytes; `result` is
/// resized to n × k. `dim` is a multiple of 4 from 4 to 2048; rows are numbered below 2^36.
/// Thread-safe. Beside the result it takes at most some 256 MiB for the nearest rows so far, going
/// over the rows several times if it must. kInvalidArgument when an argument is outside these
/// bounds or the spans are not in ascending order, kLimitExceeded for too many rows, kUnsupported
/// when this machine can't run the variant.
///
/// |x − q|² = |x|² + |q|² − 2 x·q in int32; a block of rows that stays in the cache meets all
/// queries, and whole vectors of distances are compared with the current k-th before anything
/// scalar happens. AVX2 compares a lower bound of the distances first (scan_avx2.cc).
Status TopK(std::span<const RowSpan> rows, int dim, std::span<const std::uint8_t> queries,
            const TopKOptions& options, std::vector<Neighbour>* result);

class Packing;

/// Queries laid out for a variant once, to meet many small sets of rows. Immutable, safe from
/// several threads.
class PreparedQueries {
 public:
  /// At most so many.
  static constexpr std::size_t kMost = 32'768;

  /// `queries`: n × dim bytes; borrowed. Errors as of TopK; kLimitExceeded for more than kMost.
  static Result<PreparedQueries> Make(std::span<const std::uint8_t> queries, int dim,
                                      Variant variant);
  PreparedQueries(PreparedQueries&&) noexcept;
  PreparedQueries& operator=(PreparedQueries&&) noexcept;
  ~PreparedQueries();

 private:
  friend Status TopK(std::span<const RowSpan> rows, const PreparedQueries& queries,
                     const TopKOptions& options, std::vector<Neighbour>* result);
  PreparedQueries() = default;

  std::span<const std::uint8_t> queries_;
  int dim_ = 0;
  Variant variant_ = Variant::kPortable;
  std::unique_ptr<const Packing> packing_;
};

/// The same as TopK of these queries, by the variant that they were prepared for, on one thread.
Status TopK(std::span<const RowSpan> rows, const PreparedQueries& queries,
            const TopKOptions& options, std::vector<Neighbour>* result);

}  // namespace siftsearch::kernel
