// The exact recursion in log space and double, one sequence at a time: whatever the certificate does not cover.
#pragma once

#include "scores.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

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

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
