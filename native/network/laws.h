// The laws of the soft comparators. All are symmetric and written by their upper tail at a = |u| >= 0, so that the small
// side keeps its relative accuracy; the formulas are those of algonets.distributions.
#pragma once

#include "../simd.h"

namespace {

// atan(t) for |t| <= tan(pi / 8): t times a minimax polynomial in t^2 (mpmath.chebyfit).
ALGONETS_INLINE f32v atan_small(f32v t) {
  f32v z = t * t;
  f32v p = z * -0.060263052f + 0.10569829f;
  p = p * z - 0.1423953267f;
  p = p * z + 0.1999818304f;
  p = p * z - 0.3333330689f;
  return t + t * z * p;
}
ALGONETS_INLINE f64v atan_small(f64v t) {
  f64v z = t * t;
  f64v p = z * 0.021135373157693245 - 0.043480522157164625;
  p = p * z + 0.056883492268090105;
  p = p * z - 0.066402339304294086;
  p = p * z + 0.076899534963068578;
  p = p * z - 0.090907730748084138;
  p = p * z + 0.1111110618045594522;
  p = p * z - 0.1428571418097646683;
  p = p * z + 0.1999999999885511013;
  p = p * z - 0.3333333333332843857;
  return t + t * z * p;
}

// P(Z > a) exp(a^2 / 2) (a + 4) / 4 of a standard Gaussian: a minimax polynomial in t = (a - 4) / (a + 4).
ALGONETS_INLINE f32v mills(f32v t) {
  constexpr float k[] = {0.18882128f, -0.15197415f, 0.09678439f, -0.046631046f, 0.015098828f,
                         -0.0018803138f, -0.00086904911f, 0.00039393802f, 3.2335031e-05f, -4.0654079e-05f};
  f32v p = splat<float>(k[9]);
  for (int i = 8; i >= 0; --i) p = p * t + k[i];
  return p;
}
ALGONETS_INLINE f64v mills(f64v t) {
  constexpr double k[] = {0.18882128260393765,     -0.15197416049297305,   0.096784350185607448,   -0.046630464489907818,
                          0.015099143720573234,    -0.0018850472419480878, -0.00086992305789279940, 0.00040770461871991620,
                          3.3335803456733234e-05,  -5.7773770363572270e-05, -4.7576311869306697e-07, 8.7863554367968306e-06,
                          1.7530145020670271e-07,  -1.4806324815994620e-06, -1.5000437772071202e-07, 2.5663007093870759e-07,
                          5.8725664265334131e-08,  -4.0467139594366747e-08, -1.4154745790122871e-08, 4.8525753412224157e-09,
                          1.6896247309169096e-09,  -3.1181017205440982e-10};
  f64v p = splat<double>(k[21]);
  for (int i = 20; i >= 0; --i) p = p * t + k[i];
  return p;
}

constexpr double kPi = 3.14159265358979323846;

// Each law: tail(a), and both(a, tail, density).
struct Logistic {
  template <class V> static ALGONETS_INLINE V tail(V a) {
    V e = vexp(-a);
    return quotient(e, 1 + e);
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    V e = vexp(-a), r = quotient(V{} + 1, 1 + e);
    t = e * r;
    f = t * r;
  }
};
struct Gaussian {
  template <class V> static ALGONETS_INLINE V tail(V a) {
    V t, f;
    both(a, t, f);
    return t;
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    V e = vexp(a * a * decltype(a[0] + 0)(-0.5)), r = quotient(V{} + 1, a + 4);
    t = mills(1 - 8 * r) * (4 * r) * e;
    f = e * decltype(a[0] + 0)(0.3989422804014326779);
  }
};
struct Cauchy {
  // atan(1 / a) / pi: for float one polynomial on [0, 1] is cheapest, for double three intervals.
  static ALGONETS_INLINE f32v tail(f32v a) {
    const f32v one = f32v{} + 1.0f;
    f32v x = a > one ? quotient(one, a) : a, z = x * x;
    f32v p = z * 0.00088053559f - 0.0050074121f;
    p = p * z + 0.013412822f;
    p = p * z - 0.023735906f;
    p = p * z + 0.033799323f;
    p = p * z - 0.045192994f;
    p = p * z + 0.063636105f;
    p = p * z - 0.10610235f;
    p = (p * z + 0.318309886f) * x;
    return a > one ? p : 0.5f - p;
  }
  static ALGONETS_INLINE f64v tail(f64v a) {
    const f64v one = f64v{} + 1.0;
    const auto outer = a > 2.41421356237309505, middle = a > 0.41421356237309505;
    f64v top = outer ? one : middle ? one - a : -a;
    f64v bottom = outer ? a : middle ? one + a : one;
    f64v base = outer ? f64v{} : middle ? f64v{} + 0.25 : f64v{} + 0.5;
    return base + atan_small(top / bottom) * (1 / kPi);
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    using S = decltype(a[0] + 0);
    t = tail(a);
    f = quotient(V{} + S(1 / kPi), 1 + a * a);
  }
};
struct Reciprocal {
  template <class V> static ALGONETS_INLINE V tail(V a) { return quotient(V{} + decltype(a[0] + 0)(0.5), 1 + a); }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    t = tail(a);
    f = 2 * t * t;
  }
};
struct Optimal {
  template <class V> static ALGONETS_INLINE V tail(V a) {
    using S = decltype(a[0] + 0);
    V far = quotient(V{} + S(0.0625), vmax(a, V{} + S(0.25)));
    return a <= S(0.25) ? S(0.5) - a : far;
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    using S = decltype(a[0] + 0);
    V far = quotient(V{} + S(0.0625), vmax(a, V{} + S(0.25)));
    t = a <= S(0.25) ? S(0.5) - a : far;
    f = 16 * far * far;
  }
};
struct Laplace {
  template <class V> static ALGONETS_INLINE V tail(V a) { return vexp(-a) * decltype(a[0] + 0)(0.5); }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) { f = t = tail(a); }
};
struct Uniform {
  template <class V> static ALGONETS_INLINE V tail(V a) {
    using S = decltype(a[0] + 0);
    return a < S(1) ? S(0.5) * (1 - a) : V{};
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    using S = decltype(a[0] + 0);
    t = tail(a);
    f = a <= S(1) ? V{} + S(0.5) : V{};
  }
};
struct CubicHermite {
  template <class V> static ALGONETS_INLINE V tail(V a) {
    using S = decltype(a[0] + 0);
    V y = a < S(1) ? S(0.5) * (1 - a) : V{};
    return y * y * (3 - 2 * y);
  }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    using S = decltype(a[0] + 0);
    t = tail(a);
    f = a < S(1) ? S(0.75) * (1 - a) * (1 + a) : V{};
  }
};
struct Gudermannian {
  template <class V> static ALGONETS_INLINE V arc(V e) {
    using S = decltype(e[0] + 0);
    const auto high = e > S(0.41421356237309505);
    V t = high ? quotient(e - 1, e + 1) : e;
    return (high ? V{} + S(0.5) : V{}) + atan_small(t) * S(2 / kPi);
  }
  template <class V> static ALGONETS_INLINE V tail(V a) { return arc(vexp(-a)); }
  template <class V> static ALGONETS_INLINE void both(V a, V& t, V& f) {
    V e = vexp(-a);
    t = arc(e);
    f = quotient(decltype(a[0] + 0)(2 / kPi) * e, 1 + e * e);
  }
};

