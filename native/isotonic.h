// Projections onto the permutahedron: arguments of the kernels and the table through which an instruction set is chosen.
#pragma once

#include <cstdint>

namespace algonets {

// R of the projection argmax <y, z> - R(y): squares, entropy, or |y|^p / p.
enum Regularizer : int { kSquares = 0, kEntropy = 1, kPower = 2 };

struct RowRange {
  std::int64_t n, begin, end;  // items of a row; the rows to compute
};

// Rows are (B, n), contiguous. `plan` is (B, 2, n): the order of the items, then for each place in that order the last
// place of its block.
template <class In> struct Projection {
  const In* x;
  const In* w;      // (B, n), not increasing; null: n, ..., 1
  double strength;
  Regularizer kind;
  double power;     // 1 / (p - 1), at least 1; of kPower
  In* y;
  std::int32_t* plan;
};

template <class In> struct ProjectionGradient {
  const In* g;
  const In* y;  // unread with kSquares
  const std::int32_t* plan;
  double strength;
  Regularizer kind;
  double power;
  In* gx;
  In* gw;  // in the order of w, or null
};

// Values are the projection of (n, ..., 1) / strength onto the permutahedron of the items.
template <class In> struct SoftValues {
  const In* x;
  double strength;
  bool entropy, descending;
  In* y;
  std::int32_t* plan;
};

template <class In> struct SoftValuesGradient {
  const In* g;
  const In* x;  // unread without entropy
  const std::int32_t* plan;
  bool entropy, descending;
  In* gx;
};

template <class In> struct IsotonicKernels {
  void (*project)(const Projection<In>&, RowRange);
  void (*project_gradient)(const ProjectionGradient<In>&, RowRange);
  void (*values)(const SoftValues<In>&, RowRange);
  void (*values_gradient)(const SoftValuesGradient<In>&, RowRange);
};

#define ALGONETS_DECLARE(isa)                                     \
  namespace isa {                                                 \
  extern const IsotonicKernels<float> isotonic_float;             \
  extern const IsotonicKernels<double> isotonic_double;           \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
