// Vectors of float or double as wide as the instruction set has them, with the few functions the kernels need.
// Everything is in an unnamed namespace: this file is compiled once per instruction set.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

#define ALGONETS_INLINE inline __attribute__((always_inline))

#if defined(__AVX512F__)
#define ALGONETS_BYTES 64
#elif defined(__AVX2__)
#define ALGONETS_BYTES 32
#else
#define ALGONETS_BYTES 16
#endif

typedef float f32v __attribute__((vector_size(ALGONETS_BYTES)));
typedef double f64v __attribute__((vector_size(ALGONETS_BYTES)));
typedef std::int32_t i32v __attribute__((vector_size(ALGONETS_BYTES)));
typedef std::int64_t i64v __attribute__((vector_size(ALGONETS_BYTES)));
typedef float f32u __attribute__((vector_size(ALGONETS_BYTES), aligned(4), may_alias));
typedef double f64u __attribute__((vector_size(ALGONETS_BYTES), aligned(8), may_alias));
typedef float f32h __attribute__((vector_size(ALGONETS_BYTES / 2), aligned(4), may_alias));  // floats to widen

template <class C> struct Simd;
template <> struct Simd<float> {
  using V = f32v;
  using U = f32u;
  static constexpr int N = ALGONETS_BYTES / 4;
};
template <> struct Simd<double> {
  using V = f64v;
  using U = f64u;
  static constexpr int N = ALGONETS_BYTES / 8;
};

template <class C> using Vec = typename Simd<C>::V;

template <class C> constexpr C minus_inf() { return -std::numeric_limits<C>::infinity(); }

template <class C> ALGONETS_INLINE Vec<C> load(const C* p) { return *reinterpret_cast<const typename Simd<C>::U*>(p); }
template <class C> ALGONETS_INLINE void store(C* p, Vec<C> v) { *reinterpret_cast<typename Simd<C>::U*>(p) = v; }
template <class C> ALGONETS_INLINE Vec<C> splat(C x) { return Vec<C>{} + x; }

// Load In and convert to C.
template <class In, class C> struct Convert {
  static ALGONETS_INLINE Vec<C> load(const In* p) { return ::load<C>(p); }
};
template <> struct Convert<float, double> {
  static ALGONETS_INLINE f64v load(const float* p) {
    return __builtin_convertvector(*reinterpret_cast<const f32h*>(p), f64v);
  }
};

// The second operand where either is NaN. One instruction on x86, which the compiler does not see in the plain form
// (with a mask of all lanes: GCC 12 warns of its own header otherwise).
template <class V> ALGONETS_INLINE V vmax(V a, V b) { return a > b ? a : b; }
template <class V> ALGONETS_INLINE V vmin(V a, V b) { return a < b ? a : b; }
#if defined(__AVX512F__)
template <> ALGONETS_INLINE f32v vmax(f32v a, f32v b) { return (f32v)_mm512_maskz_max_ps(0xFFFF, (__m512)a, (__m512)b); }
template <> ALGONETS_INLINE f32v vmin(f32v a, f32v b) { return (f32v)_mm512_maskz_min_ps(0xFFFF, (__m512)a, (__m512)b); }
template <> ALGONETS_INLINE f64v vmax(f64v a, f64v b) { return (f64v)_mm512_maskz_max_pd(0xFF, (__m512d)a, (__m512d)b); }
template <> ALGONETS_INLINE f64v vmin(f64v a, f64v b) { return (f64v)_mm512_maskz_min_pd(0xFF, (__m512d)a, (__m512d)b); }
#elif defined(__AVX2__)
template <> ALGONETS_INLINE f32v vmax(f32v a, f32v b) { return (f32v)_mm256_max_ps((__m256)a, (__m256)b); }
template <> ALGONETS_INLINE f32v vmin(f32v a, f32v b) { return (f32v)_mm256_min_ps((__m256)a, (__m256)b); }
template <> ALGONETS_INLINE f64v vmax(f64v a, f64v b) { return (f64v)_mm256_max_pd((__m256d)a, (__m256d)b); }
template <> ALGONETS_INLINE f64v vmin(f64v a, f64v b) { return (f64v)_mm256_min_pd((__m256d)a, (__m256d)b); }
#endif

