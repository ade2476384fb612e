// Soft-DTW (Cuturi & Blondel 2017), examples in the lanes of vectors.
//
// r[i][j] = d[i][j] + softmin(r[i-1][j-1], r[i-1][j], r[i][j-1]) by rows, of which two are kept. Where the expected
// path is wanted the probabilities of the diagonal and of the upper predecessor are stored, so that the backward sweep
// needs no exponential; that of the left one is what is left of 1, so that no mass is lost to rounding.

#include "soft_dtw.h"

#include <cstring>

#include "simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

using std::int64_t;

constexpr int N = Simd<double>::N;
constexpr int64_t kTile = 16;
constexpr double kInf = std::numeric_limits<double>::infinity();

ALGONETS_INLINE void narrow(double* p, f64v v) { store<double>(p, v); }
ALGONETS_INLINE void narrow(float* p, f64v v) { *reinterpret_cast<f32h*>(p) = __builtin_convertvector(v, f32h); }

// Stands for the probability of the upper predecessor where the left one is impossible: then it is what is left of 1,
// and rounding lets nothing through to the left.
constexpr double kNoLeft = 2;
ALGONETS_INLINE f64v of_upper(f64v p, f64v q) { return q == kNoLeft ? 1.0 - p : q; }
ALGONETS_INLINE f64v of_left(f64v p, f64v q) { return q == kNoLeft ? f64v{} : vmax(1.0 - p - q, f64v{}); }

template <bool Hard> ALGONETS_INLINE f64v step(f64v x, f64v a, f64v u, f64v l, f64v* p, f64v* q) {
  const f64v m = vmin(vmin(a, u), l);
  const f64v one = splat<double>(1);
  if (Hard) {  // of equal predecessors the diagonal, then the upper one
    *p = a == m ? one : f64v{};
    *q = a == m ? f64v{} : (u == m ? one : f64v{});
    return m == kInf ? m : x + m;
  }
  const f64v safe = m == kInf ? f64v{} : m;
  const f64v ea = vexp(safe - a), eu = vexp(safe - u), el = vexp(safe - l);
  const f64v sum = m == kInf ? one : ea + eu + el, inverse = one / sum;
  *p = ea * inverse;
  *q = l == kInf ? splat<double>(kNoLeft) : eu * inverse;
  return m == kInf ? m : x + safe - vlog(sum);
}

