#include "kernel/topk.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <atomic>
#include <iterator>
#include <string>

#include "base/parallel.h"
#include "kernel/packing.h"
#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

constexpr Variant kAllVariants[] = {Variant::kAmxInt8, Variant::kAvx512Vnni, Variant::kAvx2,
                                    Variant::kNeonDotprod, Variant::kPortable};

/// Bounds of one pass over the rows: queries, and bytes of their buffers in all threads.
constexpr std::size_t kPassQueries = PreparedQueries::kMost;
constexpr std::size_t kPassBytes = std::size_t{256} << 20;
constexpr std::size_t kMinRowsPerThread = 1024;
/// Rows between two questions whether to stop: with all the queries of a pass under a second.
constexpr std::size_t kRowsBetweenStops = 32'768;

static_assert(TopKOptions::kNoLimit == NearestRows::kAcceptAll);

std::atomic<std::uint64_t> runs[std::size(kAllVariants)];

#if defined(__x86_64__)
bool HasAvx512() { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }

/// True where the processor has AMX-INT8 and Linux grants this process the state of its tiles.
bool HasAmx() {
  constexpr unsigned kAmxTileBit = 1u << 24;  // CPUID leaf 7, EDX.
  constexpr unsigned kAmxInt8Bit = 1u << 25;
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM.
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA.
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kAmxTileBit) == 0 || (d & kAmxInt8Bit) == 0 || !HasAvx512()) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool Supported(Variant variant) {
  static const bool has_amx = HasAmx();
  switch (variant) {
    case Variant::kPortable:
      return true;
    case Variant::kAvx2:
      return __builtin_cpu_supports("avx2");
    case Variant::kAvx512Vnni:
      return HasAvx512() && __builtin_cpu_supports("avx512vnni");
    case Variant::kAmxInt8:
      return has_amx;
    case Variant::kNeonDotprod:
      break;
  }
  return false;
}

Scan* ScanOf(Variant variant) {
  switch (variant) {
    case Variant::kAmxInt8:
      return ScanAmx;
    case Variant::kAvx512Vnni:
      return ScanAvx512Vnni;
    case Variant::kAvx2:
      return ScanAvx2;
    default:
      return ScanPortable;
  }
}
#elif defined(__aarch64__)
bool Supported(Variant variant) {
  if (variant == Variant::kNeonDotprod) return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  return variant == Variant::kPortable;
}

Scan* ScanOf(Variant variant) {
  return variant == Variant::kNeonDotprod ? ScanNeonDotprod : ScanPortable;
}
#else
bool Supported(Variant variant) { return variant == Variant::kPortable; }

Scan* ScanOf(Variant) { return ScanPortable; }
#endif

/// The variant of a function, so that what is counted is what was called.
Variant VariantOf(Scan* scan) {
  return *std::find_if(std::begin(kAllVariants), std::end(kAllVariants), [&](Variant variant) {
    return Supported(variant) && ScanOf(variant) == scan;
  });
}

std::size_t CountRows(std::span<const RowSpan> spans) {
  std::size_t total = 0;
  for (const RowSpan& span : spans) total += span.count;
  return total;
}

/// False where `options.stop` ended it.
bool ScanRun(RowRun run, const TopKOptions& options, Scan* scan, const PackedQueries& queries,
             NearestRows& nearest) {
  while (options.stop && run.count > kRowsBetweenStops) {
    scan(queries, {run.rows, kRowsBetweenStops, run.first_row}, nearest);
    run.rows += kRowsBetweenStops * queries.dim;
    run.count -= kRowsBetweenStops;
    run.first_row += static_cast<std::int64_t>(kRowsBetweenStops);
    if (options.stop()) return false;
  }
  scan(queries, run, nearest);
  return !options.stop || !options.stop();
}

/// Part `part` of `parts` of all rows: equal shares, each ascending. False where it was stopped.
bool ScanShare(std::span<const RowSpan> spans, std::size_t part, std::size_t parts,
               const TopKOptions& options, Scan* scan, const PackedQueries& queries,
               NearestRows& nearest) {
  const std::size_t total = CountRows(spans);
  const std::size_t begin = total * part / parts;
  const std::size_t end = total * (part + 1) / parts;
  std::size_t passed = 0;
  for (const RowSpan& span : spans) {
    const std::size_t from = std::clamp(begin, passed, passed + span.count) - passed;
    const std::size_t to = std::clamp(end, passed, passed + span.count) - passed;
    passed += span.count;
    if (from == to) continue;
    const RowRun run{span.rows + from * queries.dim, to - from,
                     span.first_row + static_cast<std::int64_t>(from)};
    if (!ScanRun(run, options, scan, queries, nearest)) return false;
  }
  return true;
}

