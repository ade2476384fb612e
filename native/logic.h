// Soft logic gates: runs of layers, trees over images, and the coefficients of softmax gates.
//
// A gate is y = c0 + c1 a + c2 b + c3 a b. A block is as many samples as fit 64 bytes: one signal of a block is one
// cache line, so that the random reads of the wiring cost one line each. Backward computes the signals again.
#pragma once

#include <cstdint>

namespace algonets {

struct BlockRange {
  std::int64_t begin, end;
};

// Layers one after the other; coefficients (gates, 4), first and second (gates) of all layers in a row.
template <class C> struct GateStack {
  const C* x;  // (batch, in)
  const C* coefficients;
  const std::int32_t* first;
  const std::int32_t* second;
  const std::int64_t* widths;
  std::int64_t layers, batch, in, groups;
};

// Trees of 2^depth leaves over padded images; out (batch, kernels, rows / pool, columns / pool).
template <class C> struct GateTrees {
  const C* x;                  // (batch, image)
  const C* coefficients;       // (kernels, 2^depth - 1, 4)
  const std::int32_t* leaves;  // (kernels, 2^depth), offsets in the flat image
  std::int64_t batch, image, kernels, depth, rows, columns, stride, pool;
};

template <class C> struct LogicKernels {
  void (*stack)(const GateStack<C>&, C* out, BlockRange);
  // by_coefficients is added to; by_x may be null.
  void (*stack_backward)(const GateStack<C>&, const C* by_out, C* by_x, C* by_coefficients, BlockRange);
  // winners, null without pooling: a byte a sample of a block, the position in its window that a result came from.
  void (*trees)(const GateTrees<C>&, C* out, std::uint8_t* winners, BlockRange);
  void (*trees_backward)(const GateTrees<C>&, const std::uint8_t* winners, const C* by_out, C* by_x, C* by_coefficients, BlockRange);
  void (*coefficients16)(const C* weights, C* out, BlockRange gates);
  void (*coefficients16_backward)(const C* weights, const C* by_out, C* by_weights, BlockRange gates);
};

#define ALGONETS_DECLARE(isa)                             \
  namespace isa {                                         \
  extern const LogicKernels<float> logic_float;           \
  extern const LogicKernels<double> logic_double;         \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
