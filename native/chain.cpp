// Kernels of the linear chain: log-partition, its gradient (all marginals), Viterbi, sampling.
//
// The scaled recursion. With x_t = exp(u_t - max u_t) and E = exp(transition - max), the forward messages
//     q_t = (a_{t-1} E) * x_t,   z_t = sum q_t,   a_t = q_t / z_t
// are one vector-matrix product a step; log Z = sum_t log z_t + shifts. The backward messages are
//     w_t = b_t * x_t / z_t,   b_{t-1} = E w_t,   marginals a_t * b_t,   pairs a_{t-1,i} E_ij w_{t,j}.
// A block of kChainRows sequences shares each load of E. The gradient recomputes the forward messages in
// scratch that stays in cache, so nothing is kept between the two passes. A shared transition gradient is
// E * (A^T W), accumulated as a matrix product over kFlush (sequence, step) rows at a time.
//
// The scaled form can underflow silently. `certify` bounds every ratio of messages by the ranges of the
// scores; a sequence without the certificate runs in double, and beyond that in log space, alone.

#include "chain.h"

#include "simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

using std::int64_t;
using std::int8_t;

constexpr int kRows = kChainRows;
constexpr int kFlush = 64;
constexpr int kTile = ALGONETS_BYTES == 64 ? 4 : 2;  // vectors of columns a register tile holds

template <class C> constexpr C range_limit();  // half of the exponent range: see FINDINGS on silent underflow
template <> constexpr float range_limit<float>() { return 60; }
template <> constexpr double range_limit<double>() { return 600; }

template <class In> ALGONETS_INLINE const In* transition_at(const Chain<In>& c, int64_t b, int64_t t) {
  return c.transition + b * c.transition_b + t * c.transition_t;
}
template <class In> ALGONETS_INLINE bool is_shared(const Chain<In>& c) { return !c.transition_b && !c.transition_t; }

// ---- rows of scores ----------------------------------------------------------------------------------------

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

// ---- the certificate ---------------------------------------------------------------------------------------

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

// ---- transitions in probability space ----------------------------------------------------------------------

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

// ---- products ----------------------------------------------------------------------------------------------

// out[r][col ..] = sum_i a[r][i] M[i][col ..] for R rows and J vectors of columns, held in registers.
template <class C, int R, int J>
ALGONETS_INLINE void product_tile(const C* const* a, const C* M, int64_t S, int64_t Sp, C* const* out, int64_t col) {
  constexpr int N = Simd<C>::N;
  Vec<C> acc[R][J] = {};
  for (int64_t i = 0; i < S; ++i) {
    const C* row = M + i * Sp + col;
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec<C> e = load<C>(row + j * N);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][j] += a[r][i] * e;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) store<C>(out[r] + col + j * N, acc[r][j]);
}

template <class C, int R> inline void product(const C* const* a, const C* M, int64_t S, int64_t Sp, C* const* out) {
  constexpr int N = Simd<C>::N;
  int64_t col = 0;
  for (; col + kTile * N <= Sp; col += kTile * N) product_tile<C, R, kTile>(a, M, S, Sp, out, col);
  if (kTile > 2)
    for (; col + 2 * N <= Sp; col += 2 * N) product_tile<C, R, 2>(a, M, S, Sp, out, col);
  for (; col < Sp; col += N) product_tile<C, R, 1>(a, M, S, Sp, out, col);
}

// G[i][col ..] += sum_k a[k][i] w[k][col ..] for 4 rows i at a time.
template <class C, int R, int J>
ALGONETS_INLINE void outer_tile(const C* const* a, const C* w, int K, int64_t Sp, C* G, int64_t i, int64_t col) {
  constexpr int N = Simd<C>::N;
  Vec<C> acc[R][J];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) acc[r][j] = load<C>(G + (i + r) * Sp + col + j * N);
  for (int k = 0; k < K; ++k) {
    const C *row = w + k * Sp + col, *ak = a[k] + i;
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec<C> v = load<C>(row + j * N);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][j] += ak[r] * v;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) store<C>(G + (i + r) * Sp + col + j * N, acc[r][j]);
}

