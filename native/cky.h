// Sums over binary trees in scaled probability space: labelled spans (CKY), and a grammar (PCFG).
//
// Weights are exponentials of scores less their maximum, so that the sum over k splits of a span is k multiplications
// and additions, without an exponential. The kernel computes a bound of what any tree may weigh first: where that is
// outside the range of a double it declines, and the caller takes the slower way in log space.
#pragma once

#include <cstdint>

namespace algonets {

template <class In> struct Cky {
  const In* scores;          // (B, n, n, L), read where i <= j
  const std::int64_t* last;  // (B): length - 1
  std::int64_t n, labels;
  In* value;                 // (B)
  In* marginals;             // (B, n, n, L), or null
};

template <class In> struct Pcfg {
  const In* scores;          // (B, leaves): terms (n, words), rules (count, S, S) with S = count + words, roots (count)
  const std::int64_t* last;  // (B): length - 1
  std::int64_t n, words, count;
  In* value;                 // (B)
  In* marginals;             // (B, leaves), or null
};

template <class In> struct CkyKernels {
  std::int64_t lanes;  // examples a block
  bool (*cky)(const Cky<In>&, std::int64_t begin, std::int64_t end);  // examples; at most one block; false: declined
  bool (*pcfg)(const Pcfg<In>&, std::int64_t begin, std::int64_t end);
};

#define ALGONETS_DECLARE(isa)                  \
  namespace isa {                              \
  extern const CkyKernels<float> cky_float;    \
  extern const CkyKernels<double> cky_double;  \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
