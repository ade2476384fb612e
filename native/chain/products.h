// Small matrix products held in registers: rows times a padded matrix, and sums of outer products.
#pragma once

#include "../simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

using std::int64_t;

constexpr int kTile = ALGONETS_BYTES == 64 ? 4 : 2;  // vectors of columns a register tile holds

// out[r][col ..] = sum_i a[r][i] M[i][col ..] for R rows and J vectors of columns, held in registers.
template <class C, int R, int J>
ALGONETS_INLINE void product_tile(const C* const* a, const C* M, int64_t S, int64_t Sp, C* const* out, int64_t col) {
  constexpr int N = Simd<C>::N;
  Vec<C> acc[R][J] = {};
  for (int64_t i = 0; i < S; ++i) {
    const C* row = M + i * Sp + col;
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec<C> e = load<C>(row + j * N);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][j] += a[r][i] * e;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) store<C>(out[r] + col + j * N, acc[r][j]);
}

template <class C, int R> inline void product(const C* const* a, const C* M, int64_t S, int64_t Sp, C* const* out) {
  constexpr int N = Simd<C>::N;
  int64_t col = 0;
  for (; col + kTile * N <= Sp; col += kTile * N) product_tile<C, R, kTile>(a, M, S, Sp, out, col);
  if (kTile > 2)
    for (; col + 2 * N <= Sp; col += 2 * N) product_tile<C, R, 2>(a, M, S, Sp, out, col);
  for (; col < Sp; col += N) product_tile<C, R, 1>(a, M, S, Sp, out, col);
}

// G[i][col ..] += sum_k a[k][i] w[k][col ..] for 4 rows i at a time.
template <class C, int R, int J>
ALGONETS_INLINE void outer_tile(const C* const* a, const C* w, int K, int64_t Sp, C* G, int64_t i, int64_t col) {
  constexpr int N = Simd<C>::N;
  Vec<C> acc[R][J];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) acc[r][j] = load<C>(G + (i + r) * Sp + col + j * N);
  for (int k = 0; k < K; ++k) {
    const C *row = w + k * Sp + col, *ak = a[k] + i;
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec<C> v = load<C>(row + j * N);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][j] += ak[r] * v;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) store<C>(G + (i + r) * Sp + col + j * N, acc[r][j]);
}

template <class C, int R> inline void outer_rows(const C* const* a, const C* w, int K, int64_t Sp, C* G, int64_t i) {
  constexpr int N = Simd<C>::N;
  int64_t col = 0;
  for (; col + kTile * N <= Sp; col += kTile * N) outer_tile<C, R, kTile>(a, w, K, Sp, G, i, col);
  if (kTile > 2)
    for (; col + 2 * N <= Sp; col += 2 * N) outer_tile<C, R, 2>(a, w, K, Sp, G, i, col);
  for (; col < Sp; col += N) outer_tile<C, R, 1>(a, w, K, Sp, G, i, col);
}

template <class C> void outer(const C* const* a, const C* w, int K, int64_t S, int64_t Sp, C* G) {
  int64_t i = 0;
  for (; i + 4 <= S; i += 4) outer_rows<C, 4>(a, w, K, Sp, G, i);
  for (; i < S; ++i) outer_rows<C, 1>(a, w, K, Sp, G, i);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