template <class C, int R> inline void outer_rows(const C* const* a, const C* w, int K, int64_t Sp, C* G, int64_t i) {
  constexpr int N = Simd<C>::N;
  int64_t col = 0;
  for (; col + kTile * N <= Sp; col += kTile * N) outer_tile<C, R, kTile>(a, w, K, Sp, G, i, col);
  if (kTile > 2)
    for (; col + 2 * N <= Sp; col += 2 * N) outer_tile<C, R, 2>(a, w, K, Sp, G, i, col);
  for (; col < Sp; col += N) outer_tile<C, R, 1>(a, w, K, Sp, G, i, col);
}

template <class C> void outer(const C* const* a, const C* w, int K, int64_t S, int64_t Sp, C* G) {
  int64_t i = 0;
  for (; i + 4 <= S; i += 4) outer_rows<C, 4>(a, w, K, Sp, G, i);
  for (; i < S; ++i) outer_rows<C, 1>(a, w, K, Sp, G, i);
}

// ---- scaled recursion --------------------------------------------------------------------------------------

// log of a long product of positive numbers without a log a factor.
struct LogProduct {
  double sum = 0, product = 1;
  ALGONETS_INLINE void times(double z) {
    product *= z;
    if (product < 1e-150 || product > 1e150) fold();
  }
  void fold() {
    sum += std::log(product);
    product = 1;
  }
  double value() {
    fold();
    return sum;
  }
};

// Forward messages of R sequences. Row t of sequence r goes to messages + (r * keep + t % keep) * Sp, and 1/z_t
// to inverse[r * keep + t % keep]; keep = 2 when only log Z is wanted, or the number of steps.
template <class In, class C, int R>
void forward(const Chain<In>& c, Factors<In, C>& factors, const int64_t* order, int64_t keep, C* messages, C* inverse, double* log_z) {
  constexpr int N = Simd<C>::N;
  const int64_t S = c.states, Sp = factors.Sp;
  Scratch<C> u(Sp), x(Sp), q(R * Sp);
  LogProduct total[R];
  double shift[R];
  C* out[R];
  int64_t longest = 0;
  for (int r = 0; r < R; ++r) {
    out[r] = q + r * Sp;
    shift[r] = 0;
    longest = c.lengths[order[r]] > longest ? c.lengths[order[r]] : longest;
  }
  for (int64_t t = 0; t < longest; ++t) {
    if (t) {
      const C* before[R];
      for (int r = 0; r < R; ++r) before[r] = messages + (r * keep + (t - 1) % keep) * Sp;
      factors.at(order[0], t - 1);
      product<C, R>(before, factors.E, S, Sp, out);
    }
    for (int r = 0; r < R; ++r) {
      C* a = messages + (r * keep + t % keep) * Sp;
      if (t >= c.lengths[order[r]]) {  // done: keep finite numbers in the rows that the product still reads
        for (int64_t s = 0; s < Sp; ++s) a[s] = 0;
        continue;
      }
      scores<In, C>(c, order[r], t, u.data);
      const C m = exp_row<C>(u.data, Sp, x.data);
      Vec<C> sum = {};
      for (int64_t s = 0; s < Sp; s += N) {
        Vec<C> v = load<C>(x + s);
        if (t) v = v * load<C>(out[r] + s);
        store<C>(a + s, v);
        sum += v;
      }
      const C z = hsum(sum), scale = z > 0 ? C(1) / z : C(0);
      inverse[r * keep + t % keep] = scale;
      for (int64_t s = 0; s < Sp; s += N) store<C>(a + s, load<C>(a + s) * scale);
      total[r].times(z > 0 ? double(z) : 1);
      shift[r] += z > 0 ? double(m) + (t ? factors.shift : 0) : -std::numeric_limits<double>::infinity();
    }
  }
  for (int r = 0; r < R; ++r) log_z[r] = total[r].value() + shift[r];
}

