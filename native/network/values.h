// The comparators on the items themselves: sorted values, alphas, and their gradients. Two layouts: a tile has one
// sample a lane; a single sample has the comparators of a layer as lanes, its wires gathered, or loaded where they lie
// at stride 1.
//
// With t = F(-|d|), the smaller of alpha and 1 - alpha, a comparator gives min(a, b) + t |d| and max(a, b) - t |d|: it
// sorts exactly where t is 0.
#pragma once

#include <algorithm>
#include <limits>

#include "../network.h"
#include "laws.h"
#include "tile.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// What a pass over the comparators c0 .. c1 works on. Tapes start at c0 and have one vector a comparator for a tile,
// one number for a single sample.
template <class C> struct Pass {
  const NetworkPlan* plan;
  int64_t c0, c1;
  C* wires;             // items; backward: their gradients
  const C* inverse;     // 1 / scale of each lane
  C power;
  C* difference;        // b - a, or null
  C* alpha;             // or null
  C* beta;              // 1 - alpha, to its own relative accuracy; or null, as `alpha`
  const C* by_alpha;    // backward: gradient of the alphas, or null
  double* by_scale;     // backward: -scale times the gradient of the scale is added, a lane each; or null
};

template <class L, class C, bool kDifference, bool kAlpha>
ALGONETS_INLINE void forward_one(Vec<C>& a, Vec<C>& b, Vec<C> inverse, C power, C* difference, C* alpha, C* beta) {
  const Vec<C> d = b - a;
  const auto falling = d < Vec<C>{};
  // Opposite items near the largest number: their difference must not become infinite.
  const Vec<C> most = splat<C>(std::numeric_limits<C>::max());
  const Vec<C> h = vmin(vabs(d), most);
  const Vec<C> t = Comparator<L, C>::tail(h, inverse, power);
  const Vec<C> smaller = vmin(a, b), larger = vmax(a, b);
  a = smaller + t * h;
  b = larger - t * h;
  if (kDifference) store(difference, vmax(vmin(d, most), -most));
  if (!kAlpha) return;
  store(alpha, falling ? t : 1 - t);
  store(beta, falling ? 1 - t : t);
}

// (ga, gb), the gradient of minimum and maximum, becomes that of a and b. Returns -scale d / d scale.
template <class L, class C>
ALGONETS_INLINE Vec<C> backward_one(Vec<C>& ga, Vec<C>& gb, Vec<C> d, Vec<C> by_alpha, Vec<C> inverse, C power) {
  Vec<C> t, slope, pull;
  Comparator<L, C>::both(d, inverse, power, t, slope, pull);
  const Vec<C> alpha = d < Vec<C>{} ? t : 1 - t, e = ga - gb;
  // d * slope and d * pull are finite where d is huge; e * d need not be.
  const Vec<C> at_d = by_alpha * slope - e * (alpha + d * slope);
  const Vec<C> at_a = gb - at_d;
  gb = ga + at_d;
  ga = at_a;
  return by_alpha * pull - e * (d * pull);
}

constexpr int64_t kFlush = 64;  // comparators whose part of the scale's gradient is summed before it goes to double

template <class C> ALGONETS_INLINE void flush(Vec<C> sum, double* total) {
  for (int lane = 0; lane < Simd<C>::N; ++lane) total[lane] += double(sum[lane]);
}

// ---- tiles -----------------------------------------------------------------------------------------------------------

template <class L, class C, bool kDifference, bool kAlpha> void tile_forward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  const Vec<C> inverse = load(p.inverse);
  for (int64_t c = p.c0; c < p.c1; ++c) {
    C *pa = p.wires + int64_t(p.plan->low[c]) * N, *pb = p.wires + int64_t(p.plan->high[c]) * N;
    Vec<C> a = load(pa), b = load(pb);
    const int64_t at = (c - p.c0) * N;
    forward_one<L, C, kDifference, kAlpha>(a, b, inverse, p.power, kDifference ? p.difference + at : nullptr,
                                           kAlpha ? p.alpha + at : nullptr, kAlpha ? p.beta + at : nullptr);
    store(pa, a);
    store(pb, b);
  }
}

template <class L, class C, bool kByAlpha, bool kScale> void tile_backward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  const Vec<C> inverse = load(p.inverse);
  for (int64_t end = p.c1; end > p.c0; end -= kFlush) {
    Vec<C> sum{};
    for (int64_t c = end; c-- > std::max(p.c0, end - kFlush);) {
      C *pa = p.wires + int64_t(p.plan->low[c]) * N, *pb = p.wires + int64_t(p.plan->high[c]) * N;
      Vec<C> ga = load(pa), gb = load(pb);
      const int64_t at = (c - p.c0) * N;
      const Vec<C> by_alpha = kByAlpha ? load(p.by_alpha + at) : Vec<C>{};
      const Vec<C> pull = backward_one<L, C>(ga, gb, load(p.difference + at), by_alpha, inverse, p.power);
      if (kScale) sum += pull;
      store(pa, ga);
      store(pb, gb);
    }
    if (kScale) flush<C>(sum, p.by_scale);
  }
}

// ---- a single sample -------------------------------------------------------------------------------------------------

// body(c, m, straight): m <= N comparators from c on that are in one layer; in the reverse order for a backward pass.
template <int N, bool kReverse, class Body> ALGONETS_INLINE void by_layer(const NetworkPlan& plan, int64_t c0, int64_t c1, Body body) {
  const auto& ends = plan.ends;
  if (c0 >= c1) return;
  int64_t layer = std::upper_bound(ends.begin(), ends.end(), kReverse ? c1 - 1 : c0) - ends.begin();
  for (int64_t c = kReverse ? c1 : c0; kReverse ? c > c0 : c < c1; kReverse ? --layer : ++layer) {
    const int64_t begin = std::max(c0, layer ? ends[layer - 1] : 0), end = std::min(c1, ends[layer]);
    for (int64_t g = begin; g < end; g += N) {
      const int m = int(std::min<int64_t>(N, end - g));
      body(g, m, m == N && plan.straight[g] >= N);
    }
    c = kReverse ? begin : end;
  }
}