// The bound of |u| keeps squares from overflow; beyond it the tail is 0 to rounding, and the density counts as 0.
template <class C> constexpr C kFar = C(1e18);
template <> constexpr double kFar<double> = 1e150;

// What a comparator needs of its law at the difference d >= 0, `inv` being 1 / scale.
template <class L, class C> struct Comparator {
  using V = Vec<C>;
  static ALGONETS_INLINE V tail(V d, V inv, C) { return L::tail(vmin(d * inv, splat<C>(kFar<C>))); }
  // slope = d alpha / d d, pull = -scale d alpha / d scale.
  static ALGONETS_INLINE void both(V d, V inv, C, V& t, V& slope, V& pull) {
    V a = d * inv, f;
    const auto far = a > kFar<C>;
    a = vmin(a, splat<C>(kFar<C>));
    L::both(a, t, f);
    f = far ? V{} : f;
    slope = f * inv;
    pull = a * f;
  }
};

// phi(d) = d / (|d| + 1e-10)^power tempers large differences: alpha = logistic(phi(d) / scale).
struct LogisticART {};
template <class C> struct Comparator<LogisticART, C> {
  using V = Vec<C>;
  static ALGONETS_INLINE V shrink(V h, C power) { return vexp(vlog(h + C(1e-10)) * -power); }
  static ALGONETS_INLINE V tail(V d, V inv, C power) {
    V a = d * shrink(d, power) * inv;
    return Logistic::tail(vmin(a, splat<C>(kFar<C>)));
  }
  static ALGONETS_INLINE void both(V d, V inv, C power, V& t, V& slope, V& pull) {
    V s = shrink(d, power), a = d * s * inv, f;
    a = vmin(a, splat<C>(kFar<C>));
    Logistic::both(a, t, f);
    slope = f * inv * s * (1 - power * d / (d + C(1e-10)));
    pull = a * f;
  }
};

}  // namespace