template <class In, class C, int R>
void scaled_log_partition(const Chain<In>& c, const ChainShared& shared, ChainBlock block, bool wide, In* out) {
  Factors<In, C> factors(c, shared, wide);
  Scratch<C> messages(R * 2 * factors.Sp), inverse(R * 2);
  double log_z[R];
  forward<In, C, R>(c, factors, block.order, 2, messages.data, inverse.data, log_z);
  for (int r = 0; r < R; ++r) out[block.order[r]] = In(log_z[r]);
}

template <class In, class C, int R>
void scaled_gradient(const Chain<In>& c, const ChainShared& shared, ChainBlock block, bool wide, const ChainGradient<In>& grad, double* accumulator) {
  constexpr int N = Simd<C>::N;
  const int64_t S = c.states;
  Factors<In, C> factors(c, shared, wide);
  const int64_t Sp = factors.Sp;
  int64_t longest = 1;
  for (int r = 0; r < R; ++r) longest = c.lengths[block.order[r]] > longest ? c.lengths[block.order[r]] : longest;
  Scratch<C> messages(R * longest * Sp), inverse(R * longest), beta(R * Sp), u(Sp), x(Sp), w(R * Sp), kept(kFlush * Sp);
  const bool per_step = grad.transition && grad.transition_t, summed = !per_step && (accumulator || grad.transition);
  Scratch<C> G(summed ? S * Sp : 0);
  for (int64_t i = 0; summed && i < S * Sp; ++i) G[i] = 0;
  double log_z[R];
  forward<In, C, R>(c, factors, block.order, longest, messages.data, inverse.data, log_z);
  bool feasible[R];
  for (int r = 0; r < R; ++r) feasible[r] = log_z[r] > -std::numeric_limits<double>::infinity();

  const C* earlier[kFlush];
  int pending = 0;
  C *beta_rows[R];
  const C *w_rows[R];
  for (int r = 0; r < R; ++r) {
    beta_rows[r] = beta + r * Sp;
    w_rows[r] = w + r * Sp;
  }
  for (int64_t t = longest - 1; t >= 0; --t) {
    if (t) factors.at(block.order[0], t - 1);
    for (int r = 0; r < R; ++r) {
      const int64_t b = block.order[r], L = c.lengths[b];
      C *bt = beta_rows[r], *wt = w + r * Sp;
      if (t >= L || !feasible[r]) {
        for (int64_t s = 0; s < Sp; ++s) bt[s] = wt[s] = 0;
        continue;
      }
      if (t == L - 1)
        for (int64_t s = 0; s < Sp; ++s) bt[s] = 1;
      const C* a = messages + (r * longest + t) * Sp;
      const C g = C(grad.weight[b]);
      In* gu = grad.unary + (b * c.steps + t) * S;
      for (int64_t s = 0; s < S; ++s) gu[s] = In(g * a[s] * bt[s]);
      if (!t) continue;
      scores<In, C>(c, b, t, u.data);
      exp_row<C>(u.data, Sp, x.data);
      const C scale = inverse[r * longest + t];
      for (int64_t s = 0; s < Sp; s += N) store<C>(wt + s, load<C>(bt + s) * load<C>(x + s) * scale);
      const C* before = messages + (r * longest + t - 1) * Sp;
      if (per_step) {
        In* out = grad.transition + b * grad.transition_b + (t - 1) * grad.transition_t;
        for (int64_t i = 0; i < S; ++i) {
          const C ga = g * before[i];
          const C* e = factors.E + i * Sp;
#pragma omp simd
          for (int64_t s = 0; s < S; ++s) out[i * S + s] = In(ga * e[s] * wt[s]);
        }
      } else if (summed) {
        C* k = kept + pending * Sp;
        for (int64_t s = 0; s < Sp; s += N) store<C>(k + s, g * load<C>(wt + s));
        earlier[pending++] = before;
      }
    }
    if (t) product<C, R>(w_rows, factors.ET, S, Sp, beta_rows);
    if (pending > kFlush - R || (!t && pending)) {
      outer<C>(earlier, kept.data, pending, S, Sp, G.data);
      pending = 0;
    }
  }
  if (!summed || longest < 2) return;
  factors.at(block.order[0], 0);
  In* own = accumulator ? nullptr : grad.transition + block.order[0] * grad.transition_b;
  for (int64_t i = 0; i < S; ++i)
    for (int64_t s = 0; s < S; ++s) {
      const C value = factors.E[i * Sp + s] * G[i * Sp + s];
      if (accumulator) accumulator[i * S + s] += double(value);
      else own[i * S + s] = In(value);
    }
}

