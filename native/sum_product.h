// Sum-product circuits: what a dynamic program is once its recursion has been written down.
//
// Node 0 is the impossible (-inf), node 1 the empty product (0), then come the leaves (the scores), then the inner
// nodes in topological order. An inner node is the log-sum-exp, or the maximum, of its terms; a term is the sum of two
// nodes (the second may be node 1). All examples of a batch share the circuit and differ in their scores.
#pragma once

#include <cstdint>

namespace algonets {

struct SumProduct {
  const std::int64_t* first;  // (inner + 1): the terms of inner node k are first[k] .. first[k + 1]
  const std::int32_t* terms;  // (terms, 2): nodes
  const std::int32_t* goals;  // (G): nodes whose values are wanted
  std::int64_t leaves, inner;
};

template <class In> struct SumProductRun {
  SumProduct circuit;
  const In* scores;           // (B, leaves)
  const std::int64_t* goal;   // (B): which goal is the value of each example
  bool maximum;
  In* value;                  // (B)
  In* marginals;              // (B, leaves), or null
  std::int64_t batch;
};

template <class In> struct SumProductKernels {
  std::int64_t lanes;  // examples a block
  void (*run)(const SumProductRun<In>&, std::int64_t begin, std::int64_t end);  // examples; at most one block
};

#define ALGONETS_DECLARE(isa)                        \
  namespace isa {                                    \
  extern const SumProductKernels<float> sum_product_float;  \
  extern const SumProductKernels<double> sum_product_double; \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
