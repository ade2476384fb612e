// Averages under the kernel exp(-|s_i - s_j|) of sorted points: arguments and the table of an instruction set.
#pragma once

#include <cstdint>

namespace algonets {

// `gap` is (B, n - 1), not negative: the distances of neighbours, in units of the temperature. The rest is (B, n, d).
template <class In> struct Smoothing {
  const In* gap;
  const In* v;
  In* y;
};

template <class In> struct SmoothingGradient {
  const In* gap;
  const In* v;
  const In* g;
  In* g_gap;  // or null
  In* g_v;
};

struct SmoothingRange {
  std::int64_t n, d, begin, end;
};

template <class In> struct SoftSortKernels {
  void (*smooth)(const Smoothing<In>&, SmoothingRange);
  void (*gradient)(const SmoothingGradient<In>&, SmoothingRange);
};

#define ALGONETS_DECLARE(isa)                                  \
  namespace isa {                                              \
  extern const SoftSortKernels<float> softsort_float;          \
  extern const SoftSortKernels<double> softsort_double;        \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
