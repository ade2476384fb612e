// The comparators on a few columns of a tile: [wire][column][lane], a sample each lane. For small matrices and payloads
// of few columns.
#pragma once

#include "tile.h"
#include "../network.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// The alphas of a tile and their exact complements. A comparator makes sums of what is not negative, so that small
// results keep their relative accuracy, and alphas of 0 and 1 are exact.
template <class C> struct TileWeights {
  const C *alpha, *beta;
};

// Which columns of the state are worked on. With `spans` only those that the plan says can be non-zero.
struct Columns {
  int64_t stride;      // columns of a wire
  int64_t begin, end;  // the ones to do
  bool spans;
};

ALGONETS_INLINE void range(const NetworkPlan& plan, const Columns& columns, int64_t c, int64_t& left, int64_t& right) {
  left = columns.spans ? plan.left[c] : columns.begin;
  right = columns.spans ? plan.right[c] : columns.end;
}

// Vectors of tape that a pass needs.
inline int64_t tape_size(const NetworkPlan& plan, const Columns& columns) {
  return columns.spans ? plan.spans : plan.count * (columns.end - columns.begin);
}

template <class C, bool kTape>
void samples_forward_as(const NetworkPlan& plan, const Columns& columns, bool reverse, const TileWeights<C>& weights, C* state, C* tape) {
  constexpr int N = Simd<C>::N;
  for (int64_t k = 0; k < plan.count; ++k) {
    const int64_t c = reverse ? plan.count - 1 - k : k;
    int64_t left, right;
    range(plan, columns, c, left, right);
    const Vec<C> alpha = load(weights.alpha + c * N), beta = load(weights.beta + c * N);
    C *pa = state + plan.low[c] * columns.stride * N, *pb = state + plan.high[c] * columns.stride * N;
    for (int64_t j = left; j < right; ++j) {
      const Vec<C> a = load(pa + j * N), b = load(pb + j * N);
      if (kTape) {
        store(tape, a - b);
        tape += N;
      }
      store(pa + j * N, alpha * a + beta * b);
      store(pb + j * N, beta * a + alpha * b);
    }
  }
}

template <class C>
void samples_forward(const NetworkPlan& plan, const Columns& columns, bool reverse, const TileWeights<C>& weights, C* state, C* tape) {
  tape ? samples_forward_as<C, true>(plan, columns, reverse, weights, state, tape)
       : samples_forward_as<C, false>(plan, columns, reverse, weights, state, tape);
}

// `tape_end` is where the forward pass ended; the gradient of the alphas is added to `by_alphas`.
template <class C>
void samples_backward(const NetworkPlan& plan, const Columns& columns, bool reverse, const TileWeights<C>& weights, C* state, const C* tape_end,
                      C* by_alphas) {
  constexpr int N = Simd<C>::N;
  const C* tape = tape_end;
  for (int64_t k = plan.count; k-- > 0;) {
    const int64_t c = reverse ? plan.count - 1 - k : k;
    int64_t left, right;
    range(plan, columns, c, left, right);
    tape -= (right - left) * N;
    const Vec<C> alpha = load(weights.alpha + c * N), beta = load(weights.beta + c * N);
    C *pa = state + plan.low[c] * columns.stride * N, *pb = state + plan.high[c] * columns.stride * N;
    Vec<C> sum = load(by_alphas + c * N);
    for (int64_t j = left; j < right; ++j) {
      const Vec<C> a = load(pa + j * N), b = load(pb + j * N);
      sum += (a - b) * load(tape + (j - left) * N);
      store(pa + j * N, alpha * a + beta * b);
      store(pb + j * N, beta * a + alpha * b);
    }
    store(by_alphas + c * N, sum);
  }
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