template <class C> ALGONETS_INLINE Vec<C> gather(const C* wires, const int32_t* index, int m, bool straight) {
  constexpr int N = Simd<C>::N;
  if (straight) return load(wires + index[0]);
  alignas(64) C v[N];
  if (m == N) {
#pragma omp simd
    for (int k = 0; k < N; ++k) v[k] = wires[index[k]];
  } else {
    for (int k = 0; k < N; ++k) v[k] = k < m ? wires[index[k]] : C(0);
  }
  return load(v);
}
template <class C> ALGONETS_INLINE void scatter(C* wires, const int32_t* index, int m, bool straight, Vec<C> value) {
  constexpr int N = Simd<C>::N;
  if (straight) return store(wires + index[0], value);
  alignas(64) C v[N];
  store(v, value);
  if (m == N) {
#pragma omp simd
    for (int k = 0; k < N; ++k) wires[index[k]] = v[k];
  } else {
    for (int k = 0; k < m; ++k) wires[index[k]] = v[k];
  }
}
template <class C> ALGONETS_INLINE Vec<C> load_part(const C* from, int m) {
  if (m == Simd<C>::N) return load(from);
  Vec<C> v{};
  for (int k = 0; k < m; ++k) v[k] = from[k];
  return v;
}
template <class C> ALGONETS_INLINE void store_part(C* to, int m, Vec<C> v) {
  if (m == Simd<C>::N) return store(to, v);
  for (int k = 0; k < m; ++k) to[k] = v[k];
}

template <class L, class C, bool kDifference, bool kAlpha> void single_forward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  const Vec<C> inverse = load(p.inverse);
  by_layer<N, false>(*p.plan, p.c0, p.c1, [&](int64_t c, int m, bool straight) {
    const int32_t *low = p.plan->low.data() + c, *high = p.plan->high.data() + c;
    Vec<C> a = gather(p.wires, low, m, straight), b = gather(p.wires, high, m, straight);
    alignas(64) C d[N], alpha[N], beta[N];
    forward_one<L, C, kDifference, kAlpha>(a, b, inverse, p.power, d, alpha, beta);
    scatter<C>(p.wires, low, m, straight, a);
    scatter<C>(p.wires, high, m, straight, b);
    if (kDifference) store_part<C>(p.difference + (c - p.c0), m, load(d));
    if (kAlpha) store_part<C>(p.alpha + (c - p.c0), m, load(alpha));
    if (kAlpha) store_part<C>(p.beta + (c - p.c0), m, load(beta));
  });
}

template <class L, class C, bool kByAlpha, bool kScale> void single_backward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  const Vec<C> inverse = load(p.inverse);
  by_layer<N, true>(*p.plan, p.c0, p.c1, [&](int64_t c, int m, bool straight) {
    const int32_t *low = p.plan->low.data() + c, *high = p.plan->high.data() + c;
    Vec<C> ga = gather(p.wires, low, m, straight), gb = gather(p.wires, high, m, straight);
    const Vec<C> by_alpha = kByAlpha ? load_part(p.by_alpha + (c - p.c0), m) : Vec<C>{};
    const Vec<C> pull = backward_one<L, C>(ga, gb, load_part(p.difference + (c - p.c0), m), by_alpha, inverse, p.power);
    if (kScale) flush<C>(pull, p.by_scale);
    scatter<C>(p.wires, low, m, straight, ga);
    scatter<C>(p.wires, high, m, straight, gb);
  });
}

// ---- by law ----------------------------------------------------------------------------------------------------------

template <class C> struct LawPasses {
  void (*forward)(const Pass<C>&);
  void (*backward)(const Pass<C>&);
};

template <class L, class C, bool kTile> void forward_as(const Pass<C>& p) {
#define ALGONETS_GO(d, a) return kTile ? tile_forward_as<L, C, d, a>(p) : single_forward_as<L, C, d, a>(p)
  if (p.difference && p.alpha) ALGONETS_GO(true, true);
  if (p.difference) ALGONETS_GO(true, false);
  if (p.alpha) ALGONETS_GO(false, true);
  ALGONETS_GO(false, false);
#undef ALGONETS_GO
}
template <class L, class C, bool kTile> void backward_as(const Pass<C>& p) {
#define ALGONETS_GO(a, s) return kTile ? tile_backward_as<L, C, a, s>(p) : single_backward_as<L, C, a, s>(p)
  if (p.by_alpha && p.by_scale) ALGONETS_GO(true, true);
  if (p.by_alpha) ALGONETS_GO(true, false);
  if (p.by_scale) ALGONETS_GO(false, true);
  ALGONETS_GO(false, false);
#undef ALGONETS_GO
}

template <class C, bool kTile> const LawPasses<C>& passes(int law) {
#define ALGONETS_LAW(name) {forward_as<name, C, kTile>, backward_as<name, C, kTile>}
  static constexpr LawPasses<C> table[kLaws] = {
      ALGONETS_LAW(Logistic), ALGONETS_LAW(Gaussian), ALGONETS_LAW(Cauchy),       ALGONETS_LAW(Reciprocal),   ALGONETS_LAW(Optimal),
      ALGONETS_LAW(Laplace),  ALGONETS_LAW(Uniform),  ALGONETS_LAW(CubicHermite), ALGONETS_LAW(Gudermannian), ALGONETS_LAW(LogisticART)};
#undef ALGONETS_LAW
  return table[law];
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