/// The k nearest of what all parts hold for a query; the first part is used up.
void Merge(std::span<NearestRows> parts, std::size_t query, Neighbour* out) {
  for (const NearestRows& part : parts.subspan(1)) parts[0].Absorb(part, query);
  for (const std::uint64_t key : parts[0].Sort(query)) {
    constexpr std::uint64_t kRowMask = (std::uint64_t{1} << NearestRows::kRowBits) - 1;
    *out++ = {static_cast<std::int64_t>(key & kRowMask),
              static_cast<std::int32_t>(key >> NearestRows::kRowBits)};
  }
}

Status OnePass(std::span<const RowSpan> rows, const Packing& packing, const TopKOptions& options,
               std::size_t threads, Neighbour* out) {
  const std::size_t count = packing.view().count;
  std::vector<NearestRows> parts;
  parts.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    if (options.distances_below.empty()) {
      parts.emplace_back(count, options.k);
    } else {
      parts.emplace_back(options.distances_below, options.k);
    }
  }
  Scan* const scan = ScanOf(options.variant);
  runs[static_cast<std::size_t>(VariantOf(scan))].fetch_add(1, std::memory_order_relaxed);
  std::atomic<bool> stopped = false;
  ParallelFor(threads, static_cast<int>(threads), [&](std::size_t part) {
    if (!ScanShare(rows, part, threads, options, scan, packing.view(), parts[part])) stopped = true;
  });
  if (stopped) return {StatusCode::kCancelled, "the search was stopped"};
  constexpr std::size_t kMergeQueries = 256;
  const std::size_t merges = (count + kMergeQueries - 1) / kMergeQueries;
  ParallelFor(merges, static_cast<int>(threads), [&](std::size_t part) {
    const std::size_t end = std::min(count, (part + 1) * kMergeQueries);
    for (std::size_t q = part * kMergeQueries; q < end; ++q) Merge(parts, q, out + q * options.k);
  });
  return {};
}

Status CheckSpans(std::span<const RowSpan> rows) {
  std::int64_t end = 0;
  for (const RowSpan& span : rows) {
    if (span.count == 0) continue;
    constexpr std::uint64_t kMaxRows = std::uint64_t{1} << NearestRows::kRowBits;
    if (span.first_row < end) {
      return {StatusCode::kInvalidArgument, "spans of descriptors are not in ascending order"};
    }
    if (span.count > kMaxRows ||
        static_cast<std::uint64_t>(span.first_row) > kMaxRows - span.count) {
      return {StatusCode::kLimitExceeded, "more than 2^36 descriptors"};
    }
    end = span.first_row + static_cast<std::int64_t>(span.count);
  }
  return {};
}

Status CheckArguments(std::span<const RowSpan> rows, int dim, std::size_t query_bytes,
                      const TopKOptions& options) {
  if (dim < 4 || dim > 2048 || dim % 4 != 0) {
    return {StatusCode::kInvalidArgument, "descriptor length must be a multiple of 4 up to 2048"};
  }
  if (query_bytes % dim != 0) {
    return {StatusCode::kInvalidArgument, "queries are not whole descriptors"};
  }
  if (options.k < 1 || options.k > 4096) {
    return {StatusCode::kInvalidArgument, "k must be from 1 to 4096"};
  }
  const auto is_limit = [](std::int32_t limit) {
    return limit >= 0 && limit <= TopKOptions::kNoLimit;
  };
  const auto& limits = options.distances_below;
  if (!std::all_of(limits.begin(), limits.end(), is_limit)) {
    return {StatusCode::kInvalidArgument, "a limit of distances must be from 0 to 2^30"};
  }
  if (!limits.empty() && limits.size() != query_bytes / dim) {
    return {StatusCode::kInvalidArgument, "limits of distances are not one for each query"};
  }
  if (!Supported(options.variant)) {
    return {StatusCode::kUnsupported,
            "this machine can't run kernel " + std::string(VariantName(options.variant))};
  }
  return CheckSpans(rows);
}

}  // namespace

std::string_view VariantName(Variant variant) {
  switch (variant) {
    case Variant::kPortable:
      return "portable";
    case Variant::kAvx2:
      return "avx2";
    case Variant::kAvx512Vnni:
      return "avx512-vnni";
    case Variant::kAmxInt8:
      return "amx-int8";
    case Variant::kNeonDotprod:
      return "neon-dotprod";
  }
  return "";
}

Distance* DistanceOf([[maybe_unused]] Variant variant) {
#if defined(__x86_64__)
  if (variant == Variant::kAvx2) return DistanceAvx2;
  const bool has_avx512 = variant == Variant::kAvx512Vnni || variant == Variant::kAmxInt8;
  if (has_avx512 && Supported(Variant::kAvx512Vnni)) return DistanceAvx512Vnni;
#endif
  return DistancePortable;
}

