// The bit-packed run of a circuit: pack 512 samples (or a multiple), run the gates level by level, count the groups.

#include "circuit.h"

#include <algorithm>
#include <cstring>

#include "circuit/count.h"
#include "circuit/pack.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// Words of 64 samples a slot: eight fill a cache line; small programs take more at once, to spread the decoding.
template <int W, class F> ALGONETS_INLINE void gates(const CircuitProgram& p, const CircuitProgram::Run& run, u64* slots, F f) {
  const CircuitProgram::Gate* gate = p.gates.data();
  constexpr std::size_t scale = W / 8;
  const auto at = [&](std::uint32_t word) { return slots + word * scale; };
#pragma GCC unroll 4
  for (std::int64_t g = run.begin; g < run.end; ++g) {
    const u64 *x = at(gate[g].a), *y = at(gate[g].b);
    u64* to = at(gate[g].out);
#pragma omp simd aligned(x, y, to : 64)
    for (int k = 0; k < W; ++k) to[k] = f(x[k], y[k]);
  }
}

template <int W> void run_gates(const CircuitProgram& p, u64* slots, Ahead ahead) {
  const double share = double(ahead.lines) / double(p.gates.size());
  for (const auto& run : p.runs) {
    ahead.ask(std::int64_t(share * double(run.end - run.begin)) + 1);
    switch (run.operation) {
      case kAnd: gates<W>(p, run, slots, [](u64 x, u64 y) { return x & y; }); break;
      case kAndNot: gates<W>(p, run, slots, [](u64 x, u64 y) { return x & ~y; }); break;
      case kOr: gates<W>(p, run, slots, [](u64 x, u64 y) { return x | y; }); break;
      default: gates<W>(p, run, slots, [](u64 x, u64 y) { return x ^ y; }); break;
    }
  }
}

template <int W> void count_groups(const CircuitProgram& p, const u64* slots, std::int64_t start, std::int64_t samples, std::int32_t* scores) {
  alignas(64) std::int32_t totals[kPieceBits];
  const char* base = reinterpret_cast<const char*>(slots);
  for (std::int64_t offset = 0; offset < W * 8; offset += ALGONETS_BYTES) {
    const std::int64_t first = start + offset * 8, have = std::min<std::int64_t>(kPieceBits, samples - first);
    if (have <= 0) break;
    for (std::int64_t k = 0; k < p.groups; ++k) {
      for (auto& total : totals) total = p.base[k];
      const std::int64_t plus = p.plus[k].size(), minus = p.minus[k].size();
      for (std::int64_t at = 0; at < std::max(plus, minus); at += kSegment) {
        const std::int64_t n = std::clamp<std::int64_t>(plus - at, 0, kSegment), m = std::clamp<std::int64_t>(minus - at, 0, kSegment);
        Counter counter(base + offset, W * 8, planes_of(n + m));
        counter.add<false>(p.plus[k].data() + at, n);
        counter.add<true>(p.minus[k].data() + at, m);
        counter.add_to(totals);
      }
      std::int32_t* to = scores + first * p.groups + k;
      for (std::int64_t i = 0; i < have; ++i) to[i * p.groups] = totals[i];
    }
  }
}

template <int W> void run_wide(const CircuitProgram& p, const CircuitSource& source, std::int32_t* scores, std::int64_t begin, std::int64_t end) {
  Scratch<u64> slots(p.slots * W);
  Packer pack(source);
  std::memset(slots + p.inputs * W, 0, W * 8);
  const std::int64_t stop = std::min(end * 512, source.samples);
  for (std::int64_t start = begin * 512; start < stop; start += 64 * W) {
    for (std::int64_t w = 0; w < W; w += 8) pack(start + 64 * w, slots + w, W);
    run_gates<W>(p, slots.data, pack.ahead(start + 64 * W, W / 8));
    count_groups<W>(p, slots.data, start, stop, scores);
  }
}

void run(const CircuitProgram& p, const CircuitSource& source, std::int32_t* scores, std::int64_t begin, std::int64_t end) {
  // Wide slots while they stay in the first-level cache and there are samples for them.
  if (p.slots * 256 <= 32 * 1024 && (end - begin) >= 4) run_wide<32>(p, source, scores, begin, end);
  else run_wide<8>(p, source, scores, begin, end);
}

}  // namespace

extern const CircuitKernels circuit;
const CircuitKernels circuit = {run};

}  // namespace ALGONETS_ISA
}  // namespace algonets