template <class In, int K, bool Hard> struct Sweep {
  static constexpr int L = K * N;
  const SoftDtw<In>& c;
  int64_t begin, used, longest = 0, widest = 0;
  int64_t rows[L], columns[L];
  double scale;
  Scratch<double> x;

  Sweep(const SoftDtw<In>& c, int64_t begin, int64_t end)
      : c(c), begin(begin), used(end - begin), scale(Hard ? 1 : 1 / c.temperature), x(c.m * L) {
    for (int l = 0; l < L; ++l) {
      const int64_t b = example(l);
      rows[l] = c.rows[b];
      columns[l] = c.columns[b];
      longest = rows[l] > longest ? rows[l] : longest;
      widest = columns[l] > widest ? columns[l] : widest;
    }
  }
  int64_t example(int l) const { return begin + (l < used ? l : used - 1); }  // spare lanes repeat the last

  void load_row(int64_t i) {
    for (int64_t start = 0; start < widest; start += kTile)  // tiles that stay in the first cache
      for (int l = 0; l < L; ++l) {
        const In* row = c.distances + (example(l) * c.n + i) * c.m;
        const int64_t stop = start + kTile < widest ? start + kTile : widest;
        for (int64_t j = start; j < stop; ++j) x[j * L + l] = double(row[j]) * scale;
      }
  }

  // `kept`: where the probabilities of a row go, or null.
  void forward(In* kept) {
    Scratch<double> one(L * (widest + 1)), two(L * (widest + 1));
    double *before = one.data, *now = two.data;
    for (int64_t k = 0; k < L * (widest + 1); ++k) before[k] = k < L ? 0 : kInf;
    for (int64_t i = 0; i < longest; ++i) {
      load_row(i);
      for (int k = 0; k < L; ++k) now[k] = kInf;
      f64v p, q;
      for (int64_t j = 0; j < widest; ++j)
        for (int k = 0; k < L; k += N) {
          const double *above = before + j * L + k, *here = now + j * L + k;
          const f64v r = step<Hard>(load<double>(x + j * L + k), load<double>(above), load<double>(above + L), load<double>(here), &p, &q);
          store<double>(now + (j + 1) * L + k, r);
          if (kept) {
            narrow(kept + 2 * ((i * widest + j) * L + k), p);
            narrow(kept + 2 * ((i * widest + j) * L + k) + N, q);
          }
        }
      for (int l = 0; l < used; ++l)
        if (i == rows[l] - 1) c.value[begin + l] = In(now[columns[l] * L + l] / scale);
      double* t = before;
      before = now;
      now = t;
    }
  }

  void backward(const In* kept) {
    Scratch<double> one(L * (widest + 1)), two(L * (widest + 1)), goal(L * widest);
    double *after = one.data, *now = two.data;
    std::memset(after, 0, sizeof(double) * L * (widest + 1));
    std::memset(goal.data, 0, sizeof(double) * L * widest);
    const f64v zero = {};
    for (int64_t i = longest - 1; i >= 0; --i) {
      bool any = false;
      for (int l = 0; l < used; ++l)
        if (i == rows[l] - 1 && c.value[begin + l] != In(kInf)) goal[(columns[l] - 1) * L + l] = any = true;
      for (int k = 0; k < L; ++k) now[widest * L + k] = 0;
      const In* row = kept + 2 * i * widest * L;
      const In* below = row + 2 * widest * L;
      const bool last = i == longest - 1;
      for (int64_t j = widest - 1; j >= 0; --j)
        for (int k = 0; k < L; k += N) {
          f64v e = any ? load<double>(goal + j * L + k) : zero;
          if (j + 1 < widest) {
            const In* right = row + 2 * ((j + 1) * L + k);
            e += load<double>(now + (j + 1) * L + k) * of_left(Convert<In, double>::load(right), Convert<In, double>::load(right + N));
            if (!last) e += load<double>(after + (j + 1) * L + k) * Convert<In, double>::load(below + 2 * ((j + 1) * L + k));
          }
          if (!last) {
            const In* under = below + 2 * (j * L + k);
            e += load<double>(after + j * L + k) * of_upper(Convert<In, double>::load(under), Convert<In, double>::load(under + N));
          }
          store<double>(now + j * L + k, e);
        }
      for (int64_t start = 0; start < widest; start += kTile)
        for (int l = 0; l < used; ++l) {
          In* out = c.alignment + ((begin + l) * c.n + i) * c.m;
          const int64_t stop = start + kTile < columns[l] ? start + kTile : columns[l];
          for (int64_t j = start; j < stop; ++j) out[j] = In(now[j * L + l]);
        }
      for (int l = 0; l < used; ++l)
        if (i == rows[l] - 1) goal[(columns[l] - 1) * L + l] = 0;
      double* t = after;
      after = now;
      now = t;
    }
  }
};

template <class In, int K, bool Hard> void sweep(const SoftDtw<In>& c, int64_t begin, int64_t end) {
  Sweep<In, K, Hard> s(c, begin, end);
  Scratch<In> kept(c.alignment ? 2 * s.longest * s.widest * Sweep<In, K, Hard>::L : 0);
  s.forward(c.alignment ? kept.data : nullptr);
  if (c.alignment) s.backward(kept.data);
}

constexpr int kWide = 4;

template <class In> void run(const SoftDtw<In>& c, int64_t begin, int64_t end) {
  const FlushDenormals flush;
  const bool hard = c.temperature == 0, wide = end - begin > N;
  if (wide) hard ? sweep<In, kWide, true>(c, begin, end) : sweep<In, kWide, false>(c, begin, end);
  else hard ? sweep<In, 1, true>(c, begin, end) : sweep<In, 1, false>(c, begin, end);
}

}  // namespace

extern const SoftDtwKernels<float> soft_dtw_float;
extern const SoftDtwKernels<double> soft_dtw_double;
const SoftDtwKernels<float> soft_dtw_float = {kWide * N, run<float>};
const SoftDtwKernels<double> soft_dtw_double = {kWide * N, run<double>};

}  // namespace ALGONETS_ISA
}  // namespace algonets
