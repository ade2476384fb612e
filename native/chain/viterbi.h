// The best sequence. No back-pointers: the argmax is taken again along the best path alone.
#pragma once

#include "products.h"
#include "scores.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

template <class In> void pad(const Chain<In>& c, In* out, In* transposed) {
  const int64_t S = c.states, Sp = padded<In>(S);
  for (int64_t i = 0; i < S; ++i) copy_row<In, In>(c.transition + i * S, S, (S - i) * S, out + i * Sp);
  for (int64_t j = 0; j < S; ++j) {
    for (int64_t i = 0; i < S; ++i) transposed[j * Sp + i] = out[i * Sp + j];
    for (int64_t i = S; i < Sp; ++i) transposed[j * Sp + i] = minus_inf<In>();
  }
}

template <class C, int R, int J>
ALGONETS_INLINE void best_tile(const C* const* a, const C* M, int64_t S, int64_t Sp, C* const* out, int64_t col) {
  constexpr int N = Simd<C>::N;
  Vec<C> acc[R][J];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) acc[r][j] = splat<C>(minus_inf<C>());
  for (int64_t i = 0; i < S; ++i) {
    const C* row = M + i * Sp + col;
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec<C> e = load<C>(row + j * N);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][j] = vmax(a[r][i] + e, acc[r][j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) store<C>(out[r] + col + j * N, acc[r][j]);
}

// First state that attains the maximum of a + transition row; -1 where all are forbidden.
template <class C> int64_t first_best(const C* a, const C* row, int64_t S, int64_t Sp) {
  constexpr int N = Simd<C>::N;
  Vec<C> m = splat<C>(minus_inf<C>());
  for (int64_t s = 0; s < Sp; s += N) m = vmax(m, row ? load<C>(a + s) + load<C>(row + s) : load<C>(a + s));
  const C best = hmax(m);
  if (best == minus_inf<C>()) return -1;
  for (int64_t s = 0; s < S; ++s)
    if ((row ? a[s] + row[s] : a[s]) == best) return s;
  return -1;
}

template <class In, int R>
void viterbi_rows(const Chain<In>& c, const In* shared, const In* shared_transposed, ChainBlock block, int64_t* labels) {
  constexpr int N = Simd<In>::N;
  const int64_t S = c.states, Sp = padded<In>(S);
  int64_t longest = 0;
  for (int r = 0; r < R; ++r) longest = c.lengths[block.order[r]] > longest ? c.lengths[block.order[r]] : longest;
  Scratch<In> messages(R * longest * Sp), q(R * Sp), u(Sp);
  Scratch<In> own(shared ? 0 : S * Sp), column(shared ? 0 : Sp);
  In* out[R];
  for (int r = 0; r < R; ++r) out[r] = q + r * Sp;
  for (int64_t t = 0; t < longest; ++t) {
    if (t) {
      const In *before[R], *M = shared;
      for (int r = 0; r < R; ++r) before[r] = messages + (r * longest + t - 1) * Sp;
      if (!shared) {
        const In* matrix = transition_at(c, block.order[0], t - 1);
        if (t == 1 || c.transition_t)
          for (int64_t i = 0; i < S; ++i) copy_row<In, In>(matrix + i * S, S, (S - i) * S, own + i * Sp);
        M = own.data;
      }
      int64_t col = 0;
      for (; col + kTile * N <= Sp; col += kTile * N) best_tile<In, R, kTile>(before, M, S, Sp, out, col);
      if (kTile > 2)
        for (; col + 2 * N <= Sp; col += 2 * N) best_tile<In, R, 2>(before, M, S, Sp, out, col);
      for (; col < Sp; col += N) best_tile<In, R, 1>(before, M, S, Sp, out, col);
    }
    for (int r = 0; r < R; ++r) {
      In* a = messages + (r * longest + t) * Sp;
      if (t >= c.lengths[block.order[r]]) {
        for (int64_t s = 0; s < Sp; ++s) a[s] = minus_inf<In>();
        continue;
      }
      scores<In, In>(c, block.order[r], t, u.data);
      Vec<In> m = splat<In>(minus_inf<In>());
      for (int64_t s = 0; s < Sp; s += N) {
        Vec<In> v = load<In>(u + s);
        if (t) v = load<In>(out[r] + s) + v;
        store<In>(a + s, v);
        m = vmax(m, v);
      }
      const In top = hmax(m);  // subtracting it keeps the precision of long chains
      if (top > minus_inf<In>())
        for (int64_t s = 0; s < Sp; s += N) store<In>(a + s, load<In>(a + s) - top);
    }
  }
  for (int r = 0; r < R; ++r) {
    const int64_t b = block.order[r], L = c.lengths[b];
    int64_t* path = labels + b * c.steps;
    int64_t k = first_best<In>(messages + (r * longest + L - 1) * Sp, nullptr, S, Sp);
    for (int64_t t = c.steps - 1; t >= L; --t) path[t] = -1;
    for (int64_t t = L - 1; t >= 0; --t) {
      path[t] = k;
      if (!t || k < 0) continue;
      const In* into = shared ? shared_transposed + k * Sp : column.data;
      if (!shared) {
        const In* matrix = transition_at(c, b, t - 1);
        for (int64_t i = 0; i < Sp; ++i) column[i] = i < S ? matrix[i * S + k] : minus_inf<In>();
      }
      k = first_best<In>(messages + (r * longest + t - 1) * Sp, into, S, Sp);
    }
  }
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