// ---- exact log space, in double ----------------------------------------------------------------------------

// a = u + log(exp(before) exp(transition)), normalised to log-sum 0; returns the normaliser (-inf: infeasible).
template <class In>
double log_step(const In* transition, const double* u, const double* before, int64_t S, int64_t Sp, double* pair, double* best, double* a) {
  constexpr int N = Simd<double>::N;
  const double none = minus_inf<double>();
  if (before) {
    Scratch<double> sum(Sp);
    for (int64_t s = 0; s < Sp; ++s) best[s] = none, sum[s] = 0;
    for (int64_t i = 0; i < S; ++i) {
      if (before[i] == none) continue;
      copy_row<In, double>(transition + i * S, S, (S - i) * S, pair);
      for (int64_t s = 0; s < Sp; s += N) store<double>(best + s, vmax(load<double>(best + s), before[i] + load<double>(pair + s)));
    }
    for (int64_t i = 0; i < S; ++i) {
      if (before[i] == none) continue;
      copy_row<In, double>(transition + i * S, S, (S - i) * S, pair);
      for (int64_t s = 0; s < Sp; s += N) {
        const f64v m = load<double>(best + s), v = before[i] + load<double>(pair + s);
        store<double>(sum + s, load<double>(sum + s) + (m == splat<double>(none) ? f64v{} : vexp(v - m)));
      }
    }
    for (int64_t s = 0; s < S; ++s) a[s] = best[s] == none ? none : best[s] + std::log(sum[s]) + u[s];
    for (int64_t s = S; s < Sp; ++s) a[s] = none;
  } else {
    for (int64_t s = 0; s < Sp; ++s) a[s] = u[s];
  }
  const double m = row_max<double>(a, Sp);
  if (m == none) return none;
  f64v total = {};
  for (int64_t s = 0; s < Sp; s += N) total += vexp(load<double>(a + s) - m);
  const double z = m + std::log(hsum(total));
  for (int64_t s = 0; s < Sp; s += N) store<double>(a + s, load<double>(a + s) - z);
  return z;
}

// Forward messages of one sequence in log space; false where no path is feasible.
template <class In> bool log_forward(const Chain<In>& c, int64_t b, int64_t keep, double* messages, double* norms, double* log_z) {
  const int64_t S = c.states, Sp = padded<double>(S);
  Scratch<double> u(Sp), pair(Sp), best(Sp);
  *log_z = 0;
  for (int64_t t = 0; t < c.lengths[b]; ++t) {
    scores<In, double>(c, b, t, u.data);
    const double* before = t ? messages + (t - 1) % keep * Sp : nullptr;
    const In* transition = t ? transition_at(c, b, t - 1) : nullptr;
    const double z = log_step<In>(transition, u.data, before, S, Sp, pair.data, best.data, messages + t % keep * Sp);
    norms[t % keep] = z;
    *log_z += z;
    if (z == minus_inf<double>()) return false;
  }
  return true;
}

template <class In> void log_space_log_partition(const Chain<In>& c, int64_t b, In* out) {
  const int64_t Sp = padded<double>(c.states);
  Scratch<double> messages(2 * Sp), norms(2);
  double log_z;
  log_forward<In>(c, b, 2, messages.data, norms.data, &log_z);
  out[b] = In(log_z);
}

