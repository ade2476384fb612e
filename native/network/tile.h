// A tile: as many samples as a vector has lanes, one sample a lane. Moving rows of samples into tiles and back.
#pragma once

#include "../simd.h"

namespace {

using std::int64_t;

// interleave<0>(a, b) = a0 b0 a1 b1 ..., interleave<1> the same of the upper halves.
#define ALGONETS_ZIP16(v, a, b)                                                                               \
  v ? __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)             \
    : __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ALGONETS_ZIP8(v, a, b)                                                                                \
  v ? __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15) : __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ALGONETS_ZIP4(v, a, b) \
  v ? __builtin_shufflevector(a, b, 2, 6, 3, 7) : __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ALGONETS_ZIP2(v, a, b) v ? __builtin_shufflevector(a, b, 1, 3) : __builtin_shufflevector(a, b, 0, 2)
#if ALGONETS_BYTES == 64
template <int upper> ALGONETS_INLINE f32v interleave(f32v a, f32v b) { return ALGONETS_ZIP16(upper, a, b); }
template <int upper> ALGONETS_INLINE f64v interleave(f64v a, f64v b) { return ALGONETS_ZIP8(upper, a, b); }
#elif ALGONETS_BYTES == 32
template <int upper> ALGONETS_INLINE f32v interleave(f32v a, f32v b) { return ALGONETS_ZIP8(upper, a, b); }
template <int upper> ALGONETS_INLINE f64v interleave(f64v a, f64v b) { return ALGONETS_ZIP4(upper, a, b); }
#else
template <int upper> ALGONETS_INLINE f32v interleave(f32v a, f32v b) { return ALGONETS_ZIP4(upper, a, b); }
template <int upper> ALGONETS_INLINE f64v interleave(f64v a, f64v b) { return ALGONETS_ZIP2(upper, a, b); }
#endif

// Transpose N vectors: after log2(N) perfect shuffles the bits of row and lane have changed places.
template <class C> ALGONETS_INLINE void transpose(Vec<C> (&v)[Simd<C>::N]) {
  constexpr int N = Simd<C>::N;
#pragma GCC unroll 4
  for (int step = 1; step < N; step *= 2) {
    Vec<C> t[N];
#pragma GCC unroll 8
    for (int i = 0; i < N / 2; ++i) {
      t[2 * i] = interleave<0>(v[i], v[i + N / 2]);
      t[2 * i + 1] = interleave<1>(v[i], v[i + N / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) v[i] = t[i];
  }
}

// Lane k of the result is the sum of v[k].
template <class C> ALGONETS_INLINE Vec<C> sums(const C* rows) {
  constexpr int N = Simd<C>::N;
  Vec<C> v[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) v[i] = load(rows + i * N);
#pragma GCC unroll 4
  for (int half = N / 2; half; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) v[i] = interleave<0>(v[i], v[i + half]) + interleave<1>(v[i], v[i + half]);
  return v[0];
}

// tile[i * N + lane] = rows[lane * stride + i] for i < count; lanes from `samples` on are 0.
template <class C> void load_tile(const C* rows, int64_t stride, int samples, int64_t count, C* tile) {
  constexpr int N = Simd<C>::N;
  int64_t i = 0;
  for (; i + N <= count; i += N) {
    Vec<C> v[N];
    for (int lane = 0; lane < N; ++lane) v[lane] = lane < samples ? load(rows + lane * stride + i) : Vec<C>{};
    transpose<C>(v);
    for (int k = 0; k < N; ++k) store(tile + (i + k) * N, v[k]);
  }
  for (; i < count; ++i)
    for (int lane = 0; lane < N; ++lane) tile[i * N + lane] = lane < samples ? rows[lane * stride + i] : C(0);
}

// rows[lane * stride + i] = tile[i * N + lane] for lanes below `samples`.
template <class C> void store_tile(const C* tile, int64_t count, int samples, int64_t stride, C* rows) {
  constexpr int N = Simd<C>::N;
  int64_t i = 0;
  for (; i + N <= count; i += N) {
    Vec<C> v[N];
    for (int k = 0; k < N; ++k) v[k] = load(tile + (i + k) * N);
    transpose<C>(v);
    for (int lane = 0; lane < samples; ++lane) store(rows + lane * stride + i, v[lane]);
  }
  for (; i < count; ++i)
    for (int lane = 0; lane < samples; ++lane) rows[lane * stride + i] = tile[i * N + lane];
}

}  // namespace
