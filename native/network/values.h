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

// What a forward pass keeps of each comparator for a backward one, which then needs no law. With d = b - a:
template <class C> struct Tape {
  C* share;    // -d minimum / d d = alpha + d slope; or null
  C* slope;    // d alpha / d d, for the gradient of the alphas; or null
  C* pull;     // -scale d alpha / d scale, if both are wanted; or null
  C* stretch;  // d * pull, for the gradient of the scale; or null

  static int arrays(bool alphas, bool scale) { return 1 + alphas + scale + (alphas && scale); }
  // In arrays of a size.
  static Tape in(C* data, int64_t size, bool alphas, bool scale) {
    C* const after = data + (1 + alphas) * size;
    return {data, alphas ? data + size : nullptr, alphas && scale ? after + size : nullptr, scale ? after : nullptr};
  }
};

// What a pass over the comparators c0 .. c1 works on. Arrays of comparators start at c0 and have one vector for each in
// a tile, one number for a single sample.
template <class C> struct Pass {
  const NetworkPlan* plan;
  int64_t c0, c1;
  C* wires;           // items; backward: their gradients
  const C* inverse;   // 1 / scale of each lane
  C power;
  Tape<C> tape;
  C* alpha;           // or null
  C* beta;            // 1 - alpha, to its own relative accuracy; or null, as `alpha`
  const C* by_alpha;  // backward: gradient of the alphas, or null
  double* by_scale;   // backward: -scale times the gradient of the scale is added, a lane each; or null
};

// What is on the tape.
enum : int { kNothing = 0, kShare = 1, kForAlphas = 2, kForScale = 4 };

template <class L, class C, int kKept, bool kAlpha>
ALGONETS_INLINE void forward_one(Vec<C>& a, Vec<C>& b, Vec<C> inverse, C power, const Tape<C>& tape, int64_t at, C* alpha, C* beta) {
  const auto falling = b < a;
  const Vec<C> smaller = vmin(a, b), larger = vmax(a, b);
  // Opposite items near the largest number: their difference must not become infinite.
  const Vec<C> h = vmin(larger - smaller, splat<C>(std::numeric_limits<C>::max()));
  Vec<C> t;
  if (kKept) {
    Vec<C> slope, pull;
    Comparator<L, C>::both(h, inverse, power, t, slope, pull);
    const Vec<C> risen = t - h * slope;
    store(tape.share + at, falling ? risen : 1 - risen);
    if (kKept & kForAlphas) store(tape.slope + at, slope);
    if (kKept & kForScale) store(tape.stretch + at, h * pull);  // finite where d is huge; by e * d it need not be
    if (kKept & kForAlphas && kKept & kForScale) store(tape.pull + at, falling ? -pull : pull);
  } else {
    t = Comparator<L, C>::tail(h, inverse, power);
  }
  a = smaller + t * h;
  b = larger - t * h;
  if (!kAlpha) return;
  store(alpha, falling ? t : 1 - t);
  store(beta, falling ? 1 - t : t);
}

// (ga, gb), the gradient of minimum and maximum, becomes that of a and b. Returns -scale d / d scale.
template <class C, int kKept>
ALGONETS_INLINE Vec<C> backward_one(Vec<C>& ga, Vec<C>& gb, const Tape<C>& tape, int64_t at, Vec<C> by_alpha) {
  const Vec<C> e = ga - gb;
  Vec<C> at_d = -(e * load(tape.share + at)), pull{};
  if (kKept & kForAlphas) at_d += by_alpha * load(tape.slope + at);
  if (kKept & kForScale) pull = -(e * load(tape.stretch + at));
  if (kKept & kForAlphas && kKept & kForScale) pull += by_alpha * load(tape.pull + at);
  const Vec<C> at_a = gb - at_d;
  gb = ga + at_d;
  ga = at_a;
  return pull;
}

constexpr int64_t kFlush = 64;  // comparators whose part of the scale's gradient is summed before it goes to double

template <class C> ALGONETS_INLINE void flush(Vec<C> sum, double* total) {
  for (int lane = 0; lane < Simd<C>::N; ++lane) total[lane] += double(sum[lane]);
}

// ---- tiles -----------------------------------------------------------------------------------------------------------

template <class L, class C, int kKept, bool kAlpha> void tile_forward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  const Vec<C> inverse = load(p.inverse);
  for (int64_t c = p.c0; c < p.c1; ++c) {
    C *pa = p.wires + int64_t(p.plan->low[c]) * N, *pb = p.wires + int64_t(p.plan->high[c]) * N;
    Vec<C> a = load(pa), b = load(pb);
    const int64_t at = (c - p.c0) * N;
    forward_one<L, C, kKept, kAlpha>(a, b, inverse, p.power, p.tape, at, kAlpha ? p.alpha + at : nullptr, kAlpha ? p.beta + at : nullptr);
    store(pa, a);
    store(pb, b);
  }
}