template <class In> void log_space_gradient(const Chain<In>& c, int64_t b, const ChainGradient<In>& grad, double* accumulator) {
  constexpr int N = Simd<double>::N;
  const int64_t S = c.states, Sp = padded<double>(S), L = c.lengths[b];
  const double none = minus_inf<double>(), g = double(grad.weight[b]);
  Scratch<double> messages(L * Sp), norms(L), beta(Sp), next(Sp), u(Sp), row(Sp);
  double log_z;
  if (!log_forward<In>(c, b, L, messages.data, norms.data, &log_z)) return;
  const bool per_step = grad.transition && grad.transition_t, own = !accumulator && grad.transition && !per_step;
  Scratch<double> G(own ? S * S : 0);
  for (int64_t i = 0; own && i < S * S; ++i) G[i] = 0;
  for (int64_t s = 0; s < Sp; ++s) beta[s] = s < S ? 0 : none;
  for (int64_t t = L - 1; t >= 0; --t) {
    const double* a = messages + t * Sp;
    In* gu = grad.unary + (b * c.steps + t) * S;
    for (int64_t s = 0; s < S; ++s) gu[s] = In(a[s] == none || beta[s] == none ? 0 : g * std::exp(a[s] + beta[s]));
    if (!t) break;
    scores<In, double>(c, b, t, u.data);
    const double* before = messages + (t - 1) * Sp;
    const In* transition = transition_at(c, b, t - 1);
    In* out = per_step ? grad.transition + b * grad.transition_b + (t - 1) * grad.transition_t : nullptr;
    double* sum = accumulator ? accumulator : own ? G.data : nullptr;
    for (int64_t s = 0; s < Sp; ++s) u[s] = u[s] + beta[s] - norms[t];
    for (int64_t i = 0; i < S; ++i) {
      copy_row<In, double>(transition + i * S, S, (S - i) * S, row.data);
      for (int64_t s = 0; s < Sp; s += N) store<double>(row + s, load<double>(row + s) + load<double>(u + s));
      const double m = row_max<double>(row.data, Sp);
      if (m == none) {
        next[i] = none;
        continue;
      }
      f64v total = {};
      for (int64_t s = 0; s < Sp; s += N) {
        const f64v e = vexp(load<double>(row + s) - m);
        store<double>(row + s, e);
        total += e;
      }
      next[i] = m + std::log(hsum(total));
      const double p = before[i] == none ? 0 : g * std::exp(before[i] + m);
      if (out) for (int64_t s = 0; s < S; ++s) out[i * S + s] = In(p * row[s]);
      if (sum) for (int64_t s = 0; s < S; ++s) sum[i * S + s] += p * row[s];
    }
    for (int64_t i = 0; i < S; ++i) beta[i] = next[i];
  }
  for (int64_t i = 0; own && i < S * S; ++i) grad.transition[b * grad.transition_b + i] = In(G[i]);
}

// ---- entry points: choose the mode -------------------------------------------------------------------------

template <class In> void log_partition(const Chain<In>& c, const ChainShared& shared, ChainBlock block, In* out) {
  if (block.mode == kLogSpace) return log_space_log_partition<In>(c, block.order[0], out);
  if (block.mode == kScaledDouble) return scaled_log_partition<In, double, 1>(c, shared, block, true, out);
  if (block.count == kRows) return scaled_log_partition<In, In, kRows>(c, shared, block, false, out);
  scaled_log_partition<In, In, 1>(c, shared, block, false, out);
}

template <class In>
void gradient(const Chain<In>& c, const ChainShared& shared, ChainBlock block, const ChainGradient<In>& grad, double* accumulator) {
  if (block.mode == kLogSpace) return log_space_gradient<In>(c, block.order[0], grad, accumulator);
  if (block.mode == kScaledDouble) return scaled_gradient<In, double, 1>(c, shared, block, true, grad, accumulator);
  if (block.count == kRows) return scaled_gradient<In, In, kRows>(c, shared, block, false, grad, accumulator);
  scaled_gradient<In, In, 1>(c, shared, block, false, grad, accumulator);
}

// ---- Viterbi -----------------------------------------------------------------------------------------------

template <class In> void pad(const Chain<In>& c, In* out, In* transposed) {
  const int64_t S = c.states, Sp = padded<In>(S);
  for (int64_t i = 0; i < S; ++i) copy_row<In, In>(c.transition + i * S, S, (S - i) * S, out + i * Sp);
  for (int64_t j = 0; j < S; ++j) {
    for (int64_t i = 0; i < S; ++i) transposed[j * Sp + i] = out[i * Sp + j];
    for (int64_t i = S; i < Sp; ++i) transposed[j * Sp + i] = minus_inf<In>();
  }
}

