// A few more functions of vectors.
#pragma once

#include "../simd.h"

namespace {

template <class V> using Lane = decltype(V{}[0] + 0);

// A function of one number, lane by lane.
template <class V, class Function> ALGONETS_INLINE V by_lane(V x, Function function) {
  V y = x;
  for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i) y[i] = function(x[i]);
  return y;
}

ALGONETS_INLINE f32v vsqrt(f32v x) {
#if defined(__AVX512F__)
  return (f32v)_mm512_maskz_sqrt_ps(0xFFFF, (__m512)x);
#elif defined(__AVX2__)
  return (f32v)_mm256_sqrt_ps((__m256)x);
#else
  return by_lane(x, [](float v) { return std::sqrt(v); });
#endif
}
ALGONETS_INLINE f64v vsqrt(f64v x) {
#if defined(__AVX512F__)
  return (f64v)_mm512_maskz_sqrt_pd(0xFF, (__m512d)x);
#elif defined(__AVX2__)
  return (f64v)_mm256_sqrt_pd((__m256d)x);
#else
  return by_lane(x, [](double v) { return std::sqrt(v); });
#endif
}

// exp(x) - 1, by its series where |x| is small.
template <class V> ALGONETS_INLINE V vexpm1(V x) {
  using S = Lane<V>;
  constexpr int terms = sizeof(S) == 4 ? 8 : 14;
  V p = V{} + S(1);
  for (int k = terms; k >= 2; --k) p = p * x * (S(1) / S(k)) + S(1);
  return vabs(x) < S(0.35) ? p * x : vexp(x) - S(1);
}

// log(1 + x) for x >= 0.
template <class V> ALGONETS_INLINE V vlog1p(V x) {
  using S = Lane<V>;
  return x < S(0.5) ? -vlog_minus(vmin(x, V{} + S(0.5)) / (S(1) + x)) : vlog(S(1) + x);
}

template <class V> ALGONETS_INLINE V positive(V x) { return vmax(x, V{} + std::numeric_limits<Lane<V>>::min()); }

// x^p for x >= 0, p > 0; 0 for what is below the normal numbers.
template <class V> ALGONETS_INLINE V vpow(V x, Lane<V> p) {
  using S = Lane<V>;
  if (p == S(1)) return x;
  if (p == S(2)) return x * x;
  return x >= std::numeric_limits<S>::min() ? vexp(p * vlog(positive(x))) : V{};
}
// The same for p of any sign, but 0 at 0 unless p is 0 (where the true value may be infinite).
template <class V> ALGONETS_INLINE V vpow_or_zero(V x, Lane<V> p) {
  using S = Lane<V>;
  if (p == S(0)) return V{} + S(1);
  return vpow(x, p);
}

}  // namespace
