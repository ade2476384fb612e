// Dynamic time warping, hard and soft: arguments of the kernel and the table through which an instruction set is chosen.
#pragma once

#include <cstdint>

namespace algonets {

template <class In> struct SoftDtw {
  const In* distances;             // (B, n, m); +inf is forbidden
  const std::int64_t *rows, *columns;  // (B): the sizes of each example, at least 1
  std::int64_t n, m;
  double temperature;              // 0: hard
  In* value;                       // (B); +inf where no path is allowed
  In* alignment;                   // (B, n, m), zeroed: expected (or best) path; or null
};

template <class In> struct SoftDtwKernels {
  std::int64_t lanes;  // examples a block
  void (*run)(const SoftDtw<In>&, std::int64_t begin, std::int64_t end);
};

#define ALGONETS_DECLARE(isa)                          \
  namespace isa {                                      \
  extern const SoftDtwKernels<float> soft_dtw_float;   \
  extern const SoftDtwKernels<double> soft_dtw_double; \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
