// Compiled with AVX-512 VPOPCNTDQ: called only where the processor and the system have it.
#include <immintrin.h>

#include "kernel/scan.h"

namespace siftsearch::kernel {
namespace {

/// What is sought, in each lane.
struct Sought {
  __m512i bits, doubled, most;
};

/// Writes the near ones of eight counts, the first being that of the signature `index`; gives the
/// place behind them.
[[gnu::always_inline]] inline NearSignature* Append(__m512i counts, __mmask8 near,
                                                    std::size_t index, NearSignature* to) {
  const __m512i indexes = _mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                                           _mm512_set1_epi64(static_cast<long long>(index)));
  const __m512i all = _mm512_or_si512(_mm512_maskz_slli_epi64(0xff, counts, 32), indexes);
  // Stored whole: a compressing store is slow on some processors.
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(near, all));
  return to + __builtin_popcount(near);
}

[[gnu::always_inline]] inline __m512i Differing(__m512i signatures, const Sought& sought) {
  const __m512i bits = _mm512_xor_si512(signatures, sought.bits);
  const __m512i twice = _mm512_popcnt_epi64(_mm512_and_si512(bits, sought.doubled));
  return _mm512_add_epi64(_mm512_popcnt_epi64(bits), twice);
}

}  // namespace

std::size_t SelectNearAvx512(const std::uint8_t* signatures, std::size_t count,
                             const SoughtSignature& sought, int most, NearSignature* out) {
  const Sought eight = {_mm512_set1_epi64(static_cast<long long>(sought.bits)),
                        _mm512_set1_epi64(static_cast<long long>(sought.doubled)),
                        _mm512_set1_epi64(most)};
  NearSignature* to = out;
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512i low = Differing(_mm512_loadu_si512(signatures + 8 * i), eight);
    const __m512i high = Differing(_mm512_loadu_si512(signatures + 8 * i + 64), eight);
    const __mmask8 near_low = _mm512_cmple_epi64_mask(low, eight.most);
    const __mmask8 near_high = _mm512_cmple_epi64_mask(high, eight.most);
    if ((near_low | near_high) == 0) continue;
    to = Append(low, near_low, i, to);
    to = Append(high, near_high, i + 8, to);
  }
  for (; i < count; i += 8) {
    const std::size_t left = count - i < 8 ? count - i : 8;
    const auto there = static_cast<__mmask8>((1u << left) - 1);
    const __m512i bits = Differing(_mm512_maskz_loadu_epi64(there, signatures + 8 * i), eight);
    to = Append(bits, _mm512_mask_cmple_epi64_mask(there, bits, eight.most), i, to);
  }
  return static_cast<std::size_t>(to - out);
}

}  // namespace siftsearch::kernel
