#include "kernel/topk.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <string>

#include "base/parallel.h"
#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

constexpr Variant kAllVariants[] = {Variant::kAvx512Vnni, Variant::kAvx2, Variant::kPortable};

/// Bounds of one pass over the rows: queries, and bytes of their buffers in all threads.
constexpr std::size_t kPassQueries = 32'768;
constexpr std::size_t kPassBytes = std::size_t{256} << 20;
constexpr std::size_t kMinRowsPerThread = 1024;

std::atomic<std::uint64_t> runs[std::size(kAllVariants)];

bool Supported(Variant variant) {
#if defined(__x86_64__)
  switch (variant) {
    case Variant::kPortable:
      return true;
    case Variant::kAvx2:
      return __builtin_cpu_supports("avx2");
    case Variant::kAvx512Vnni:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vnni");
  }
#endif
  return variant == Variant::kPortable;
}

void Scan(Variant variant, const PackedQueries& queries, const RowRun& run, NearestRows& nearest) {
#if defined(__x86_64__)
  if (variant == Variant::kAvx512Vnni) return ScanAvx512Vnni(queries, run, nearest);
  if (variant == Variant::kAvx2) return ScanAvx2(queries, run, nearest);
#endif
  ScanPortable(queries, run, nearest);
}

/// For each group of queries and each `step` dimensions, the `step` of each of the 16 queries.
template <typename T>
std::vector<T> Interleave(std::span<const std::uint8_t> queries, std::size_t dim, std::size_t step,
                          int offset) {
  const std::size_t count = queries.size() / dim;
  std::vector<T> values((count + kLanes - 1) / kLanes * kLanes * dim);
  for (std::size_t q = 0; q < count; ++q) {
    for (std::size_t j = 0; j < dim; ++j) {
      const std::size_t at = (q / kLanes * (dim / step) + j / step) * kLanes + q % kLanes;
      values[at * step + j % step] = static_cast<T>(queries[q * dim + j] - offset);
    }
  }
  return values;
}

std::vector<std::int32_t> Norms(std::span<const std::uint8_t> queries, std::size_t dim) {
  const std::size_t count = queries.size() / dim;
  std::vector<std::int32_t> norms((count + kLanes - 1) / kLanes * kLanes);
  for (std::size_t i = 0; i < queries.size(); ++i) norms[i / dim] += queries[i] * queries[i];
  return norms;
}

/// Queries of one pass in the layout of a variant.
class Packing {
 public:
  Packing(Variant variant, std::span<const std::uint8_t> queries, std::size_t dim)
      : norms_(Norms(queries, dim)) {
    view_ = {nullptr, norms_.data(), norms_.size() / kLanes, queries.size() / dim, dim};
    switch (variant) {
      case Variant::kPortable:
        words_.assign(queries.begin(), queries.end());
        view_.values = words_.data();
        break;
      case Variant::kAvx2:
        words_ = Interleave<std::int16_t>(queries, dim, 2, 0);
        view_.values = words_.data();
        break;
      case Variant::kAvx512Vnni:
        bytes_ = Interleave<std::int8_t>(queries, dim, 4, 128);
        view_.values = bytes_.data();
        break;
    }
  }
  Packing(const Packing&) = delete;
  Packing& operator=(const Packing&) = delete;

  const PackedQueries& view() const { return view_; }

 private:
  const std::vector<std::int32_t> norms_;
  std::vector<std::int16_t> words_;
  std::vector<std::int8_t> bytes_;
  PackedQueries view_;
};

std::size_t CountRows(std::span<const RowSpan> spans) {
  std::size_t total = 0;
  for (const RowSpan& span : spans) total += span.count;
  return total;
}

/// Part `part` of `parts` of all rows: equal shares, each ascending.
void ScanShare(std::span<const RowSpan> spans, std::size_t part, std::size_t parts, Variant variant,
               const PackedQueries& queries, NearestRows& nearest) {
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
    Scan(variant, queries, run, nearest);
  }
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

void OnePass(std::span<const RowSpan> rows, int dim, std::span<const std::uint8_t> queries,
             const TopKOptions& options, std::size_t threads, Neighbour* out) {
  const Packing packing(options.variant, queries, static_cast<std::size_t>(dim));
  const std::size_t count = packing.view().count;
  std::vector<NearestRows> parts;
  parts.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) parts.emplace_back(count, options.k);
  ParallelFor(threads, static_cast<int>(threads), [&](std::size_t part) {
    ScanShare(rows, part, threads, options.variant, packing.view(), parts[part]);
  });
  constexpr std::size_t kMergeQueries = 256;
  const std::size_t merges = (count + kMergeQueries - 1) / kMergeQueries;
  ParallelFor(merges, static_cast<int>(threads), [&](std::size_t part) {
    const std::size_t end = std::min(count, (part + 1) * kMergeQueries);
    for (std::size_t q = part * kMergeQueries; q < end; ++q) Merge(parts, q, out + q * options.k);
  });
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
  }
  return "";
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

Result<Variant> ChosenVariant() {
  static const Result<Variant> chosen = []() -> Result<Variant> {
    const auto supported = SupportedVariants();
    const char* forced = std::getenv("SIFTSEARCH_KERNEL");
    if (forced == nullptr || *forced == '\0') return supported.front();
    std::string names;
    for (const Variant variant : supported) {
      if (VariantName(variant) == forced) return variant;
      names.append(" ").append(VariantName(variant));
    }
    return Status(StatusCode::kInvalidArgument,
                  "SIFTSEARCH_KERNEL is '" + std::string(forced) + "'; this machine has:" + names);
  }();
  return chosen;
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
  runs[static_cast<std::size_t>(options.variant)].fetch_add(1, std::memory_order_relaxed);
  result->assign(count * options.k, Neighbour{});
  for (std::size_t first = 0; first < count; first += most) {
    const std::size_t pass = std::min(most, count - first);
    OnePass(rows, dim, queries.subspan(first * dim, pass * dim), options, threads,
            result->data() + first * options.k);
  }
  return {};
}

}  // namespace siftsearch::kernel
