// Binary associative memories: asynchronous settling, and distances of packed patterns.
#pragma once

#include <cstdint>

namespace algonets {

// Units of n-unit states (B, n) of +1 and -1, updated one after the other, in place.
template <class In> struct Settling {
  In* states;
  const In* weights;           // (n, n), symmetric
  const double* threshold;     // (n)
  const double* zero;          // (n), fields this near to 0 count as 0
  const std::int64_t* order;   // (n), or null: 0 to n - 1
  std::int64_t n, max_sweeps;
};

// Patterns of 64 bits a word: a (A, words), b (B, words), out (A, B).
struct PackedDistance {
  const std::int64_t* a;
  const std::int64_t* b;
  std::int32_t* out;
  std::int64_t count, words;   // of b
};

struct StateRange {
  std::int64_t begin, end;
};

template <class In> struct HopfieldKernels {
  bool (*settle)(const Settling<In>&, StateRange);  // whether the last sweep changed anything
};

#define ALGONETS_DECLARE(isa)                                 \
  namespace isa {                                             \
  extern const HopfieldKernels<float> hopfield_float;         \
  extern const HopfieldKernels<double> hopfield_double;       \
  extern void (*const packed_distance)(const PackedDistance&, StateRange); \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
