// The comparators on a block of columns, for one sample: R vectors of columns on each wire. The columns of the
// permutation matrix do not mix, so a block goes through the whole network in cache.
//
// With t = min(alpha, 1 - alpha) a comparator is (a, b) -> (a - t (a - b), b + t (a - b)), after which the wires change
// places if alpha < 1/2. So all small entries keep their relative accuracy, and t = 0 is exact. Changing places costs
// nothing where the wires are loaded, or stored.
#pragma once

#include <utility>

#include "tile.h"
#include "../network.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// The weights of one sample, by slot: t, and all bits set where the wires change places, or none.
template <class C> struct Weights {
  const C* t;
  const int64_t* turn;
};

// The matrix of a comparator is symmetric: it takes items and their gradients alike. Returns a - b.
template <class V> ALGONETS_INLINE V mix(V& a, V& b, V t) {
  const V d = a - b;
  a -= t * d;
  b += t * d;
  return d;
}

// Let the wires change places.
ALGONETS_INLINE void turned(int64_t turn, int64_t& a, int64_t& b) {
  const int64_t change = turn & (a ^ b);
  a ^= change;
  b ^= change;
}

// A group with the weights of a sample: where in the state of W columns a wire comes in and goes out.
template <class C, int W, bool kSecond, bool kLast> struct Placed {
  static constexpr int kThird = 1 + kSecond, kFourth = 2 + kSecond, kSize = 2 + kSecond + kLast;  // slots after the first
  Vec<C> t0, t1, t2, t3;
  int64_t in[4], out[4];

  ALGONETS_INLINE Placed(const NetworkGroup& group, const Weights<C>& weights) {
    const C* t = weights.t + group.slot[0];
    const int64_t* turn = weights.turn + group.slot[0];
    for (int k = 0; k < 4; ++k) in[k] = out[k] = int64_t(group.wire[k]) * W;
    t0 = splat<C>(t[0]);
    if (kSecond) t1 = splat<C>(t[1]);
    t2 = splat<C>(t[kThird]);
    if (kLast) t3 = splat<C>(t[kFourth]);
    turned(turn[0], in[0], in[1]);
    if (kSecond) turned(turn[1], in[2], in[3]);
    turned(turn[kThird], out[1], out[2]);
    if (kLast) turned(turn[kFourth], out[0], out[3]);
  }
};

// `tape` gets the differences of each comparator, vector by vector.
template <class C, int R, bool kSecond, bool kLast, bool kTape>
ALGONETS_INLINE void group_forward(const NetworkGroup& group, const Weights<C>& weights, C* state, C*& tape) {
  constexpr int N = Simd<C>::N;
  using Group = Placed<C, R * N, kSecond, kLast>;
  const Group p(group, weights);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    C* at = state + r * N;
    Vec<C> x0 = load(at + p.in[0]), x1 = load(at + p.in[1]), x2 = load(at + p.in[2]), x3 = load(at + p.in[3]);
    const Vec<C> d0 = mix(x0, x1, p.t0), d1 = kSecond ? mix(x2, x3, p.t1) : Vec<C>{};
    const Vec<C> d2 = mix(x1, x2, p.t2), d3 = kLast ? mix(x0, x3, p.t3) : Vec<C>{};
    store(at + p.out[0], x0);
    store(at + p.out[1], x1);
    store(at + p.out[2], x2);
    store(at + p.out[3], x3);
    if (!kTape) continue;
    C* d = tape + r * Group::kSize * N;
    store(d, d0);
    if (kSecond) store(d + N, d1);
    store(d + Group::kThird * N, d2);
    if (kLast) store(d + Group::kFourth * N, d3);
  }
  if (kTape) tape += Group::kSize * R * N;
}
template <class C, int R, bool kTape>
ALGONETS_INLINE void pair_forward(const NetworkGroup& group, const Weights<C>& weights, C* state, C*& tape) {
  constexpr int N = Simd<C>::N;
  const int64_t low = int64_t(group.wire[0]) * R * N, high = int64_t(group.wire[1]) * R * N;
  int64_t a = low, b = high;
  turned(weights.turn[group.slot[0]], a, b);
  const Vec<C> t = splat<C>(weights.t[group.slot[0]]);
  for (int r = 0; r < R; ++r) {
    C* at = state + r * N;
    Vec<C> x = load(at + a), y = load(at + b);
    const Vec<C> d = mix(x, y, t);
    store(at + low, x);
    store(at + high, y);
    if (kTape) store(tape + r * N, d);
  }
  if (kTape) tape += R * N;
}

// Products of the differences and their gradients on the way back through a run, summed over the lanes for N comparators
// at a time. The window of products ends at slot `high`.
template <class C> class Sums {
  static constexpr int N = Simd<C>::N, kPlaces = N + 3;
  alignas(64) C products[kPlaces * N];
  std::int64_t low, high;
  C* by_weights;

 public:
  Sums(C* by_weights, std::int64_t end) : low(end), high(end), by_weights(by_weights) {}
  Sums(const Sums&) = delete;

  // Where the products of the `size` <= 4 slots before go.
  ALGONETS_INLINE C* before(int size) {
    while (high - low >= N) full();
    low -= size;
    return products + (kPlaces - (high - low)) * N;
  }
  void finish() {
    while (high - low >= N) full();
    for (std::int64_t slot = low; slot < high; ++slot) by_weights[slot] += hsum(load(products + (kPlaces - (high - slot)) * N));
  }

 private:
  ALGONETS_INLINE void full() {
    high -= N;
    store(by_weights + high, load(by_weights + high) + sums(products + (kPlaces - N) * N));
    for (std::int64_t k = 1; k <= high - low; ++k) store(products + (kPlaces - k) * N, load(products + (kPlaces - N - k) * N));
  }
};