ALGONETS_INLINE f32v vabs(f32v v) { return (f32v)((i32v)v & 0x7FFFFFFF); }
ALGONETS_INLINE f64v vabs(f64v v) { return (f64v)((i64v)v & 0x7FFFFFFFFFFFFFFFLL); }

// a / b for b within 1e+-37. In AVX-512 the float division is slow: an estimate and one Newton step, to about 2 ulp.
ALGONETS_INLINE f64v quotient(f64v a, f64v b) { return a / b; }
ALGONETS_INLINE f32v quotient(f32v a, f32v b) {
#if defined(__AVX512F__)
  f32v r = (f32v)_mm512_maskz_rcp14_ps(0xFFFF, (__m512)b);
  r = r * (2.0f - b * r);
  return a * r;
#else
  return a / b;
#endif
}

template <class S> ALGONETS_INLINE S smax(S a, S b) { return a > b ? a : b; }

// Fold the lanes by halves down to four, then by hand.
#if ALGONETS_BYTES == 64
#define ALGONETS_FOLD(v, op, last)                                                                                     \
  auto h = op(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)); \
  auto q = op(__builtin_shufflevector(h, h, 0, 1, 2, 3), __builtin_shufflevector(h, h, 4, 5, 6, 7));                   \
  return last(last(q[0], q[1]), last(q[2], q[3]))
#define ALGONETS_FOLD_WIDE(v, op, last)                                                                                \
  auto q = op(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7));                   \
  return last(last(q[0], q[1]), last(q[2], q[3]))
#elif ALGONETS_BYTES == 32
#define ALGONETS_FOLD(v, op, last)                                                                                     \
  auto q = op(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7));                   \
  return last(last(q[0], q[1]), last(q[2], q[3]))
#define ALGONETS_FOLD_WIDE(v, op, last) return last(last(v[0], v[1]), last(v[2], v[3]))
#else
#define ALGONETS_FOLD(v, op, last) return last(last(v[0], v[1]), last(v[2], v[3]))
#define ALGONETS_FOLD_WIDE(v, op, last) return last(v[0], v[1])
#endif
template <class V> ALGONETS_INLINE V plus(V a, V b) { return a + b; }

ALGONETS_INLINE float hsum(f32v v) { ALGONETS_FOLD(v, plus, plus); }
ALGONETS_INLINE double hsum(f64v v) { ALGONETS_FOLD_WIDE(v, plus, plus); }
ALGONETS_INLINE float hmax(f32v v) { ALGONETS_FOLD(v, vmax, smax); }
ALGONETS_INLINE double hmax(f64v v) { ALGONETS_FOLD_WIDE(v, vmax, smax); }

// The lane numbers 0, 1, 2, ...
template <class C> struct Lanes {
  alignas(64) C value[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};
template <class C> constexpr Lanes<C> kLanes{};

// exp(x) for x <= 88: Cody-Waite reduction, Taylor polynomial on |r| <= ln(2)/2; exactly 0 below -87 and at -inf.
ALGONETS_INLINE f32v vexp(f32v x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  f32v t = x * 1.44269504088896341f + magic;
  f32v n = t - magic;
  f32v r = x - n * 0.693145751953125f - n * 1.42860682030941723e-6f;
  f32v p = r * (1.0f / 5040) + (1.0f / 720);
  p = p * r + (1.0f / 120);
  p = p * r + (1.0f / 24);
  p = p * r + (1.0f / 6);
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  i32v bits = ((i32v)t - 0x4B400000 + 127) << 23;
  return x < splat<float>(-87.0f) ? f32v{} : p * (f32v)bits;
}
// The same for x <= 709; exactly 0 below -708 and at -inf.
ALGONETS_INLINE f64v vexp(f64v x) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52
  f64v t = x * 1.4426950408889634074 + magic;
  f64v n = t - magic;
  f64v r = x - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10;
  f64v p = r * (1.0 / 6227020800.0) + (1.0 / 479001600.0);
  p = p * r + (1.0 / 39916800.0);
  p = p * r + (1.0 / 3628800.0);
  p = p * r + (1.0 / 362880.0);
  p = p * r + (1.0 / 40320.0);
  p = p * r + (1.0 / 5040.0);
  p = p * r + (1.0 / 720.0);
  p = p * r + (1.0 / 120.0);
  p = p * r + (1.0 / 24.0);
  p = p * r + (1.0 / 6.0);
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  i64v bits = ((i64v)t - 0x4338000000000000LL + 1023) << 52;
  return x < splat<double>(-708.0) ? f64v{} : p * (f64v)bits;
}