MeasureRows* MeasureRowsOf([[maybe_unused]] Variant variant) {
#if defined(__x86_64__)
  // No wider variant has one of its own.
  if (variant != Variant::kPortable && Supported(Variant::kAvx2)) return MeasureRowsAvx2;
#endif
  return MeasureRowsPortable;
}

SelectNear* SelectNearOf([[maybe_unused]] Variant variant) {
#if defined(__x86_64__)
  const bool wide = variant == Variant::kAvx512Vnni || variant == Variant::kAmxInt8;
  if (wide && Supported(Variant::kAvx512Vnni) && __builtin_cpu_supports("avx512vpopcntdq")) {
    return SelectNearAvx512;
  }
  if (variant != Variant::kPortable && Supported(Variant::kAvx2)) return SelectNearAvx2;
#endif
  return SelectNearPortable;
}

std::vector<Variant> SupportedVariants() {
  std::vector<Variant> supported;
  for (const Variant variant : kAllVariants) {
    if (Supported(variant)) supported.push_back(variant);
  }
  return supported;
}

std::uint64_t RunsOf(Variant variant) {
  return runs[static_cast<std::size_t>(variant)].load(std::memory_order_relaxed);
}

Result<Variant> VariantNamed(std::string_view name) {
  std::string names;
  for (const Variant variant : SupportedVariants()) {
    if (VariantName(variant) == name) return variant;
    names.append(" ").append(VariantName(variant));
  }
  return Status(StatusCode::kInvalidArgument,
                "this machine has no kernel '" + std::string(name) + "'; it has:" + names);
}

Result<Variant> VariantOrBest(std::string_view name) {
  if (name.empty()) return SupportedVariants().front();
  return VariantNamed(name);
}

Status TopK(std::span<const RowSpan> rows, int dim, std::span<const std::uint8_t> queries,
            const TopKOptions& options, std::vector<Neighbour>* result) {
  if (Status status = CheckArguments(rows, dim, queries.size(), options); !status.ok()) {
    return status;
  }
  const std::size_t count = queries.size() / dim;
  const std::size_t threads =
      std::clamp<std::size_t>(CountRows(rows) / kMinRowsPerThread, 1,
                              static_cast<std::size_t>(std::max(1, options.threads)));
  const std::size_t most = std::clamp(
      kPassBytes / (threads * NearestRows::BytesPerQuery(options.k)), kLanes, kPassQueries);
  result->assign(count * options.k, Neighbour{});
  for (std::size_t first = 0; first < count; first += most) {
    const std::size_t pass = std::min(most, count - first);
    TopKOptions part = options;
    if (!options.distances_below.empty()) {
      part.distances_below = options.distances_below.subspan(first, pass);
    }
    const Packing packing(options.variant, queries.subspan(first * dim, pass * dim),
                          static_cast<std::size_t>(dim));
    Status status = OnePass(rows, packing, part, threads, result->data() + first * options.k);
    if (!status.ok()) return status;
  }
  return {};
}

PreparedQueries::PreparedQueries(PreparedQueries&&) noexcept = default;
PreparedQueries& PreparedQueries::operator=(PreparedQueries&&) noexcept = default;
PreparedQueries::~PreparedQueries() = default;

Result<PreparedQueries> PreparedQueries::Make(std::span<const std::uint8_t> queries, int dim,
                                              Variant variant) {
  if (Status status = CheckArguments({}, dim, queries.size(), {.variant = variant}); !status.ok()) {
    return status;
  }
  if (queries.size() / static_cast<std::size_t>(dim) > kMost) {
    return Status(StatusCode::kLimitExceeded, "more queries than can be prepared at once");
  }
  PreparedQueries prepared;
  prepared.queries_ = queries;
  prepared.dim_ = dim;
  prepared.variant_ = variant;
  prepared.packing_ =
      std::make_unique<const Packing>(variant, queries, static_cast<std::size_t>(dim));
  return prepared;
}

Status TopK(std::span<const RowSpan> rows, const PreparedQueries& queries,
            const TopKOptions& options, std::vector<Neighbour>* result) {
  TopKOptions as_prepared = options;
  as_prepared.variant = queries.variant_;
  Status status = CheckArguments(rows, queries.dim_, queries.queries_.size(), as_prepared);
  if (!status.ok()) return status;
  result->assign(queries.packing_->view().count * options.k, Neighbour{});
  return OnePass(rows, *queries.packing_, as_prepared, 1, result->data());
}

}  // namespace siftsearch::kernel
