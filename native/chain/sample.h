// Sampling: forward filter, backward sample, by inverse CDF from given uniforms.
#pragma once

#include "log_space.h"
#include "scaled.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

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

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
