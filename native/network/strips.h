// The comparators on a strip of columns of a tile: [wire][column][lane], a sample each lane, kStrip columns at a time.
// For matrices of middle size: a strip stays in L1 and its tape in L2, and the sums over columns need no shuffles.
//
// The comparators come in chains: where the wire of a minimum is the wire of the next one's maximum, it stays in
// registers (`NetworkStrips`). Chains of odd-even sort are diagonals through its layers.
#pragma once

#include "tile.h"
#include "../network.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// What a pass works on: comparators begin .. end of the chains, in runs.
struct Stretch {
  const NetworkRuns::Run *first, *last;
};

// The state goes forwards. `tape`: keeps a - b; its end is returned. Without it the mixing is exact for alpha 0 and 1
// and keeps what is not negative so; with it absolute errors of a rounding are good enough.
template <class C, bool kTape>
C* strip_forward(const NetworkStrips& strips, Stretch stretch, const C* alphas, C* state, C* tape) {
  constexpr int N = Simd<C>::N, K = kStrip, W = K * N;
  for (auto run = stretch.first; run != stretch.last; ++run) {
    Vec<C> carried[K];
    bool linked = false;
    for (int64_t c = run->begin; c < run->end; ++c) {
      C *pa = state + int64_t(strips.low[c]) * W, *pb = state + int64_t(strips.high[c]) * W;
      const Vec<C> alpha = load(alphas + int64_t(strips.order[c]) * N), beta = 1 - alpha;
      if (!linked)
        for (int k = 0; k < K; ++k) carried[k] = load(pb + k * N);
      for (int k = 0; k < K; ++k) {
        const Vec<C> a = load(pa + k * N), b = carried[k];
        if (kTape) {
          const Vec<C> d = a - b;
          store(tape + k * N, d);
          carried[k] = b + alpha * d;
          store(pb + k * N, a - alpha * d);
        } else {
          carried[k] = alpha * a + beta * b;
          store(pb + k * N, beta * a + alpha * b);
        }
      }
      if (kTape) tape += W;
      linked = strips.linked[c] && c + 1 < run->end;
      if (!linked)
        for (int k = 0; k < K; ++k) store(pa + k * N, carried[k]);
    }
  }
  return tape;
}

// The gradient of the state goes back; that of the alphas is added to `by_alphas`. `tape` is where the forward pass
// ended.
template <class C>
void strip_backward(const NetworkStrips& strips, Stretch stretch, const C* alphas, C* state, const C* tape, C* by_alphas) {
  constexpr int N = Simd<C>::N, K = kStrip, W = K * N;
  for (auto run = stretch.last; run-- != stretch.first;) {
    Vec<C> carried[K];
    bool linked = false;
    for (int64_t c = run->end; c-- > run->begin;) {
      C *pa = state + int64_t(strips.low[c]) * W, *pb = state + int64_t(strips.high[c]) * W;
      const int64_t at = int64_t(strips.order[c]) * N;
      const Vec<C> alpha = load(alphas + at);
      Vec<C> sum = load(by_alphas + at);
      tape -= W;
      if (!linked)
        for (int k = 0; k < K; ++k) carried[k] = load(pa + k * N);
      for (int k = 0; k < K; ++k) {
        const Vec<C> a = carried[k], b = load(pb + k * N), e = a - b;
        sum += e * load(tape + k * N);
        store(pa + k * N, b + alpha * e);
        carried[k] = a - alpha * e;
      }
      store(by_alphas + at, sum);
      linked = c > run->begin && strips.linked[c - 1];
      if (!linked)
        for (int k = 0; k < K; ++k) store(pb + k * N, carried[k]);
    }
  }
}

// Columns j .. j + w of matrices (samples, n, n) into a strip and back: rows of a few wires are transposed together.
template <class C> void load_strip(const C* matrices, int64_t n, int samples, int64_t j, int w, C* state) {
  constexpr int N = Simd<C>::N, K = kStrip, G = N / K;
  int64_t i = 0;
  if constexpr (N % K == 0)
    for (; w == K && i + G <= n; i += G) {
      alignas(64) C rows[N * N];
      for (int lane = 0; lane < N; ++lane)
        for (int g = 0; g < G; ++g)
          for (int k = 0; k < K; ++k)
            rows[lane * N + g * K + k] = matrices[std::min(lane, samples - 1) * n * n + (i + g) * n + j + k];
      load_tile(rows, N, samples, N, state + i * K * N);
    }
  for (; i < n; ++i)
    for (int k = 0; k < K; ++k)
      for (int lane = 0; lane < N; ++lane)
        state[(i * K + k) * N + lane] = lane < samples && k < w ? matrices[(lane * n + i) * n + j + k] : C(0);
}
template <class C> void store_strip(const C* state, int64_t n, int samples, int64_t j, int w, C* matrices) {
  constexpr int N = Simd<C>::N, K = kStrip, G = N / K;
  int64_t i = 0;
  if constexpr (N % K == 0)
    for (; w == K && i + G <= n; i += G) {
      alignas(64) C rows[N * N];
      store_tile(state + i * K * N, N, N, N, rows);
      for (int lane = 0; lane < samples; ++lane)
        for (int g = 0; g < G; ++g)
          for (int k = 0; k < K; ++k) matrices[(lane * n + i + g) * n + j + k] = rows[lane * N + g * K + k];
    }
  for (; i < n; ++i)
    for (int k = 0; k < w; ++k)
      for (int lane = 0; lane < samples; ++lane) matrices[(lane * n + i) * n + j + k] = state[(i * K + k) * N + lane];
}
template <class C> void identity_strip(int64_t n, int64_t j, int w, C* state) {
  constexpr int N = Simd<C>::N, K = kStrip;
  std::fill(state, state + n * K * N, C(0));
  for (int k = 0; k < w; ++k) store(state + ((j + k) * K + k) * N, splat<C>(1));
}

// Cut the runs of a strip into stretches whose tapes have at most about `most` comparators.
inline std::vector<Stretch> stretches(const NetworkRuns::Run* first, const NetworkRuns::Run* last, int64_t most) {
  int64_t total = 0, size = 0;
  for (auto run = first; run != last; ++run) total += run->end - run->begin;
  const int64_t share = total / ((total + most - 1) / std::max<int64_t>(most, 1) + (total == 0)) + 1;
  std::vector<Stretch> found{{first, first}};
  for (auto run = first; run != last; ++run) {
    if (size >= share) {
      found.push_back({run, run});
      size = 0;
    }
    size += run->end - run->begin;
    found.back().last = run + 1;
  }
  return found;
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
