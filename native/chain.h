// The linear chain: arguments of its kernels and the table through which an instruction set is chosen.
#pragma once

#include <cstdint>

namespace algonets {

// How the forward-backward recursion of one sequence is computed; see `certify` in chain.cpp.
enum ChainMode : std::int8_t { kScaled = 0, kScaledDouble = 1, kLogSpace = 2 };

template <class In> struct Chain {
  const In* unary;       // (B, T, S), contiguous
  const In* transition;  // [b * transition_b + t * transition_t + i * S + j]; strides of 0 share; unread if T = 1
  const In* start;       // [b * start_b + s], or null
  const In* end;         // [b * end_b + s], or null
  const std::int64_t* lengths;  // (B,), each in 1..T
  std::int64_t batch, steps, states;
  std::int64_t transition_b, transition_t, start_b, end_b;
};

// Where the gradient goes. `unary` is (B, T, S) and zeroed by the caller. `transition` takes
// [b * transition_b + t * transition_t + i * S + j] likewise; the shared case is summed by the driver.
template <class In> struct ChainGradient {
  const In* weight;  // (B,): the incoming gradient of each log-partition
  In* unary;
  In* transition;  // or null
  std::int64_t transition_b, transition_t;
};

// A block of sequences that are computed together: `order[first .. first + count)`.
struct ChainBlock {
  const std::int64_t* order;
  int count;
  ChainMode mode;
};

// exp(transition - max) of a shared transition matrix, padded, with its transpose; made once per call.
struct ChainShared {
  const void* scaled = nullptr;             // In
  const void* scaled_transposed = nullptr;  // In
  const void* wide = nullptr;               // double
  const void* wide_transposed = nullptr;    // double
  double shift = 0;
};

template <class In> struct ChainKernels {
  void (*certify)(const Chain<In>&, std::int64_t begin, std::int64_t end, std::int8_t* mode);
  std::int64_t (*shared_size)(std::int64_t states, bool wide);  // elements of one padded matrix
  void (*share)(const Chain<In>&, void* scaled, void* transposed, double shift, bool wide);
  void (*log_partition)(const Chain<In>&, const ChainShared&, ChainBlock, In* out);
  // `accumulator`: per-thread padded sum for a shared transition gradient, in the In of a block's mode, or null.
  void (*gradient)(const Chain<In>&, const ChainShared&, ChainBlock, const ChainGradient<In>&, double* accumulator);
  void (*viterbi)(const Chain<In>&, const In* padded_transition, const In* padded_transposed, ChainBlock, std::int64_t* labels);
  void (*pad)(const Chain<In>&, In* padded_transition, In* padded_transposed);
  void (*sample)(const Chain<In>&, const ChainShared&, ChainBlock, const double* uniforms, std::int64_t samples, std::int64_t* labels);
};

constexpr int kChainRows = 4;  // sequences a block shares its transition loads among

#define ALGONETS_DECLARE(isa)                                  \
  namespace isa {                                              \
  extern const ChainKernels<float> chain_float;                \
  extern const ChainKernels<double> chain_double;              \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
