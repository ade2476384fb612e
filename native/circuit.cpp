// The bit-packed run of a circuit: pack 512 samples (or a multiple), run the gates level by level, count the groups.

#include "circuit.h"

#include <algorithm>
#include <cstring>

#include "circuit/count.h"
#include "circuit/gates.h"
#include "circuit/pack.h"
#include "logic/row.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// Words of 64 samples a slot: eight fill a cache line; small programs take more at once, to spread the decoding.
template <int W> void run_program(const CircuitProgram& p, u64* base, Ahead ahead) {
  const Slots<W> slots(base);
  const double share = double(ahead.lines) / double(p.code.size());
  for (const auto& run : p.runs) {
    ahead.ask(std::int64_t(share * double(run.end - run.begin)) + 1);
    const std::uint32_t *code = p.code.data() + run.begin, *end = p.code.data() + run.end;
    if (run.arity) kGates<W>[run.function](code, end, base);
    else if (run.function) slots.template count16<true>(code, p.counts[run.group].plane, run.planes);
    else slots.template count16<false>(code, p.counts[run.group].plane, run.planes);
  }
}

// Counts of n <= 16 groups, (n, room), to their places in rows (samples, groups).
inline void write_rows(const std::int32_t* counts, std::int64_t room, std::int64_t n, std::int64_t samples, std::int32_t* rows, std::int64_t groups) {
  std::int64_t done = 0;
#if defined(__AVX512F__)
  alignas(64) float square[16 * 16];
  const __mmask16 kept = __mmask16((1u << n) - 1);
  for (; done + 16 <= samples; done += 16) {  // moves bits, whatever they mean
    transpose16(reinterpret_cast<const float*>(counts + done), room, square, 16);
    for (int i = 0; i < 16; ++i) _mm512_mask_storeu_ps(rows + (done + i) * groups, kept, _mm512_load_ps(square + 16 * i));
  }
#endif
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t i = done; i < samples; ++i) rows[i * groups + k] = counts[k * room + i];
}

template <int W> void count_groups(const CircuitProgram& p, u64* base, std::int64_t start, std::int64_t samples, std::int32_t* scores) {
  constexpr std::int64_t kRoom = kPieceBits + 16;  // rows of a power of two would compete for the same lines of the cache
  alignas(64) std::int32_t counts[16 * kRoom];
  const Slots<W> slots(base);
  const auto count = [&](const CircuitProgram::Group& group, std::int64_t offset, std::int32_t* totals) {
    std::fill(totals, totals + kPieceBits, group.base);
    if (group.planes) return add_planes(group.planes, [&](int k) -> const bitsv& { return slots.piece(group.plane + 8 * k, offset); }, totals);
    bitsv planes[4] = {};
    const auto plane = [&](int k) -> bitsv& { return planes[k]; };
    for (const std::uint32_t slot : group.plus) carry(slots.piece(slot, offset), 4, plane);
    for (const std::uint32_t slot : group.minus) carry(~slots.piece(slot, offset), 4, plane);
    add_planes(4, plane, totals);
  };
  for (std::int64_t offset = 0; offset < W * 8; offset += ALGONETS_BYTES) {
    const std::int64_t first = start + offset * 8, have = std::min<std::int64_t>(kPieceBits, samples - first);
    if (have <= 0) break;
    for (std::int64_t k = 0; k < p.groups; k += 16) {
      const std::int64_t n = std::min<std::int64_t>(16, p.groups - k);
      for (std::int64_t j = 0; j < n; ++j) count(p.counts[k + j], offset, counts + j * kRoom);
      write_rows(counts, kRoom, n, have, scores + first * p.groups + k, p.groups);
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
    std::memset(slots + p.values * W, 0, (p.slots - p.values) * W * 8);
    run_program<W>(p, slots.data, pack.ahead(start + 64 * W, W / 8));
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
