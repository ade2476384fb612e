// The permutation cross-entropy, a block of columns at a time: the matrix is never materialised.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "columns.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr double kLogFloor = -100;       // as torch.nn.functional.binary_cross_entropy
constexpr double kSlopeFloor = 1e-12;    // likewise, for entries near 0, which have their relative accuracy
// Near 1 an entry is rounded to epsilon: a steeper logarithm would multiply the rounding of 1 - p.
template <class C> constexpr C kComplementFloor = std::max(C(kSlopeFloor), std::numeric_limits<C>::epsilon());

// Of a block (n, W) of P with target ranks target[0 .. w): the sum of -t log p - (1 - t) log(1 - p). With kGradient
// the block becomes factor times the gradient of that.
template <class C, int R, bool kGradient>
double cross_entropy_block(int64_t n, int64_t w, const int64_t* target, C factor, C* block) {
  constexpr int N = Simd<C>::N, W = R * N;
  C hit[W];  // the entries that should be 1; rounding can leave [0, 1]
  for (int64_t j = 0; j < w; ++j) hit[j] = std::clamp(block[target[j] * W + j], C(0), C(1));
  double total = 0;
  for (int64_t from = 0; from < n; from += 32) {
    Vec<C> sum{};
    for (int64_t k = from * W; k < std::min(n, from + 32) * W; k += N) {
      const Vec<C> p = vmax(vmin(load(block + k), splat<C>(1)), Vec<C>{}), l = vlog_minus(p);
      sum += p < splat<C>(1) ? l : splat<C>(C(kLogFloor));
      const Vec<C> slope = factor * p / vmax(p * (1 - p), splat<C>(kComplementFloor<C>));
      if (kGradient) store(block + k, p < splat<C>(1) ? slope : Vec<C>{});  // nothing is left of 1 - p
    }
    total -= double(hsum(sum));
  }
  for (int64_t j = 0; j < w; ++j) {
    const C p = hit[j];
    total += std::max(double(std::log1p(-p)), kLogFloor) - std::max(double(std::log(p)), kLogFloor);
    if (kGradient) block[target[j] * W + j] = p > 0 ? factor * (p - 1) / std::max(p * (1 - p), C(kSlopeFloor)) : C(0);
  }
  return total;
}

// Loss of one sample, averaged over the n * n entries; `by_weights` null: the loss alone.
template <class C, int R>
double cross_entropy_sample(const NetworkPlan& plan, const NetworkRuns& runs, const Weights<C>& weights, const int64_t* target, C* state, C* tape,
                            C* by_weights) {
  constexpr int W = R * Simd<C>::N;
  const double entries = double(plan.n) * double(plan.n);
  const NetworkGroup* groups = plan.order().groups.data();
  double total = 0;
  for (int64_t j = 0, k = 0; j < plan.n; j += W, ++k) {
    const NetworkRuns::Run *first = runs.runs.data() + runs.first[k], *last = runs.runs.data() + runs.first[k + 1];
    const int64_t w = std::min<int64_t>(W, plan.n - j);
    identity_columns<C, W>(plan.n, j, state);
    const C* end = columns_forward<C, R>(groups, first, last, weights, state, tape);
    if (!by_weights) {
      total += cross_entropy_block<C, R, false>(plan.n, w, target + j, C(0), state);
      continue;
    }
    total += cross_entropy_block<C, R, true>(plan.n, w, target + j, C(1 / entries), state);
    columns_backward<C, R>(groups, first, last, weights, state, end, by_weights);
  }
  return total / entries;
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
