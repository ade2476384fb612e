// Rows of scores, the certificate that the scaled recursion cannot underflow, transitions in probability space.
#pragma once

#include "../chain.h"
#include "../simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

using std::int64_t;
using std::int8_t;

template <class C> constexpr C range_limit();  // half of the exponent range: see FINDINGS on silent underflow
template <> constexpr float range_limit<float>() { return 60; }
template <> constexpr double range_limit<double>() { return 600; }

template <class In> ALGONETS_INLINE const In* transition_at(const Chain<In>& c, int64_t b, int64_t t) {
  return c.transition + b * c.transition_b + t * c.transition_t;
}
template <class In> ALGONETS_INLINE bool is_shared(const Chain<In>& c) { return !c.transition_b && !c.transition_t; }

// Copy a row of n scores into `out`, padded with -inf. `room` is how many entries may be read at `row`.
template <class In, class C> ALGONETS_INLINE void copy_row(const In* row, int64_t n, int64_t room, C* out) {
  constexpr int N = Simd<C>::N;
  int64_t s = 0;
  for (; s + N <= n; s += N) store<C>(out + s, Convert<In, C>::load(row + s));
  if (s == n) return;
  if (s + N <= room) {
    const Vec<C> lane = load<C>(kLanes<C>.value);
    store<C>(out + s, lane < splat<C>(C(n - s)) ? Convert<In, C>::load(row + s) : splat<C>(minus_inf<C>()));
    return;
  }
  for (int64_t j = s; j < s + N; ++j) out[j] = j < n ? C(row[j]) : minus_inf<C>();
}

// The scores u_t of sequence b, start and end included, padded with -inf.
template <class In, class C> ALGONETS_INLINE void scores(const Chain<In>& c, int64_t b, int64_t t, C* out) {
  const int64_t S = c.states, offset = (b * c.steps + t) * S;
  copy_row<In, C>(c.unary + offset, S, c.batch * c.steps * S - offset, out);
  if (t == 0 && c.start)
    for (int64_t s = 0; s < S; ++s) out[s] += C(c.start[b * c.start_b + s]);
  if (t == c.lengths[b] - 1 && c.end)
    for (int64_t s = 0; s < S; ++s) out[s] += C(c.end[b * c.end_b + s]);
}

template <class C> ALGONETS_INLINE C row_max(const C* row, int64_t Sp) {
  Vec<C> m = load<C>(row);
  for (int64_t s = Simd<C>::N; s < Sp; s += Simd<C>::N) m = vmax(m, load<C>(row + s));
  return hmax(m);
}

// out = exp(row - max); returns max, or -inf (and out = 0) where the whole row is forbidden.
template <class C> ALGONETS_INLINE C exp_row(const C* row, int64_t Sp, C* out) {
  const C m = row_max<C>(row, Sp), shift = m == minus_inf<C>() ? C(0) : m;
  for (int64_t s = 0; s < Sp; s += Simd<C>::N) store<C>(out + s, vexp(load<C>(row + s) - shift));
  return m;
}

// Range (max - min) over the finite entries of n contiguous scores; `holes` tells of any -inf.
template <class In> double finite_range(const In* x, int64_t n, bool* holes) {
  In low = std::numeric_limits<In>::infinity(), high = -low;
  bool hole = false;
  for (int64_t i = 0; i < n; ++i) {
    const In v = x[i];
    hole |= v == minus_inf<In>();
    low = v != minus_inf<In>() && v < low ? v : low;
    high = v > high ? v : high;
  }
  *holes = hole;
  return high >= low ? double(high) - double(low) : 0;
}

