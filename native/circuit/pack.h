// Samples to slots: compare, 64 samples by 64 features, then transpose the bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "../circuit.h"
#include "../simd.h"

namespace {

using u64 = std::uint64_t;

// 64 x 64 bits, row k bit j to row j bit k. Halves of halves; the inner loops are vectors.
inline void transpose64(u64* rows) {
  u64 mask = 0x00000000FFFFFFFFull;
  for (int j = 32; j >= 8; j >>= 1) {
    for (int base = 0; base < 64; base += 2 * j)
#pragma omp simd
      for (int k = base; k < base + j; ++k) {
        const u64 t = ((rows[k] >> j) ^ rows[k + j]) & mask;
        rows[k] ^= t << j;
        rows[k + j] ^= t;
      }
    mask ^= mask << (j >> 1);
  }
#if defined(__AVX512F__)
  for (int k = 0; k < 64; k += 8) {
    typedef u64 eight __attribute__((vector_size(64)));
    eight x = (eight)_mm512_loadu_si512(rows + k);
    const auto step = [&](eight y, int j, __mmask8 upper, u64 low) {
      const eight down = (x & low) | ((y & low) << j), up = (x & ~low) | ((y >> j) & low);
      x = (eight)_mm512_mask_blend_epi64(upper, (__m512i)down, (__m512i)up);
    };
    step(__builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3), 4, 0xF0, 0x0F0F0F0F0F0F0F0Full);
    step(__builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5), 2, 0xCC, 0x3333333333333333ull);
    step(__builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6), 1, 0xAA, 0x5555555555555555ull);
    _mm512_storeu_si512(rows + k, (__m512i)x);
  }
#else
  for (int j = 4; j; j >>= 1) {
    for (int k = 0; k < 64; k = ((k | j) + 1) & ~j) {
      const u64 t = ((rows[k] >> j) ^ rows[k | j]) & mask;
      rows[k] ^= t << j;
      rows[k | j] ^= t;
    }
    mask ^= mask << (j >> 1);
  }
#endif
}

// Bit i: x[i] >= least[i], for i below n <= 64.
inline u64 at_least(const std::uint8_t* x, const std::uint8_t* least, std::int64_t n) {
#if defined(__AVX512F__)
  const __mmask64 lanes = n >= 64 ? ~0ull : (1ull << n) - 1;
  return _mm512_mask_cmpge_epu8_mask(lanes, _mm512_maskz_loadu_epi8(lanes, x), _mm512_maskz_loadu_epi8(lanes, least));
#else
  u64 bits = 0;
  std::int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 32 <= n; i += 32) {
    const __m256i v = _mm256_loadu_si256((const __m256i*)(x + i)), t = _mm256_loadu_si256((const __m256i*)(least + i));
    bits |= u64(std::uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(v, t), v)))) << i;
  }
#endif
  for (; i < n; ++i) bits |= u64(x[i] >= least[i]) << i;
  return bits;
#endif
}

inline u64 above(const float* x, const float* threshold, std::int64_t n) {
#if defined(__AVX512F__)
  u64 bits = 0;
  for (std::int64_t i = 0; i < n; i += 16) {
    const __mmask16 lanes = n - i >= 16 ? 0xFFFF : (1u << (n - i)) - 1;
    const __m512 v = _mm512_maskz_loadu_ps(lanes, x + i), t = _mm512_maskz_loadu_ps(lanes, threshold + i);
    bits |= u64(_mm512_mask_cmp_ps_mask(lanes, v, t, _CMP_GT_OQ)) << i;
  }
  return bits;
#else
  alignas(64) std::uint8_t yes[64];
  const std::uint8_t ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) yes[i] = x[i] > threshold[i];
  return at_least(yes, ones, n);
#endif
}

// Fill the slots of the inputs with `words` words of 64 samples from sample `start` on; slots have `stride` words.
inline void pack(const algonets::CircuitSource& source, std::int64_t start, std::int64_t words, u64* slots, std::int64_t stride) {
  using Source = algonets::CircuitSource;
  const std::int64_t inputs = source.bits * source.features;
  if (source.kind == Source::kWords) {
    const u64* x = static_cast<const u64*>(source.x) + start / 64;
    const std::int64_t have = std::min(words, source.width - start / 64);
    for (std::int64_t i = 0; i < inputs; ++i) {
      std::memcpy(slots + i * stride, x + i * source.width, sizeof(u64) * have);
      std::memset(slots + i * stride + have, 0, sizeof(u64) * (words - have));
    }
    return;
  }
  constexpr std::int64_t kTiles = 8;
  alignas(64) u64 rows[kTiles][64];
  const std::int64_t live_width = (source.features + 63) / 64;
  for (std::int64_t w = 0; w < words; ++w) {
    const std::int64_t first = start + 64 * w, count = std::max<std::int64_t>(0, std::min<std::int64_t>(64, source.samples - first));
    for (std::int64_t f0 = 0; f0 < source.features; f0 += 64 * kTiles) {
      const std::int64_t tiles = (std::min(source.features - f0, 64 * kTiles) + 63) / 64;
      for (std::int64_t t = 0; t < source.bits; ++t) {
        if (count < 64) std::memset(rows, 0, sizeof rows);
        const std::int64_t at = t * source.features + f0;
        for (std::int64_t s = 0; s < count; ++s) {
          const std::int64_t from = (first + s) * source.features + f0;
          if (source.kind == Source::kBytes) {
            const std::uint8_t* x = static_cast<const std::uint8_t*>(source.x) + from;
            if (t == 0 && s + 4 < count)
              for (std::int64_t q = 0; q < tiles; ++q) __builtin_prefetch(x + 4 * source.features + 64 * q);
            for (std::int64_t q = 0; q < tiles; ++q)
              rows[q][s] = at_least(x + 64 * q, source.at_least + at + 64 * q, std::min<std::int64_t>(64, source.features - f0 - 64 * q));
          } else {
            const float* x = static_cast<const float*>(source.x) + from;
            for (std::int64_t q = 0; q < tiles; ++q)
              rows[q][s] = above(x + 64 * q, source.above + at + 64 * q, std::min<std::int64_t>(64, source.features - f0 - 64 * q));
          }
        }
        for (std::int64_t q = 0; q < tiles; ++q) {
          const u64 live = source.kind == Source::kBytes ? source.live[t * live_width + f0 / 64 + q] : ~u64(0);
          transpose64(rows[q]);
          const std::int64_t here = std::min<std::int64_t>(64, source.features - f0 - 64 * q);
          u64* to = slots + (at + 64 * q) * stride + w;
          if (live == ~u64(0))
            for (std::int64_t i = 0; i < here; ++i) to[i * stride] = rows[q][i];
          else
            for (std::int64_t i = 0; i < here; ++i) to[i * stride] = live >> i & 1 ? rows[q][i] : 0;
        }
      }
    }
  }
}

}  // namespace