// log of (1 + f) 2^e for 1 + f in [sqrt(1/2), sqrt(2)]: 2 artanh(s) by its series in s = f / (2 + f), |s| < 0.172.
ALGONETS_INLINE f32v log_of_parts(f32v f, f32v e) {
  f32v s = f / (f + 2.0f), z = s * s;
  f32v p = z * (2.0f / 9) + 2.0f / 7;
  p = p * z + 2.0f / 5;
  p = p * z + 2.0f / 3;
  return e * 0.693145751953125f + (e * 1.42860682030941723e-6f + (s * z * p + 2.0f * s));
}
ALGONETS_INLINE f64v log_of_parts(f64v f, f64v e) {
  f64v s = f / (f + 2.0), z = s * s;
  f64v p = z * (2.0 / 21) + 2.0 / 19;
  p = p * z + 2.0 / 17;
  p = p * z + 2.0 / 15;
  p = p * z + 2.0 / 13;
  p = p * z + 2.0 / 11;
  p = p * z + 2.0 / 9;
  p = p * z + 2.0 / 7;
  p = p * z + 2.0 / 5;
  p = p * z + 2.0 / 3;
  return e * 0.693147180369123816490 + (e * 1.90821492927058770002e-10 + (s * z * p + 2.0 * s));
}
// x = (1 + f) 2^e for a positive normal x. Subtracting the bits of sqrt(1/2) puts the cut between exponents there.
ALGONETS_INLINE void log_parts(f32v x, f32v& f, f32v& e) {
  i32v bits = (i32v)x - 0x3F3504F3, whole = bits >> 23;
  e = __builtin_convertvector(whole, f32v);
  f = (f32v)((bits & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
}
ALGONETS_INLINE void log_parts(f64v x, f64v& f, f64v& e) {
  i64v bits = (i64v)x - 0x3FE6A09E667F3BCDLL, whole = bits >> 52;
  // The exponent as a double by way of its bits: there is no such conversion below AVX-512.
  e = (f64v)(whole + 0x4338000000000000LL) - 6755399441055744.0;
  f = (f64v)((bits & 0x000FFFFFFFFFFFFFLL) + 0x3FE6A09E667F3BCDLL) - 1.0;
}
// log(x) for positive normal x, to a few ulp.
template <class V> ALGONETS_INLINE V vlog(V x) {
  V f, e;
  log_parts(x, f, e);
  return log_of_parts(f, e);
}
// log(1 - p) for 0 <= p <= 1, also accurate for small p; below -80 at p = 1.
template <class V> ALGONETS_INLINE V vlog_minus(V p) {
  using S = decltype(p[0] + 0);
  V f, e, q = 1 - p;
  log_parts(q > S(0) ? q : V{} + std::numeric_limits<S>::min(), f, e);
  // Near 1 the rounding of 1 - p is undone: f is -p itself.
  return log_of_parts(e == S(0) ? -p : f, e);
}

// In its scope denormal numbers count as 0 (x86): each operation on one would cost about a hundred cycles.
class FlushDenormals {
#if defined(__SSE2__)
  unsigned before = __builtin_ia32_stmxcsr();

 public:
  FlushDenormals() { __builtin_ia32_ldmxcsr(before | 0x8040); }
  ~FlushDenormals() { __builtin_ia32_ldmxcsr(before); }
#else
 public:
  FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

// Scratch memory, aligned to a vector, freed at the end of the scope.
template <class C> struct Scratch {
  C* data;
  explicit Scratch(std::int64_t n) {
    const std::size_t bytes = (static_cast<std::size_t>(n > 0 ? n : 1) * sizeof(C) + 63) / 64 * 64;
    data = static_cast<C*>(std::aligned_alloc(64, bytes));
    if (!data) throw std::bad_alloc();
  }
  ~Scratch() { std::free(data); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  C* operator+(std::int64_t i) const { return data + i; }
  C& operator[](std::int64_t i) const { return data[i]; }
};

template <class C> constexpr std::int64_t padded(std::int64_t n) {
  return (n + Simd<C>::N - 1) / Simd<C>::N * Simd<C>::N;
}

}  // namespace
