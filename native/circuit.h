// Bit-packed logic circuits: simplification, a program of levels and slots, and its run on 512 samples at a time.
#pragma once

#include <cstdint>
#include <vector>

namespace algonets {

// Nodes: 0 is the constant 0, 1 .. inputs the inputs, then the gates. A literal is 2 node + 1 if it is negated.
struct CircuitGraph {
  std::vector<std::uint32_t> a, b;  // literals of the gates
  std::vector<std::uint8_t> kind;   // 0: and, 1: xor
  std::vector<std::uint32_t> outputs;
};

// From gates of two signals (inputs first, then gates) with truth tables as numbers from 0 to 15.
CircuitGraph simplify_circuit(std::int64_t inputs, std::int64_t gates, const std::int32_t* first, const std::int32_t* second,
                              const std::uint8_t* table, std::int64_t outputs, const std::int32_t* output, bool simplify);

constexpr std::int64_t kCounted = 16;  // slots that are counted at a time

// Level by level, in runs of one operation; values live in slots of 512 bits that are used again. Slots are given
// as their first words, 8 times their numbers.
struct CircuitProgram {
  // Operations of two or three inputs, whose code is slots of the inputs and of the output; or slots to count.
  struct Run {
    std::uint8_t arity;       // 0: counts
    std::uint8_t function;    // see functions.h; of counts 1 if the slots count negated
    std::uint8_t planes;      // as far as the count of the group may reach
    std::uint32_t group;
    std::int64_t begin, end;  // in the code
  };
  // The count of a group is in bit planes, slots at the end. The few outputs of a small one are counted at the end instead.
  struct Group {
    std::uint32_t plane = 0;
    int planes = 0;
    std::int64_t counted = 0;                // how many slots go into the planes
    std::int32_t base = 0;                   // what it counts anyway
    std::vector<std::uint32_t> plus, minus;  // of a small group: slots that count as they are, or negated
  };
  std::int64_t inputs = 0, slots = 0, values = 0, depth = 0, groups = 0, operations = 0;  // slots: values, then bit planes
  std::vector<Run> runs;
  std::vector<std::uint32_t> code;
  std::vector<Group> counts;
};

CircuitProgram schedule_circuit(std::int64_t inputs, const CircuitGraph& graph, const std::int64_t* ends, std::int64_t groups);

// Where the input bits come from. Input t * features + f is x[f] compared with threshold (t, f).
struct CircuitSource {
  enum Kind { kWords, kBytes, kFloats } kind;
  const void* x;                  // words (inputs, width), or (samples, features)
  std::int64_t samples, features, bits, width;
  const std::uint8_t* at_least;   // (bits, features): x >= it, of bytes
  const std::uint64_t* live;      // (bits, ceil(features / 64)): 0 where no byte is large enough
  const float* above;             // (bits, features): x > it, of floats
};

struct CircuitKernels {
  // Samples [begin, end) times 512, into scores (samples, groups).
  void (*run)(const CircuitProgram&, const CircuitSource&, std::int32_t* scores, std::int64_t begin, std::int64_t end);
};

#define ALGONETS_DECLARE(isa)                \
  namespace isa {                            \
  extern const CircuitKernels circuit;       \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
