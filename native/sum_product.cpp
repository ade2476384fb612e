// Forward values and backward marginals of a sum-product circuit (see sum_product.h), examples in the lanes of vectors.
//
// Everything is computed in double: sums of thousands of scores leave no digits for marginals in float32.

#include "sum_product.h"

#include <cstring>

#include "simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

using std::int32_t;
using std::int64_t;

constexpr int N = Simd<double>::N;
constexpr int64_t kTile = 16;
constexpr double kNone = -std::numeric_limits<double>::infinity();

// K vectors of N examples side by side.
template <int K> struct Block {
  static constexpr int L = K * N;
  double* values;  // (nodes, L)

  ALGONETS_INLINE f64v at(int32_t node, int k) const { return load<double>(values + int64_t(node) * L + k * N); }
  ALGONETS_INLINE f64v term(const int32_t* t, int k) const { return at(t[0], k) + at(t[1], k); }
};

ALGONETS_INLINE f64v log_sum(f64v top, f64v sum) {
  const f64v safe = top == kNone ? f64v{} : top;
  return sum > 0.0 ? safe + vlog(sum > 0.0 ? sum : splat<double>(1)) : splat<double>(kNone);
}

template <int K> void forward(const SumProduct& c, const Block<K>& block, bool maximum) {
  double* out = block.values + (2 + c.leaves) * Block<K>::L;
  for (int64_t i = 0; i < c.inner; ++i, out += Block<K>::L) {
    const int32_t *begin = c.terms + 2 * c.first[i], *end = c.terms + 2 * c.first[i + 1];
    for (int k = 0; k < K; ++k) {
      f64v top = block.term(begin, k);
      for (const int32_t* t = begin + 2; t < end; t += 2) top = vmax(top, block.term(t, k));
      if (maximum || end - begin == 2) {
        store<double>(out + k * N, top);
        continue;
      }
      const f64v safe = top == kNone ? f64v{} : top;
      f64v sum = {};
      for (const int32_t* t = begin; t < end; t += 2) sum += vexp(block.term(t, k) - safe);
      store<double>(out + k * N, log_sum(top, sum));
    }
  }
}

ALGONETS_INLINE bool all_zero(f64v v) {
  const f64v a = vabs(v);
  return hmax(a) == 0;
}

// Adjoints, from the goals down. Of equal maxima the first takes all.
template <int K> void backward(const SumProduct& c, const Block<K>& block, double* adjoints, bool maximum) {
  constexpr int L = Block<K>::L;
  for (int64_t i = c.inner - 1; i >= 0; --i) {
    const int32_t *begin = c.terms + 2 * c.first[i], *end = c.terms + 2 * c.first[i + 1];
    const double* g_node = adjoints + (2 + c.leaves + i) * L;
    for (int k = 0; k < K; ++k) {
      const f64v g = load<double>(g_node + k * N), v = block.at(int32_t(2 + c.leaves + i), k);
      if (all_zero(g)) continue;
      const f64v safe = v == kNone ? splat<double>(-kNone) : v;  // nothing flows into the impossible
      f64v left = g;
      for (const int32_t* t = begin; t < end; t += 2) {
        const f64v score = block.term(t, k);
        f64v share;
        if (maximum) {
          share = score == safe ? left : f64v{};
          left = score == safe ? f64v{} : left;
        } else {
          share = end - begin == 2 ? (score == kNone ? f64v{} : g) : g * vexp(score - safe);
        }
        double* a = adjoints + int64_t(t[0]) * L + k * N;
        store<double>(a, load<double>(a) + share);
        if (t[1] == 1) continue;
        double* b = adjoints + int64_t(t[1]) * L + k * N;
        store<double>(b, load<double>(b) + share);
      }
    }
  }
}

template <class In, int K> void run_block(const SumProductRun<In>& r, int64_t begin, int64_t end) {
  constexpr int L = Block<K>::L;
  const SumProduct& c = r.circuit;
  const int64_t nodes = 2 + c.leaves + c.inner, used = end - begin;
  Scratch<double> values(nodes * L), adjoints(r.marginals ? nodes * L : 0);
  for (int l = 0; l < L; ++l) {
    values[l] = kNone;
    values[L + l] = 0;
  }
  for (int64_t start = 0; start < c.leaves; start += kTile)  // tiles that stay in the first cache
    for (int l = 0; l < L; ++l) {
      const In* row = r.scores + (begin + (l < used ? l : used - 1)) * c.leaves;  // spare lanes repeat the last example
      const int64_t stop = start + kTile < c.leaves ? start + kTile : c.leaves;
      for (int64_t w = start; w < stop; ++w) values[(2 + w) * L + l] = double(row[w]);
    }
  const Block<K> block{values.data};
  forward<K>(c, block, r.maximum);
  for (int64_t l = 0; l < used; ++l) {
    const int64_t node = c.goals[r.goal[begin + l]];
    r.value[begin + l] = In(values[node * L + l]);
  }
  if (!r.marginals) return;
  std::memset(adjoints.data, 0, sizeof(double) * nodes * L);
  for (int64_t l = 0; l < used; ++l) {
    const int64_t node = c.goals[r.goal[begin + l]];
    if (values[node * L + l] != kNone) adjoints[node * L + l] = 1;
  }
  backward<K>(c, block, adjoints.data, r.maximum);
  for (int64_t start = 0; start < c.leaves; start += kTile)
    for (int64_t l = 0; l < used; ++l) {
      In* row = r.marginals + (begin + l) * c.leaves;
      const int64_t stop = start + kTile < c.leaves ? start + kTile : c.leaves;
      for (int64_t w = start; w < stop; ++w) row[w] = In(adjoints[(2 + w) * L + l]);
    }
}

constexpr int kWide = 2;

template <class In> void run(const SumProductRun<In>& r, int64_t begin, int64_t end) {
  if (end - begin > N) run_block<In, kWide>(r, begin, end);
  else run_block<In, 1>(r, begin, end);
}

}  // namespace

extern const SumProductKernels<float> sum_product_float;
extern const SumProductKernels<double> sum_product_double;
const SumProductKernels<float> sum_product_float = {kWide * N, run<float>};
const SumProductKernels<double> sum_product_double = {kWide * N, run<double>};

}  // namespace ALGONETS_ISA
}  // namespace algonets
