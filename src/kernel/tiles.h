#pragma once

// The tile operations of AMX-INT8, as macros since their tiles are literal numbers. All eight tiles
// have 16 rows of 64 bytes. With SIFTSEARCH_EMULATED_TILES they are done in plain C++, so that the
// code around them can be tested on any machine.

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef SIFTSEARCH_EMULATED_TILES

namespace siftsearch::kernel {

struct EmulatedTile {
  std::uint8_t rows[16][64];
};
inline thread_local EmulatedTile emulated_tiles[8];

inline void EmulatedLoad(int tile, const void* from, std::size_t stride) {
  for (std::size_t r = 0; r < 16; ++r) {
    std::memcpy(emulated_tiles[tile].rows[r], static_cast<const std::uint8_t*>(from) + r * stride,
                64);
  }
}

inline void EmulatedStore(int tile, void* to, std::size_t stride) {
  for (std::size_t r = 0; r < 16; ++r) {
    std::memcpy(static_cast<std::uint8_t*>(to) + r * stride, emulated_tiles[tile].rows[r], 64);
  }
}

/// TDPBUUD: sums[m][n] += Σ over k of a[m][k]·b[k / 4][4 n + k % 4], all bytes unsigned (Intel
/// Architecture Instruction Set Extensions Programming Reference, TDPBUUD).
inline void EmulatedDot(int sums, int a, int b) {
  for (std::size_t m = 0; m < 16; ++m) {
    for (std::size_t n = 0; n < 16; ++n) {
      std::int32_t sum;
      std::uint8_t* place = emulated_tiles[sums].rows[m] + 4 * n;
      std::memcpy(&sum, place, sizeof(sum));
      for (std::size_t k = 0; k < 64; ++k) {
        sum += emulated_tiles[a].rows[m][k] * emulated_tiles[b].rows[k / 4][4 * n + k % 4];
      }
      std::memcpy(place, &sum, sizeof(sum));
    }
  }
}

}  // namespace siftsearch::kernel

#define TILES_BEGIN() ((void)0)
#define TILES_END() ((void)0)
#define TILE_ZERO(tile) (emulated_tiles[tile] = EmulatedTile())
#define TILE_LOAD(tile, from, stride) EmulatedLoad(tile, from, stride)
#define TILE_STORE(tile, to, stride) EmulatedStore(tile, to, stride)
#define TILE_DOT(sums, a, b) EmulatedDot(sums, a, b)

#else

#include <immintrin.h>

namespace siftsearch::kernel {

/// Palette 1, all tiles at their full size (Intel SDM, volume 1, 18.2: tile configuration).
inline void ConfigureTiles() {
  alignas(64) std::uint8_t config[64] = {};
  config[0] = 1;
  for (int tile = 0; tile < 8; ++tile) {
    config[16 + 2 * tile] = 64;  // Bytes a row.
    config[48 + tile] = 16;      // Rows.
  }
  asm volatile("" ::: "memory");  // The intrinsics do not say that they read memory.
  _tile_loadconfig(config);
}

}  // namespace siftsearch::kernel

#define TILES_BEGIN() ConfigureTiles()
#define TILES_END() _tile_release()
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_DOT(sums, a, b) _tile_dpbuud(sums, a, b)

#endif
