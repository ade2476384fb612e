// T-conorms as sums of generators g: the sum over the fragments of g(F), and back.
#pragma once

#include "elementary.h"

namespace {

// `least` bounds S from below, so that no product of derivatives overflows; `log_p` and `most` serve single families.
struct FoldParameters {
  double p, log_p, most;
};

// The smallest S that counts: 1e-37 and 1e-307 leave exp(-g) a normal number.
template <class C> constexpr C kLeast = C(1e-37);
template <> constexpr double kLeast<double> = 1e-307;

// log S, also accurate near 1.
template <class V> ALGONETS_INLINE V log_survival(V F, V S) {
  using C = Lane<V>;
  const auto small = F < C(0.5);
  return small ? vlog_minus(small ? F : V{}) : vlog(vmax(S, V{} + kLeast<C>));
}

// Each fold: value(F, S) = g; slope(F, S, f) = g'(F) f; finish(G): alpha = g^-1(G) and inverse = 1 / g'(alpha).
struct Probabilistic {
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters&) { return -log_survival(F, S); }
  template <class V> static ALGONETS_INLINE V slope(V, V S, V f, const FoldParameters&) {
    return f / vmax(S, V{} + kLeast<Lane<V>>);
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters&) {
    alpha = -vexpm1(-G);
    inverse = vexp(-G);
  }
};
struct Einstein {
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters&) {
    return Lane<V>(-0.5) * (vlog_minus(F / (1 + F)) + log_survival(F, S));
  }
  template <class V> static ALGONETS_INLINE V slope(V F, V S, V f, const FoldParameters&) {
    return f / (vmax(S, V{} + kLeast<Lane<V>>) * (1 + F));
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters&) {
    V e = vexp(-2 * G), r = 1 / (1 + e);
    alpha = -vexpm1(-2 * G) * r;
    inverse = 4 * e * r * r;
  }
};
struct Hamacher {
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    if (p == C(0)) return F / vmax(S, V{} + C(1e-100));
    const V s = vmax(S, V{} + kLeast<C>), q = p * F, r = q / (s + q);
    const auto small = r < C(0.5);
    return small ? -vlog_minus(small ? r : V{}) : vlog(s + q) - vlog(s);
  }
  template <class V> static ALGONETS_INLINE V slope(V F, V S, V f, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    if (p == C(0)) {
      const V s = vmax(S, V{} + C(1e-100));
      return f / (s * s);
    }
    const V s = vmax(S, V{} + kLeast<C>);
    return f * p / (s * (s + p * F));
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    if (p == C(0)) {
      const V r = 1 / (1 + G);
      alpha = G * r;
      inverse = r * r;
      return;
    }
    const V e = vexp(-G), rise = -vexpm1(-G), d = 1 / (rise + p * e), s = p * e * d;
    alpha = rise * d;
    inverse = s * (s + p * alpha) / p;
  }
};
struct Frank {
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters& k) {
    using C = Lane<V>;
    const C l = C(k.log_p), q = C(1 / (k.p - 1));
    const V s = vmax(S, V{} + kLeast<C>), risen = vexp(s * l) * vexpm1(F * l) * q;
    const auto low = risen < C(0.5);
    return low ? -vlog_minus(low ? vmax(risen, V{}) : V{}) : -vlog(positive(vexpm1(s * l) * q));
  }
  template <class V> static ALGONETS_INLINE V slope(V, V S, V f, const FoldParameters& k) {
    using C = Lane<V>;
    const C l = C(k.log_p);
    return f * -l / vexpm1(vmax(S, V{} + kLeast<C>) * -l);
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters& k) {
    using C = Lane<V>;
    const C l = C(k.log_p), p = C(k.p);
    const V e = vexp(-G);
    // 1 - alpha = log(1 + (p - 1) e) / log p; alpha itself by what is missing of it.
    const V x = (p - C(1)) * e;
    const V rest = (p > C(1) ? vlog1p(x) : vlog_minus(vmin(-x, V{} + C(1)))) / l;
    const V missing = (C(1) - C(1) / p) * -vexpm1(-G);  // 1 - p^-alpha, in [0, 1) for p > 1
    const V near = (p > C(1) ? -vlog_minus(missing) : -vlog1p(-missing)) / l;
    alpha = vmin(rest > C(0.5) ? near : 1 - rest, V{} + C(1));
    inverse = -vexpm1(-rest * l) / l;
  }
};
struct Yager {
  template <class V> static ALGONETS_INLINE V value(V F, V, const FoldParameters& k) { return vpow(F, Lane<V>(k.p)); }
  template <class V> static ALGONETS_INLINE V slope(V F, V, V f, const FoldParameters& k) {
    const Lane<V> p = k.p;
    return p * vpow_or_zero(F, p - 1) * f;
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V a = vpow(vmin(G, V{} + C(1)), 1 / p);
    alpha = a;
    inverse = G >= C(1) ? V{} : vpow_or_zero(a, 1 - p) / p;
  }
};
struct AczelAlsina {
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters& k) {
    using C = Lane<V>;
    return vpow(-log_survival(F, vmax(S, V{} + C(1e-100))), C(k.p));
  }
  template <class V> static ALGONETS_INLINE V slope(V F, V S, V f, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V s = vmax(S, V{} + C(1e-100));
    return p * vpow_or_zero(-log_survival(F, s), p - 1) * f / s;
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V l = vpow(G, 1 / p);
    alpha = -vexpm1(-l);
    inverse = vexp(-l) * vpow_or_zero(l, 1 - p) / p;
  }
};
struct Dombi {
  template <class V> static ALGONETS_INLINE V odds(V F, V S, const FoldParameters& k) {
    using C = Lane<V>;
    return vmin(F / vmax(S, V{} + C(1e-250)), V{} + C(k.most));
  }
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters& k) {
    return vpow(odds(F, S, k), Lane<V>(k.p));
  }
  template <class V> static ALGONETS_INLINE V slope(V F, V S, V f, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V c = odds(F, S, k), d = p * vpow_or_zero(c, p - 1) * (1 + c) * (1 + c) * f;
    return c < C(k.most) ? d : V{};
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V r = vpow(G, 1 / p), d = 1 / (1 + r);
    alpha = r * d;
    inverse = vpow_or_zero(r, 1 - p) * d * d / p;
  }
};
struct SchweizerSklar {
  template <class V> static ALGONETS_INLINE V value(V F, V S, const FoldParameters& k) {
    using C = Lane<V>;
    return vexpm1(C(k.p) * log_survival(F, vmax(S, V{} + C(k.most))));
  }
  template <class V> static ALGONETS_INLINE V slope(V F, V S, V f, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V s = vmax(S, V{} + C(k.most));
    return -p * vexp((p - 1) * log_survival(F, s)) * f;
  }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters& k) {
    using C = Lane<V>;
    const C p = C(k.p);
    const V l = vlog1p(G);
    alpha = -vexpm1(l / p);
    inverse = vexp(l * ((1 - p) / p)) / -p;
  }
};
struct Maximum {
  template <class V> static ALGONETS_INLINE V value(V F, V, const FoldParameters&) { return F; }
  template <class V> static ALGONETS_INLINE V slope(V, V, V f, const FoldParameters&) { return f; }
  template <class V> static ALGONETS_INLINE void finish(V G, V& alpha, V& inverse, const FoldParameters&) {
    alpha = G;
    inverse = V{} + Lane<V>(1);
  }
};