template <class C, int R, int J>
ALGONETS_INLINE void best_tile(const C* const* a, const C* M, int64_t S, int64_t Sp, C* const* out, int64_t col) {
  constexpr int N = Simd<C>::N;
  Vec<C> acc[R][J];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) acc[r][j] = splat<C>(minus_inf<C>());
  for (int64_t i = 0; i < S; ++i) {
    const C* row = M + i * Sp + col;
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec<C> e = load<C>(row + j * N);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][j] = vmax(a[r][i] + e, acc[r][j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) store<C>(out[r] + col + j * N, acc[r][j]);
}

// First state that attains the maximum of a + transition row; -1 where all are forbidden.
template <class C> int64_t first_best(const C* a, const C* row, int64_t S, int64_t Sp) {
  constexpr int N = Simd<C>::N;
  Vec<C> m = splat<C>(minus_inf<C>());
  for (int64_t s = 0; s < Sp; s += N) m = vmax(m, row ? load<C>(a + s) + load<C>(row + s) : load<C>(a + s));
  const C best = hmax(m);
  if (best == minus_inf<C>()) return -1;
  for (int64_t s = 0; s < S; ++s)
    if ((row ? a[s] + row[s] : a[s]) == best) return s;
  return -1;
}

template <class In, int R>
void viterbi_rows(const Chain<In>& c, const In* shared, const In* shared_transposed, ChainBlock block, int64_t* labels) {
  constexpr int N = Simd<In>::N;
  const int64_t S = c.states, Sp = padded<In>(S);
  int64_t longest = 0;
  for (int r = 0; r < R; ++r) longest = c.lengths[block.order[r]] > longest ? c.lengths[block.order[r]] : longest;
  Scratch<In> messages(R * longest * Sp), q(R * Sp), u(Sp);
  Scratch<In> own(shared ? 0 : S * Sp), column(shared ? 0 : Sp);
  In* out[R];
  for (int r = 0; r < R; ++r) out[r] = q + r * Sp;
  for (int64_t t = 0; t < longest; ++t) {
    if (t) {
      const In *before[R], *M = shared;
      for (int r = 0; r < R; ++r) before[r] = messages + (r * longest + t - 1) * Sp;
      if (!shared) {
        const In* matrix = transition_at(c, block.order[0], t - 1);
        if (t == 1 || c.transition_t)
          for (int64_t i = 0; i < S; ++i) copy_row<In, In>(matrix + i * S, S, (S - i) * S, own + i * Sp);
        M = own.data;
      }
      int64_t col = 0;
      for (; col + kTile * N <= Sp; col += kTile * N) best_tile<In, R, kTile>(before, M, S, Sp, out, col);
      if (kTile > 2)
        for (; col + 2 * N <= Sp; col += 2 * N) best_tile<In, R, 2>(before, M, S, Sp, out, col);
      for (; col < Sp; col += N) best_tile<In, R, 1>(before, M, S, Sp, out, col);
    }
    for (int r = 0; r < R; ++r) {
      In* a = messages + (r * longest + t) * Sp;
      if (t >= c.lengths[block.order[r]]) {
        for (int64_t s = 0; s < Sp; ++s) a[s] = minus_inf<In>();
        continue;
      }
      scores<In, In>(c, block.order[r], t, u.data);
      Vec<In> m = splat<In>(minus_inf<In>());
      for (int64_t s = 0; s < Sp; s += N) {
        Vec<In> v = load<In>(u + s);
        if (t) v = load<In>(out[r] + s) + v;
        store<In>(a + s, v);
        m = vmax(m, v);
      }
      const In top = hmax(m);  // subtracting it keeps the precision of long chains
      if (top > minus_inf<In>())
        for (int64_t s = 0; s < Sp; s += N) store<In>(a + s, load<In>(a + s) - top);
    }
  }
  for (int r = 0; r < R; ++r) {
    const int64_t b = block.order[r], L = c.lengths[b];
    int64_t* path = labels + b * c.steps;
    int64_t k = first_best<In>(messages + (r * longest + L - 1) * Sp, nullptr, S, Sp);
    for (int64_t t = c.steps - 1; t >= L; --t) path[t] = -1;
    for (int64_t t = L - 1; t >= 0; --t) {
      path[t] = k;
      if (!t || k < 0) continue;
      const In* into = shared ? shared_transposed + k * Sp : column.data;
      if (!shared) {
        const In* matrix = transition_at(c, b, t - 1);
        for (int64_t i = 0; i < Sp; ++i) column[i] = i < S ? matrix[i * S + k] : minus_inf<In>();
      }
      k = first_best<In>(messages + (r * longest + t - 1) * Sp, into, S, Sp);
    }
  }
}

