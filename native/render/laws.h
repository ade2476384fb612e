// All laws: CDF F, survival S = 1 - F (both accurate where they are small) and density f at u.
#pragma once

#include "../network/laws.h"
#include "elementary.h"

namespace {

struct LawParameters {
  double shape, log_gamma;
};

template <class L> struct Symmetric {
  template <class V> static ALGONETS_INLINE void at(V u, V& F, V& S, V& f, const LawParameters&) {
    using C = Lane<V>;
    V a = vmin(vabs(u), V{} + kFar<C>), t;
    L::both(a, t, f);
    F = u < C(0) ? t : 1 - t;
    S = u < C(0) ? 1 - t : t;
  }
};

template <class L> struct Mirrored {
  template <class V> static ALGONETS_INLINE void at(V u, V& F, V& S, V& f, const LawParameters& p) { L::at(-u, S, F, f, p); }
};

struct Wigner {
  static void one(double a, double& tail, double& f) {
    if (a >= 1) { tail = f = 0; return; }
    const double root = std::sqrt((1 - a) * (1 + a));
    f = 2 / kPi * root;
    // 1/2 less the closed form of the integral of sqrt(1 - t^2); near 1 that cancels, and the series in 1 - a serves.
    if (a < 0.875) {
      tail = 0.5 - (a * root + std::asin(a)) / kPi;
    } else {
      const double h = 1 - a;
      double sum = 0, binomial = 1, power = 1;
      for (int k = 0; k < 13; ++k) {
        sum += 2 * std::sqrt(2.0) / kPi * binomial / (k + 1.5) * power;
        binomial *= -0.5 * (0.5 - k) / (k + 1);
        power *= h;
      }
      tail = h * std::sqrt(h) * sum;
    }
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(a[0]); ++i) {
      double tail, density;
      one(double(a[i]), tail, density);
      t[i] = tail;
      f[i] = density;
    }
  }
};

struct GumbelMax {
  template <class V> static ALGONETS_INLINE void at(V u, V& F, V& S, V& f, const LawParameters&) {
    using C = Lane<V>;
    V e = vexp(-vmax(u, V{} + C(-7)));
    F = vexp(-e);
    S = -vexpm1(-e);
    f = u < C(-7) ? V{} : e * F;
  }
};

struct Exponential {
  template <class V> static ALGONETS_INLINE void at(V u, V& F, V& S, V& f, const LawParameters&) {
    using C = Lane<V>;
    V v = vmax(u, V{});
    S = vexp(-v);
    F = -vexpm1(-v);
    f = u >= C(0) ? S : V{};
  }
};

struct GammaLaw {
  // Regularised incomplete gamma functions: the series below shape + 1, Lentz's continued fraction above.
  static void one(double x, const LawParameters& p, double& P, double& Q, double& f) {
    if (!(x > 0)) { P = f = 0; Q = 1; return; }
    const double a = p.shape, density = std::exp((a - 1) * std::log(x) - x - p.log_gamma);
    f = density;
    if (x < a + 1) {
      double term = 1 / a, sum = term;
      for (int k = 1; k < 2000 && term > sum * 1e-17; ++k) { term *= x / (a + k); sum += term; }
      P = std::fmin(1.0, sum * density * x);
      Q = 1 - P;
      return;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int k = 1; k < 2000; ++k) {
      const double an = -k * (k - a);
      b += 2;
      d = an * d + b;
      c = b + an / c;
      if (std::fabs(d) < 1e-300) d = 1e-300;
      if (std::fabs(c) < 1e-300) c = 1e-300;
      d = 1 / d;
      h *= d * c;
      if (std::fabs(d * c - 1) < 1e-16) break;
    }
    Q = std::fmin(1.0, h * density * x);
    P = 1 - Q;
  }
  template <class V> static ALGONETS_INLINE void at(V u, V& F, V& S, V& f, const LawParameters& p) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(u[0]); ++i) {
      double P, Q, density;
      one(double(u[i]), p, P, Q, density);
      F[i] = P;
      S[i] = Q;
      f[i] = density;
    }
  }
};

struct LevyLaw {
  template <class V> static ALGONETS_INLINE void at(V u, V& F, V& S, V& f, const LawParameters&) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(u[0]); ++i) {
      const double r = 1 / std::sqrt(std::fmax(double(u[i]), 5e-4));
      F[i] = std::erfc(r * 0.70710678118654752440);
      S[i] = std::erf(r * 0.70710678118654752440);
      f[i] = r * r * r * std::exp(-0.5 * r * r) * 0.3989422804014326779;
    }
  }
};

// n values v (a multiple of the lanes) to F, S and, where wanted, f at v / scale - location; below `cut` a fragment
// counts as none.
template <class C> struct LawRow {
  C inverse, location, cut;
  LawParameters parameters;
};
template <class C> using LawFunction = void (*)(const LawRow<C>&, int n, const C* v, C* F, C* S, C* f);

template <class C, class L> __attribute__((noinline)) void law_row(const LawRow<C>& row, int n, const C* v, C* F, C* S, C* f) {
  for (int i = 0; i < n; i += Simd<C>::N) {
    const Vec<C> x = load(v + i);
    const auto kept = x >= row.cut;
    Vec<C> F1, S1, f1;
    L::at(x * row.inverse - row.location, F1, S1, f1, row.parameters);
    store(F + i, kept ? F1 : Vec<C>{});
    store(S + i, kept ? S1 : Vec<C>{} + C(1));
    if (f) store(f + i, kept ? f1 : Vec<C>{});
  }
}

template <class C> constexpr LawFunction<C> kLawRows[] = {
    law_row<C, Symmetric<Logistic>>,   law_row<C, Symmetric<Gaussian>>,     law_row<C, Symmetric<Cauchy>>,
    law_row<C, Symmetric<Reciprocal>>, law_row<C, Symmetric<Optimal>>,      law_row<C, Symmetric<Laplace>>,
    law_row<C, Symmetric<Uniform>>,    law_row<C, Symmetric<CubicHermite>>, law_row<C, Symmetric<Wigner>>,
    law_row<C, Symmetric<Gudermannian>>, law_row<C, GumbelMax>,             law_row<C, Mirrored<GumbelMax>>,
    law_row<C, Exponential>,           law_row<C, Mirrored<Exponential>>,   law_row<C, GammaLaw>,
    law_row<C, Mirrored<GammaLaw>>,    law_row<C, LevyLaw>,                 law_row<C, Mirrored<LevyLaw>>,
};

}  // namespace