template <class C, int kKept> void tile_backward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  for (int64_t end = p.c1; end > p.c0; end -= kFlush) {
    Vec<C> sum{};
    for (int64_t c = end; c-- > std::max(p.c0, end - kFlush);) {
      C *pa = p.wires + int64_t(p.plan->low[c]) * N, *pb = p.wires + int64_t(p.plan->high[c]) * N;
      Vec<C> ga = load(pa), gb = load(pb);
      const int64_t at = (c - p.c0) * N;
      const Vec<C> pull = backward_one<C, kKept>(ga, gb, p.tape, at, kKept & kForAlphas ? load(p.by_alpha + at) : Vec<C>{});
      if (kKept & kForScale) sum += pull;
      store(pa, ga);
      store(pb, gb);
    }
    if (kKept & kForScale) flush<C>(sum, p.by_scale);
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

// The tape of N comparators in a row, from that of m <= N.
template <class C> struct TapeBlock {
  static constexpr int N = Simd<C>::N;
  alignas(64) C numbers[4 * N];
  const Tape<C> block{numbers, numbers + N, numbers + 2 * N, numbers + 3 * N};

  template <int kKept, class Move> ALGONETS_INLINE void each(const Tape<C>& tape, int64_t at, Move move) {
    if (kKept & kShare) move(tape.share + at, block.share);
    if (kKept & kForAlphas) move(tape.slope + at, block.slope);
    if (kKept & kForAlphas && kKept & kForScale) move(tape.pull + at, block.pull);
    if (kKept & kForScale) move(tape.stretch + at, block.stretch);
  }
};

template <class L, class C, int kKept, bool kAlpha> void single_forward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  const Vec<C> inverse = load(p.inverse);
  by_layer<N, false>(*p.plan, p.c0, p.c1, [&](int64_t c, int m, bool straight) {
    const int32_t *low = p.plan->low.data() + c, *high = p.plan->high.data() + c;
    Vec<C> a = gather(p.wires, low, m, straight), b = gather(p.wires, high, m, straight);
    TapeBlock<C> kept;
    alignas(64) C alpha[N], beta[N];
    forward_one<L, C, kKept, kAlpha>(a, b, inverse, p.power, kept.block, 0, alpha, beta);
    scatter<C>(p.wires, low, m, straight, a);
    scatter<C>(p.wires, high, m, straight, b);
    kept.template each<kKept>(p.tape, c - p.c0, [&](C* to, const C* from) { store_part<C>(to, m, load(from)); });
    if (kAlpha) store_part<C>(p.alpha + (c - p.c0), m, load(alpha));
    if (kAlpha) store_part<C>(p.beta + (c - p.c0), m, load(beta));
  });
}

template <class C, int kKept> void single_backward_as(const Pass<C>& p) {
  constexpr int N = Simd<C>::N;
  by_layer<N, true>(*p.plan, p.c0, p.c1, [&](int64_t c, int m, bool straight) {
    const int32_t *low = p.plan->low.data() + c, *high = p.plan->high.data() + c;
    Vec<C> ga = gather(p.wires, low, m, straight), gb = gather(p.wires, high, m, straight);
    TapeBlock<C> kept;
    kept.template each<kKept>(p.tape, c - p.c0, [&](const C* from, C* to) { store(to, load_part(from, m)); });
    const Vec<C> by_alpha = kKept & kForAlphas ? load_part(p.by_alpha + (c - p.c0), m) : Vec<C>{};
    const Vec<C> pull = backward_one<C, kKept>(ga, gb, kept.block, 0, by_alpha);
    if (kKept & kForScale) flush<C>(pull, p.by_scale);
    scatter<C>(p.wires, low, m, straight, ga);
    scatter<C>(p.wires, high, m, straight, gb);
  });
}

// ---- by law ----------------------------------------------------------------------------------------------------------

template <class C> int kept(const Pass<C>& p) {
  return (p.tape.share ? kShare : kNothing) | (p.tape.slope ? kForAlphas : kNothing) | (p.tape.stretch ? kForScale : kNothing);
}

template <class L, class C, bool kTile> void forward_as(const Pass<C>& p) {
#define ALGONETS_GO(kept, a) return kTile ? tile_forward_as<L, C, kept, a>(p) : single_forward_as<L, C, kept, a>(p)
  switch (kept(p)) {
    case kNothing: if (p.alpha) ALGONETS_GO(kNothing, true); else ALGONETS_GO(kNothing, false);
    case kShare: ALGONETS_GO(kShare, false);
    case kShare | kForScale: ALGONETS_GO(kShare | kForScale, false);
    case kShare | kForAlphas: if (p.alpha) ALGONETS_GO(kShare | kForAlphas, true); else ALGONETS_GO(kShare | kForAlphas, false);
    default: if (p.alpha) ALGONETS_GO(kShare | kForAlphas | kForScale, true); else ALGONETS_GO(kShare | kForAlphas | kForScale, false);
  }
#undef ALGONETS_GO
}

template <class C, bool kTile> void backward(const Pass<C>& p) {
#define ALGONETS_GO(kept) return kTile ? tile_backward_as<C, kept>(p) : single_backward_as<C, kept>(p)
  switch (kept(p)) {
    case kShare: ALGONETS_GO(kShare);
    case kShare | kForScale: ALGONETS_GO(kShare | kForScale);
    case kShare | kForAlphas: ALGONETS_GO(kShare | kForAlphas);
    default: ALGONETS_GO(kShare | kForAlphas | kForScale);
  }
#undef ALGONETS_GO
}

template <class C> using LawPass = void (*)(const Pass<C>&);

template <class C, bool kTile> LawPass<C> forward_of(int law) {
#define ALGONETS_LAW(name) forward_as<name, C, kTile>
  static constexpr LawPass<C> table[kLaws] = {
      ALGONETS_LAW(Logistic), ALGONETS_LAW(Gaussian), ALGONETS_LAW(Cauchy),       ALGONETS_LAW(Reciprocal),   ALGONETS_LAW(Optimal),
      ALGONETS_LAW(Laplace),  ALGONETS_LAW(Uniform),  ALGONETS_LAW(CubicHermite), ALGONETS_LAW(Gudermannian), ALGONETS_LAW(LogisticART)};
#undef ALGONETS_LAW
  return table[law];
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