template <class C, int R, bool kSecond, bool kLast>
ALGONETS_INLINE void group_backward(const NetworkGroup& group, const Weights<C>& weights, C* state, const C*& tape, Sums<C>& sums) {
  constexpr int N = Simd<C>::N;
  using Group = Placed<C, R * N, kSecond, kLast>;
  const Group p(group, weights);
  tape -= Group::kSize * R * N;
  Vec<C> s0{}, s1{}, s2{}, s3{};
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    C* at = state + r * N;
    const C* d = tape + r * Group::kSize * N;
    Vec<C> x0 = load(at + p.out[0]), x1 = load(at + p.out[1]), x2 = load(at + p.out[2]), x3 = load(at + p.out[3]);
    s2 += mix(x1, x2, p.t2) * load(d + Group::kThird * N);
    if (kLast) s3 += mix(x0, x3, p.t3) * load(d + Group::kFourth * N);
    s0 += mix(x0, x1, p.t0) * load(d);
    if (kSecond) s1 += mix(x2, x3, p.t1) * load(d + N);
    store(at + p.in[0], x0);
    store(at + p.in[1], x1);
    store(at + p.in[2], x2);
    store(at + p.in[3], x3);
  }
  C* products = sums.before(Group::kSize);
  store(products, s0);
  if (kSecond) store(products + N, s1);
  store(products + Group::kThird * N, s2);
  if (kLast) store(products + Group::kFourth * N, s3);
}
template <class C, int R>
ALGONETS_INLINE void pair_backward(const NetworkGroup& group, const Weights<C>& weights, C* state, const C*& tape, Sums<C>& sums) {
  constexpr int N = Simd<C>::N;
  const int64_t low = int64_t(group.wire[0]) * R * N, high = int64_t(group.wire[1]) * R * N;
  int64_t a = low, b = high;
  turned(weights.turn[group.slot[0]], a, b);
  const Vec<C> t = splat<C>(weights.t[group.slot[0]]);
  tape -= R * N;
  Vec<C> sum{};
  for (int r = 0; r < R; ++r) {
    C* at = state + r * N;
    Vec<C> x = load(at + low), y = load(at + high);
    sum += mix(x, y, t) * load(tape + r * N);
    store(at + a, x);
    store(at + b, y);
  }
  store(sums.before(1), sum);
}

// `tape` null: nothing is kept. Returns where the tape ends.
template <class C, int R, bool kTape>
C* columns_forward_as(const NetworkGroup* first, const NetworkGroup* last, const Weights<C>& weights, C* state, C* tape) {
  for (auto g = first; g != last; ++g) {
    if (g->slot[2] < 0) pair_forward<C, R, kTape>(*g, weights, state, tape);
    else if (g->slot[1] < 0) group_forward<C, R, false, true, kTape>(*g, weights, state, tape);
    else if (g->slot[3] < 0) group_forward<C, R, true, false, kTape>(*g, weights, state, tape);
    else group_forward<C, R, true, true, kTape>(*g, weights, state, tape);
  }
  return tape;
}

template <class C, int R>
C* columns_forward(const NetworkGroup* groups, const NetworkRuns::Run* first, const NetworkRuns::Run* last, const Weights<C>& weights,
                   C* state, C* tape) {
  for (auto run = first; run != last; ++run) {
    const NetworkGroup *begin = groups + run->begin, *end = groups + run->end;
    tape = tape ? columns_forward_as<C, R, true>(begin, end, weights, state, tape)
                : columns_forward_as<C, R, false>(begin, end, weights, state, tape);
  }
  return tape;
}

// The gradient of the state goes back through the groups; that of the alphas, but for the sign where
// the wires change places, is added to `by_weights`.
template <class C, int R>
void columns_backward(const NetworkGroup* groups, const NetworkRuns::Run* first, const NetworkRuns::Run* last, const Weights<C>& weights,
                      C* state, const C* tape_end, C* by_weights) {
  const C* tape = tape_end;
  for (auto run = last; run-- != first;) {
    if (run->begin == run->end) continue;
    const NetworkGroup& end = groups[run->end - 1];
    Sums<C> sums(by_weights, end.slot[0] + members(end));
    for (auto g = groups + run->end; g-- != groups + run->begin;) {
      if (g->slot[2] < 0) pair_backward<C, R>(*g, weights, state, tape, sums);
      else if (g->slot[1] < 0) group_backward<C, R, false, true>(*g, weights, state, tape, sums);
      else if (g->slot[3] < 0) group_backward<C, R, true, false>(*g, weights, state, tape, sums);
      else group_backward<C, R, true, true>(*g, weights, state, tape, sums);
    }
    sums.finish();
  }
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