template <class In>
void viterbi(const Chain<In>& c, const In* shared, const In* shared_transposed, ChainBlock block, int64_t* labels) {
  if (block.count == kRows) return viterbi_rows<In, kRows>(c, shared, shared_transposed, block, labels);
  viterbi_rows<In, 1>(c, shared, shared_transposed, block, labels);
}

// ---- sampling: forward filter, backward sample ---------------------------------------------------------------

// Inverse-CDF draw from n weights; the last state with weight where rounding leaves nothing.
int64_t draw(const double* weights, int64_t n, double uniform) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += weights[i];
  double left = uniform * total;
  int64_t last = -1;
  for (int64_t i = 0; i < n; ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    left -= weights[i];
    if (left < 0) return i;
  }
  return last;
}

// Messages in double, as probabilities (scaled) or logs; labels are (samples, B, T).
template <class In>
void sample(const Chain<In>& c, const ChainShared& shared, ChainBlock block, const double* uniforms, int64_t samples, int64_t* labels) {
  const int64_t S = c.states, Sp = padded<double>(S), b = block.order[0], L = c.lengths[b];
  const bool logs = block.mode == kLogSpace;
  const double none = minus_inf<double>();
  Scratch<double> messages(L * Sp), norms(L), weights(Sp);
  double log_z;
  Factors<In, double> factors(c, shared, true);
  if (logs) log_forward<In>(c, b, L, messages.data, norms.data, &log_z);
  else forward<In, double, 1>(c, factors, block.order, L, messages.data, norms.data, &log_z);
  for (int64_t n = 0; n < samples; ++n) {
    int64_t* path = labels + (n * c.batch + b) * c.steps;
    for (int64_t t = c.steps - 1; t >= 0; --t) path[t] = -1;
  }
  if (log_z == none) return;
  for (int64_t t = L - 1; t >= 0; --t) {
    const double* a = messages + t * Sp;
    if (!logs && t < L - 1) factors.at(b, t);
    for (int64_t n = 0; n < samples; ++n) {
      int64_t* path = labels + (n * c.batch + b) * c.steps;
      const int64_t k = t < L - 1 ? path[t + 1] : 0;
      if (!logs) {
        const double* into = t < L - 1 ? factors.ET + k * Sp : nullptr;
        for (int64_t i = 0; i < S; ++i) weights[i] = into ? a[i] * into[i] : a[i];
      } else {
        const In* matrix = t < L - 1 ? transition_at(c, b, t) : nullptr;
        double m = none;
        for (int64_t i = 0; i < S; ++i) {
          weights[i] = matrix ? a[i] + double(matrix[i * S + k]) : a[i];
          m = weights[i] > m ? weights[i] : m;
        }
        for (int64_t i = 0; i < S; ++i) weights[i] = std::exp(weights[i] - m);
      }
      path[t] = draw(weights.data, S, uniforms[(n * c.batch + b) * c.steps + t]);
    }
  }
}

template <class In> constexpr ChainKernels<In> table() {
  return {certify<In>, shared_size<In>, share<In>, log_partition<In>, gradient<In>, viterbi<In>, pad<In>, sample<In>};
}

}  // namespace

extern const ChainKernels<float> chain_float;
extern const ChainKernels<double> chain_double;
const ChainKernels<float> chain_float = table<float>();
const ChainKernels<double> chain_double = table<double>();

}  // namespace ALGONETS_ISA
}  // namespace algonets
