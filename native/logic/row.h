// One signal of a block of samples, 64 bytes, and how blocks are packed.
#pragma once

#include <algorithm>
#include <cstring>

#include "../simd.h"

namespace {

template <class C> constexpr std::int64_t kBlock = 64 / sizeof(C);
template <class C> constexpr int kParts = 64 / ALGONETS_BYTES;

template <class C> struct Row {
  Vec<C> v[kParts<C>];
  static ALGONETS_INLINE Row from(const C* p) {
    Row r;
    for (int i = 0; i < kParts<C>; ++i) r.v[i] = load<C>(p + i * Simd<C>::N);
    return r;
  }
  ALGONETS_INLINE void to(C* p) const {
    for (int i = 0; i < kParts<C>; ++i) store<C>(p + i * Simd<C>::N, v[i]);
  }
  static ALGONETS_INLINE Row zero() {
    Row r;
    for (int i = 0; i < kParts<C>; ++i) r.v[i] = Vec<C>{};
    return r;
  }
  ALGONETS_INLINE C sum() const {
    Vec<C> s = v[0];
    for (int i = 1; i < kParts<C>; ++i) s += v[i];
    return hsum(s);
  }
};

template <class C> ALGONETS_INLINE Row<C> operator+(Row<C> a, const Row<C>& b) {
  for (int i = 0; i < kParts<C>; ++i) a.v[i] += b.v[i];
  return a;
}
template <class C> ALGONETS_INLINE Row<C> operator*(Row<C> a, const Row<C>& b) {
  for (int i = 0; i < kParts<C>; ++i) a.v[i] *= b.v[i];
  return a;
}
// s + t x, for numbers s and t.
template <class C> ALGONETS_INLINE Row<C> line(C s, C t, const Row<C>& x) {
  Row<C> r;
  for (int i = 0; i < kParts<C>; ++i) r.v[i] = splat<C>(s) + splat<C>(t) * x.v[i];
  return r;
}
template <class C> ALGONETS_INLINE Row<C> gate(const C* c, const Row<C>& a, const Row<C>& b) {
  return line(c[0], c[1], a) + b * line(c[2], c[3], a);
}

// out[0..3] += sums over the lanes of g, g a, g b, g a b.
template <class C> ALGONETS_INLINE void add_sums(C* out, const Row<C>& g, const Row<C>& a, const Row<C>& b) {
  const Row<C> ga = g * a, gb = g * b, gab = ga * b;
  out[0] += g.sum();
  out[1] += ga.sum();
  out[2] += gb.sum();
  out[3] += gab.sum();
}
#if defined(__AVX512F__)
typedef float f32q __attribute__((vector_size(16), aligned(4), may_alias));
// The sums of the lanes of four vectors.
ALGONETS_INLINE f32q sums_of(f32v a, f32v b, f32v c, f32v d) {
  const __mmask16 all = 0xFFFF;
  const __m512 ab = (__m512)((f32v)_mm512_maskz_unpacklo_ps(all, (__m512)a, (__m512)b) + (f32v)_mm512_maskz_unpackhi_ps(all, (__m512)a, (__m512)b));
  const __m512 cd = (__m512)((f32v)_mm512_maskz_unpacklo_ps(all, (__m512)c, (__m512)d) + (f32v)_mm512_maskz_unpackhi_ps(all, (__m512)c, (__m512)d));
  const f32v s = (f32v)_mm512_maskz_shuffle_ps(all, ab, cd, 0x44) + (f32v)_mm512_maskz_shuffle_ps(all, ab, cd, 0xEE);
  const auto h = __builtin_shufflevector(s, s, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(s, s, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
}
template <> ALGONETS_INLINE void add_sums(float* out, const Row<float>& gr, const Row<float>& ar, const Row<float>& br) {
  const f32v g = gr.v[0], ga = g * ar.v[0], gb = g * br.v[0];
  *reinterpret_cast<f32q*>(out) += sums_of(g, ga, gb, ga * br.v[0]);
}
#endif
template <class V, class C> ALGONETS_INLINE void four_sums(C* out, V a, V b, V c, V d) {
#if defined(__AVX512F__)
  if constexpr (sizeof(C) == 4) {
    *reinterpret_cast<f32q*>(out) = sums_of(a, b, c, d);
    return;
  } else
#endif
  {
    out[0] = hsum(a);
    out[1] = hsum(b);
    out[2] = hsum(c);
    out[3] = hsum(d);
  }
}

#if defined(__AVX512F__)
// Which lanes of two vectors make the first and the second one after bit S of row and lane has changed places.
template <int S> struct Exchange {
  alignas(64) std::int32_t first[16], second[16];
  constexpr Exchange() : first{}, second{} {
    for (int j = 0; j < 16; ++j) {
      first[j] = j & S ? 16 + j - S : j;
      second[j] = j & S ? 16 + j : j + S;
    }
  }
};
template <int S> constexpr Exchange<S> kExchange{};

template <int S> ALGONETS_INLINE void exchange(__m512* rows) {
  const __m512i first = _mm512_load_si512(kExchange<S>.first), second = _mm512_load_si512(kExchange<S>.second);
  for (int i = 0; i < 16; ++i)
    if (!(i & S)) {
      const __m512 a = rows[i], b = rows[i + S];
      rows[i] = _mm512_permutex2var_ps(a, first, b);
      rows[i + S] = _mm512_permutex2var_ps(a, second, b);
    }
}

inline void transpose16(const float* from, std::int64_t stride, float* to, std::int64_t to_stride) {
  __m512 rows[16];
  for (int i = 0; i < 16; ++i) rows[i] = _mm512_loadu_ps(from + i * stride);
  exchange<1>(rows);
  exchange<2>(rows);
  exchange<4>(rows);
  exchange<8>(rows);
  for (int i = 0; i < 16; ++i) _mm512_storeu_ps(to + i * to_stride, rows[i]);
}
#endif

// Rows of samples x (batch, n) to signals block (n, lanes); missing samples are 0.
template <class C> void pack_block(const C* x, std::int64_t batch, std::int64_t n, std::int64_t block, C* out) {
  constexpr std::int64_t L = kBlock<C>, T = 16;
  const std::int64_t have = std::min(L, batch - block * L);
  if (have < L) std::memset(out, 0, sizeof(C) * n * L);
  const C* base = x + block * L * n;
  std::int64_t f = 0;
#if defined(__AVX512F__)
  if constexpr (sizeof(C) == 4)
    for (; have == L && f + T <= n; f += T) transpose16(base + f, n, out + f * L, L);
#endif
  for (; f < n; f += T) {
    const std::int64_t stop = std::min(n, f + T);
    for (std::int64_t s = 0; s < have; ++s)
      for (std::int64_t k = f; k < stop; ++k) out[k * L + s] = base[s * n + k];
  }
}
template <class C> void unpack_block(const C* in, std::int64_t batch, std::int64_t n, std::int64_t block, C* x) {
  constexpr std::int64_t L = kBlock<C>, T = 16;
  const std::int64_t have = std::min(L, batch - block * L);
  C* base = x + block * L * n;
  std::int64_t f = 0;
#if defined(__AVX512F__)
  if constexpr (sizeof(C) == 4)
    for (; have == L && f + T <= n; f += T) transpose16(in + f * L, L, base + f, n);
#endif
  for (; f < n; f += T) {
    const std::int64_t stop = std::min(n, f + T);
    for (std::int64_t s = 0; s < have; ++s)
      for (std::int64_t k = f; k < stop; ++k) base[s * n + k] = in[k * L + s];
  }
}

// Read lines in order, so that the random reads that follow find them in the cache.
template <class C> ALGONETS_INLINE void touch(const C* p, std::int64_t lines) {
  Vec<C> s{};
  for (std::int64_t i = 0; i < lines; ++i) s += load<C>(p + i * kBlock<C>);
  asm volatile("" ::"m"(s));
}

}  // namespace