template <class In> void certify(const Chain<In>& c, int64_t begin, int64_t end, int8_t* mode) {
  constexpr int N = Simd<In>::N;
  const int64_t S = c.states, Sp = padded<In>(S);
  Scratch<In> row(Sp);
  bool holes = false;
  double shared_range = is_shared(c) && c.steps > 1 ? finite_range<In>(c.transition, S * S, &holes) : 0;
  const bool shared_holes = holes;
  for (int64_t b = begin; b < end; ++b) {
    double range = 0;
    const int64_t L = c.lengths[b];
    for (int64_t t = 0; t < L; ++t) {
      scores<In, In>(c, b, t, row.data);
      Vec<In> high = splat<In>(minus_inf<In>()), low = -high;
      for (int64_t s = 0; s < Sp; s += N) {
        const Vec<In> v = load<In>(row + s);
        high = vmax(high, v);
        low = vmin(low, v == splat<In>(minus_inf<In>()) ? -v : v);
      }
      const double r = double(hmax(high)) + double(hmax(-low));
      range = r > range ? r : range;
    }
    double pair_range = shared_range;
    holes = shared_holes;
    if (!is_shared(c)) {
      const int64_t different = c.transition_t ? L - 1 : (L > 1);
      for (int64_t t = 0; t < different && !holes; ++t) {
        const double r = finite_range<In>(transition_at(c, b, t), S * S, &holes);
        pair_range = r > pair_range ? r : pair_range;
      }
    }
    if (L == 1) { pair_range = 0; holes = false; }
    if (holes || !(range + pair_range <= range_limit<double>())) mode[b] = kLogSpace;
    else mode[b] = range + pair_range <= range_limit<In>() ? kScaled : kScaledDouble;
  }
}

template <class In, class C> void exp_matrix(const In* from, int64_t S, C shift, C* out, C* transposed) {
  const int64_t Sp = padded<C>(S);
  for (int64_t i = 0; i < S; ++i) {
    copy_row<In, C>(from + i * S, S, (S - i) * S, out + i * Sp);
    for (int64_t j = 0; j < Sp; j += Simd<C>::N) store<C>(out + i * Sp + j, vexp(load<C>(out + i * Sp + j) - shift));
  }
  if (!transposed) return;
  for (int64_t j = 0; j < S; ++j) {
    for (int64_t i = 0; i < S; ++i) transposed[j * Sp + i] = out[i * Sp + j];
    for (int64_t i = S; i < Sp; ++i) transposed[j * Sp + i] = 0;
  }
}

template <class In> double matrix_max(const In* x, int64_t n) {
  In m = minus_inf<In>();
  for (int64_t i = 0; i < n; ++i) m = x[i] > m ? x[i] : m;
  return double(m);
}

template <class In> int64_t shared_size(int64_t S, bool wide) { return S * (wide ? padded<double>(S) : padded<In>(S)); }
template <class In> void share(const Chain<In>& c, void* out, void* transposed, double shift, bool wide) {
  if (wide) exp_matrix<In, double>(c.transition, c.states, shift, (double*)out, (double*)transposed);
  else exp_matrix<In, In>(c.transition, c.states, In(shift), (In*)out, (In*)transposed);
}

// Gives exp(transition) of a step, whatever is shared; recomputes only what changes.
template <class In, class C> struct Factors {
  const Chain<In>& chain;
  const int64_t Sp;
  Scratch<C> own, own_transposed;
  const C *E = nullptr, *ET = nullptr;
  double shift = 0;
  int64_t at_b = -1, at_t = -1;

  Factors(const Chain<In>& c, const ChainShared& shared, bool wide)
      : chain(c), Sp(padded<C>(c.states)), own(is_shared(c) ? 0 : c.states * Sp), own_transposed(is_shared(c) ? 0 : c.states * Sp) {
    if (is_shared(c)) {
      E = static_cast<const C*>(wide ? shared.wide : shared.scaled);
      ET = static_cast<const C*>(wide ? shared.wide_transposed : shared.scaled_transposed);
      shift = shared.shift;
    }
  }
  // Between steps t and t + 1 of sequence b.
  void at(int64_t b, int64_t t) {
    if (is_shared(chain) || (b == at_b && (t == at_t || !chain.transition_t))) return;
    const In* matrix = transition_at(chain, b, t);
    shift = matrix_max(matrix, chain.states * chain.states);
    exp_matrix<In, C>(matrix, chain.states, C(shift), own.data, own_transposed.data);
    E = own.data;
    ET = own_transposed.data;
    at_b = b;
    at_t = t;
  }
};

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
