#include "kernel/topk.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/parallel.h"
#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

constexpr Variant kAllVariants[] = {Variant::kAvx512Vnni, Variant::kAvx2, Variant::kPortable};

/// Queries of one pass: their buffers stay within some 100 MB a thread for k = 100.
constexpr std::size_t kPassQueries = 32'768;

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

std::unique_ptr<PackedQueries> Pack(Variant variant, const std::uint8_t* queries, std::size_t count,
                                    int dim) {
#if defined(__x86_64__)
  if (variant == Variant::kAvx512Vnni) return PackAvx512Vnni(queries, count, dim);
  if (variant == Variant::kAvx2) return PackAvx2(queries, count, dim);
#endif
  return PackPortable(queries, count, dim);
}

/// Part `part` of `parts` of all rows: equal shares, each ascending.
void ScanShare(std::span<const RowSpan> spans, int dim, std::size_t part, std::size_t parts,
               const PackedQueries& queries, NearestRows& nearest) {
  std::size_t total = 0;
  for (const RowSpan& span : spans) total += span.count;
  const std::size_t begin = total * part / parts;
  const std::size_t end = total * (part + 1) / parts;
  std::size_t passed = 0;
  for (const RowSpan& span : spans) {
    const std::size_t from = std::clamp(begin, passed, passed + span.count) - passed;
    const std::size_t to = std::clamp(end, passed, passed + span.count) - passed;
    passed += span.count;
    if (from == to) continue;
    queries.Scan(span.rows + from * dim, to - from, span.first_row + std::int64_t(from), nearest);
  }
}

void Merge(const std::vector<NearestRows>& parts, std::size_t query, int k, Neighbour* out) {
  std::vector<std::uint64_t> keys;
  for (const NearestRows& part : parts) {
    keys.insert(keys.end(), part.keys(query), part.keys(query) + part.count(query));
  }
  const std::size_t found = std::min<std::size_t>(keys.size(), k);
  std::partial_sort(keys.begin(), keys.begin() + found, keys.end());
  for (std::size_t i = 0; i < found; ++i) {
    constexpr std::uint64_t kRowMask = (std::uint64_t{1} << NearestRows::kRowBits) - 1;
    out[i] = {static_cast<std::int64_t>(keys[i] & kRowMask),
              static_cast<std::int32_t>(keys[i] >> NearestRows::kRowBits)};
  }
}

void OnePass(std::span<const RowSpan> rows, int dim, std::span<const std::uint8_t> queries,
             const TopKOptions& options, Neighbour* out) {
  const std::size_t count = queries.size() / dim;
  const auto packed = Pack(options.variant, queries.data(), count, dim);
  const std::size_t threads = std::max(1, options.threads);
  std::vector<NearestRows> parts;
  for (std::size_t i = 0; i < threads; ++i) parts.emplace_back(count, options.k);
  ParallelFor(threads, options.threads,
              [&](std::size_t part) { ScanShare(rows, dim, part, threads, *packed, parts[part]); });
  constexpr std::size_t kMergeQueries = 256;
  ParallelFor((count + kMergeQueries - 1) / kMergeQueries, options.threads, [&](std::size_t part) {
    const std::size_t end = std::min(count, (part + 1) * kMergeQueries);
    for (std::size_t q = part * kMergeQueries; q < end; ++q) {
      Merge(parts, q, options.k, out + q * options.k);
    }
  });
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
  for (const RowSpan& span : rows) {
    if ((span.first_row + static_cast<std::int64_t>(span.count)) >> NearestRows::kRowBits != 0) {
      return {StatusCode::kLimitExceeded, "more than 2^36 descriptors"};
    }
  }
  return {};
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
  result->assign(count * options.k, Neighbour{});
  for (std::size_t first = 0; first < count; first += kPassQueries) {
    const std::size_t pass = std::min(kPassQueries, count - first);
    OnePass(rows, dim, queries.subspan(first * dim, pass * dim), options,
            result->data() + first * options.k);
  }
  return {};
}

}  // namespace siftsearch::kernel