template <class C> struct FoldFunctions {
  void (*value)(const FoldParameters&, int n, const C* F, const C* S, C* g);
  void (*slope)(const FoldParameters&, int n, const C* F, const C* S, C* f_to_slope);
  void (*finish)(const FoldParameters&, int n, const C* G, C* alpha, C* inverse);
};

template <class C, class T> void fold_value(const FoldParameters& k, int n, const C* F, const C* S, C* g) {
  for (int i = 0; i < n; i += Simd<C>::N) store(g + i, T::value(load(F + i), load(S + i), k));
}
template <class C, class T> void fold_slope(const FoldParameters& k, int n, const C* F, const C* S, C* f) {
  for (int i = 0; i < n; i += Simd<C>::N) store(f + i, T::slope(load(F + i), load(S + i), load(f + i), k));
}
template <class C, class T> void fold_finish(const FoldParameters& k, int n, const C* G, C* alpha, C* inverse) {
  for (int i = 0; i < n; i += Simd<C>::N) {
    Vec<C> a, r;
    T::finish(load(G + i), a, r, k);
    if (alpha) store(alpha + i, a);
    if (inverse) store(inverse + i, r);
  }
}
template <class C, class T> constexpr FoldFunctions<C> kFoldOf = {fold_value<C, T>, fold_slope<C, T>, fold_finish<C, T>};

template <class C> constexpr FoldFunctions<C> kFoldRows[] = {
    kFoldOf<C, Probabilistic>, kFoldOf<C, Einstein>, kFoldOf<C, Hamacher>,       kFoldOf<C, Frank>,   kFoldOf<C, Yager>,
    kFoldOf<C, AczelAlsina>,   kFoldOf<C, Dombi>,    kFoldOf<C, SchweizerSklar>, kFoldOf<C, Maximum>,
};

}  // namespace
