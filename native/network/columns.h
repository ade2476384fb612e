// The comparators on a block of columns, for one sample: W = R vectors of columns on each wire. The columns of the
// permutation matrix do not mix, so a block goes through the whole network in cache.
#pragma once

#include "tile.h"
#include "../network.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// A way through the comparators of some runs, forwards or in reverse, in chunks: body(begin, end, q) with q the number
// of comparators in the runs before `begin`.
template <bool kReverse, class Body>
ALGONETS_INLINE void walk(const NetworkRuns::Run* first, const NetworkRuns::Run* last, int64_t chunk, Body body) {
  int64_t q = 0;
  if (!kReverse) {
    for (auto run = first; run != last; ++run)
      for (int64_t c = run->begin; c < run->end; c += chunk) {
        const int64_t end = std::min(c + chunk, run->end);
        body(c, end, q);
        q += end - c;
      }
    return;
  }
  for (auto run = first; run != last; ++run) q += run->end - run->begin;
  for (auto run = last; run-- != first;)
    for (int64_t end = run->end; end > run->begin;) {
      const int64_t c = std::max(run->begin, end - chunk);
      q -= end - c;
      body(c, end, q);
      end = c;
    }
}

// `tape` keeps (a - b) of comparator q at [q * W]; null: nothing is kept.
template <class C, int R, bool kReverse, bool kTape>
void columns_forward_as(const NetworkPlan& plan, const NetworkRuns::Run* first, const NetworkRuns::Run* last, const C* alphas,
                        C* state, C* tape) {
  constexpr int N = Simd<C>::N, W = R * N;
  const int32_t *low = plan.low.data(), *high = plan.high.data();
  walk<kReverse>(first, last, int64_t(1) << 60, [&](int64_t begin, int64_t end, int64_t q) {
    for (int64_t k = 0; k < end - begin; ++k) {
      const int64_t c = kReverse ? end - 1 - k : begin + k;
      C *pa = state + int64_t(low[c]) * W, *pb = state + int64_t(high[c]) * W;
      const Vec<C> alpha = splat<C>(alphas[c]), beta = splat<C>(1 - alphas[c]);
      for (int r = 0; r < R; ++r) {
        const Vec<C> a = load(pa + r * N), b = load(pb + r * N);
        if (kTape) store(tape + (q + c - begin) * W + r * N, a - b);
        store(pa + r * N, alpha * a + beta * b);  // exact for alpha 0 and 1
        store(pb + r * N, beta * a + alpha * b);
      }
    }
  });
}

// The gradient of the state goes back through the comparators; that of the alphas is added to `by_alphas`.
template <class C, int R, bool kReverse>
void columns_backward_as(const NetworkPlan& plan, const NetworkRuns::Run* first, const NetworkRuns::Run* last, const C* alphas,
                         C* state, const C* tape, C* by_alphas) {
  constexpr int N = Simd<C>::N, W = R * N;
  const int32_t *low = plan.low.data(), *high = plan.high.data();
  alignas(64) C products[N * N];
  // The opposite way of the forward pass; N comparators at a time share the sums over lanes.
  walk<!kReverse>(first, last, N, [&](int64_t begin, int64_t end, int64_t q) {
    const int count = int(end - begin);
    for (int k = 0; k < count; ++k) {
      const int64_t at = kReverse ? k : count - 1 - k, c = begin + at;
      C *pa = state + int64_t(low[c]) * W, *pb = state + int64_t(high[c]) * W;
      const Vec<C> alpha = splat<C>(alphas[c]), beta = splat<C>(1 - alphas[c]);
      Vec<C> sum{};
      for (int r = 0; r < R; ++r) {
        const Vec<C> a = load(pa + r * N), b = load(pb + r * N);
        sum += (a - b) * load(tape + (q + at) * W + r * N);
        store(pa + r * N, alpha * a + beta * b);
        store(pb + r * N, beta * a + alpha * b);
      }
      store(products + at * N, sum);
    }
    if (count == N) {
      store(by_alphas + begin, load(by_alphas + begin) + sums(products));
    } else {
      for (int k = 0; k < count; ++k) by_alphas[begin + k] += hsum(load(products + k * N));
    }
  });
}

template <class C, int R>
void columns_forward(const NetworkPlan& plan, const NetworkRuns::Run* first, const NetworkRuns::Run* last, bool reverse,
                     const C* alphas, C* state, C* tape) {
  if (reverse) return tape ? columns_forward_as<C, R, true, true>(plan, first, last, alphas, state, tape)
                           : columns_forward_as<C, R, true, false>(plan, first, last, alphas, state, tape);
  tape ? columns_forward_as<C, R, false, true>(plan, first, last, alphas, state, tape)
       : columns_forward_as<C, R, false, false>(plan, first, last, alphas, state, tape);
}
template <class C, int R>
void columns_backward(const NetworkPlan& plan, const NetworkRuns::Run* first, const NetworkRuns::Run* last, bool reverse,
                      const C* alphas, C* state, const C* tape, C* by_alphas) {
  reverse ? columns_backward_as<C, R, true>(plan, first, last, alphas, state, tape, by_alphas)
          : columns_backward_as<C, R, false>(plan, first, last, alphas, state, tape, by_alphas);
}

// Move w <= W columns of (n, stride) rows into a block and back.
template <class C, int W> void load_columns(const C* rows, int64_t n, int64_t stride, int64_t w, C* state) {
  for (int64_t i = 0; i < n; ++i)
    if (w == W) {
      for (int r = 0; r < W; r += Simd<C>::N) store(state + i * W + r, load(rows + i * stride + r));
    } else {
      for (int64_t j = 0; j < W; ++j) state[i * W + j] = j < w ? rows[i * stride + j] : C(0);
    }
}
template <class C, int W> void store_columns(const C* state, int64_t n, int64_t stride, int64_t w, C* rows) {
  for (int64_t i = 0; i < n; ++i)
    if (w == W) {
      for (int r = 0; r < W; r += Simd<C>::N) store(rows + i * stride + r, load(state + i * W + r));
    } else {
      for (int64_t j = 0; j < w; ++j) rows[i * stride + j] = state[i * W + j];
    }
}
template <class C, int W> void identity_columns(int64_t n, int64_t from, C* state) {
  std::fill(state, state + n * W, C(0));
  for (int64_t j = from; j < std::min(n, from + W); ++j) state[j * W + (j - from)] = C(1);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
