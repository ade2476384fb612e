// The scaled recursion: log-partition and its gradient (see chain.cpp).
#pragma once

#include "products.h"
#include "scores.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr int kFlush = 64;  // (sequence, step) rows a sum of outer products takes at a time

// log of a long product of positive numbers without a log a factor.
struct LogProduct {
  double sum = 0, product = 1;
  ALGONETS_INLINE void times(double z) {
    if (z < 1e-150) {  // would underflow against a small product; a factor is at least exp(-600)
      sum += std::log(z);
      return;
    }
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
      const C z = hsum(sum), scale = z == 0 ? C(0) : C(1) / z;  // NaN stays NaN
      inverse[r * keep + t % keep] = scale;
      for (int64_t s = 0; s < Sp; s += N) store<C>(a + s, load<C>(a + s) * scale);
      total[r].times(z == 0 ? 1 : double(z));
      shift[r] += z == 0 ? -std::numeric_limits<double>::infinity() : double(m) + (t ? factors.shift : 0);
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
  for (int r = 0; r < R; ++r) feasible[r] = log_z[r] != -std::numeric_limits<double>::infinity();

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

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
