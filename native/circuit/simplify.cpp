// Gates of two inputs become an and-xor graph with free inverters: constants, wires, equal and dead gates go.

#include <algorithm>
#include <cstdint>

#include "../circuit.h"

namespace algonets {
namespace {

using Literal = std::uint32_t;

class Builder {
 public:
  Builder(std::int64_t inputs, std::int64_t gates, bool simplify) : simplify_(simplify), first_gate_(1 + inputs) {
    a_.reserve(gates);
    b_.reserve(gates);
    kind_.reserve(gates);
    if (!simplify) return;
    std::size_t size = 16;
    while (size < std::size_t(gates) * 2) size *= 2;
    table_.assign(size, 0);
  }

  Literal all(Literal a, Literal b) {  // a and b
    if (!simplify_) return make(a, b, 0);
    if (a == 0 || b == 0 || a == (b ^ 1)) return 0;
    if (a == 1 || a == b) return b;
    if (b == 1) return a;
    for (int side = 0; side < 2; ++side) {
      const Literal x = side ? b : a, y = side ? a : b;
      if (!is(y, 0)) continue;
      const Literal p = a_[gate(y)], q = b_[gate(y)];
      if (!(y & 1)) {
        if (p == x || q == x) return y;                  // x (x q) = x q
        if (p == (x ^ 1) || q == (x ^ 1)) return 0;      // x (~x q) = 0
      } else {
        if (p == (x ^ 1) || q == (x ^ 1)) return x;      // x ~(~x q) = x
        if (p == x) return all(x, q ^ 1);                // x ~(x q) = x ~q
        if (q == x) return all(x, p ^ 1);
      }
    }
    if (!(a & 1) && !(b & 1) && is(a, 0) && is(b, 0)) {
      const Literal p = a_[gate(a)], q = b_[gate(a)], r = a_[gate(b)], s = b_[gate(b)];
      if (p == (r ^ 1) || p == (s ^ 1) || q == (r ^ 1) || q == (s ^ 1)) return 0;  // (x q) (~x s) = 0
    }
    return make(a, b, 0);
  }

  Literal differ(Literal a, Literal b) {  // a xor b
    const Literal flip = (a ^ b) & 1;
    a &= ~Literal(1);
    b &= ~Literal(1);
    if (simplify_) {
      if (a == 0) return b ^ flip;
      if (b == 0) return a ^ flip;
      if (a == b) return flip;
      for (int side = 0; side < 2; ++side) {
        const Literal x = side ? b : a, y = side ? a : b;
        if (!is(y, 1)) continue;
        if (a_[gate(y)] == x) return b_[gate(y)] ^ flip;  // x xor (x xor q) = q
        if (b_[gate(y)] == x) return a_[gate(y)] ^ flip;
      }
    }
    return make(a, b, 1) ^ flip;
  }

  Literal function(int table, Literal a, Literal b) {
    if (!simplify_) {  // constants and wires cost a gate as well
      if (table == 0 || table == 15) return make(a & ~Literal(1), a & ~Literal(1), 1) ^ (table == 15);
      if (table == 3 || table == 12) return make(a, a, 0) ^ (table == 12);
      if (table == 5 || table == 10) return make(b, b, 0) ^ (table == 10);
    }
    const Literal flip = table >> 3;  // the value at 00; a table and its complement share a gate
    switch (flip ? 15 - table : table) {
      case 0: return flip;
      case 1: return all(a, b) ^ flip;
      case 2: return all(a, b ^ 1) ^ flip;
      case 3: return a ^ flip;
      case 4: return all(a ^ 1, b) ^ flip;
      case 5: return b ^ flip;
      case 6: return differ(a, b) ^ flip;
      default: return all(a ^ 1, b ^ 1) ^ 1 ^ flip;
    }
  }

  // Keep what the outputs need, in the same order.
  CircuitGraph finish(std::vector<Literal> outputs) const {
    const std::size_t count = a_.size();
    std::vector<std::uint8_t> live(count, !simplify_);
    const auto mark = [&](Literal l) {
      if ((l >> 1) >= first_gate_) live[(l >> 1) - first_gate_] = 1;
    };
    for (const Literal l : outputs) mark(l);
    for (std::size_t i = count; i-- > 0;)
      if (live[i]) {
        mark(a_[i]);
        mark(b_[i]);
      }
    std::vector<std::uint32_t> place(count);
    CircuitGraph graph;
    const auto moved = [&](Literal l) {
      return (l >> 1) < first_gate_ ? l : 2 * (first_gate_ + place[(l >> 1) - first_gate_]) + (l & 1);
    };
    for (std::size_t i = 0; i < count; ++i) {
      if (!live[i]) continue;
      place[i] = std::uint32_t(graph.a.size());
      graph.a.push_back(moved(a_[i]));
      graph.b.push_back(moved(b_[i]));
      graph.kind.push_back(kind_[i]);
    }
    for (Literal& l : outputs) l = moved(l);
    graph.outputs = std::move(outputs);
    return graph;
  }

 private:
  bool simplify_;
  std::uint32_t first_gate_;
  std::vector<Literal> a_, b_;
  std::vector<std::uint8_t> kind_;
  std::vector<std::uint32_t> table_;  // gate + 1, by its inputs

  std::size_t gate(Literal l) const { return (l >> 1) - first_gate_; }
  bool is(Literal l, int kind) const { return (l >> 1) >= first_gate_ && kind_[gate(l)] == kind; }

  Literal make(Literal a, Literal b, std::uint8_t kind) {
    if (a > b) std::swap(a, b);
    std::size_t at = 0;
    if (simplify_) {
      std::uint64_t h = (std::uint64_t(a) * 0x9E3779B97F4A7C15ull) ^ ((std::uint64_t(b) + kind * 77u) * 0xC2B2AE3D27D4EB4Full);
      const std::size_t mask = table_.size() - 1;
      for (at = (h ^ (h >> 29)) & mask; table_[at]; at = (at + 1) & mask) {
        const std::size_t g = table_[at] - 1;
        if (a_[g] == a && b_[g] == b && kind_[g] == kind) return 2 * (first_gate_ + std::uint32_t(g));
      }
    }
    a_.push_back(a);
    b_.push_back(b);
    kind_.push_back(kind);
    if (simplify_) table_[at] = std::uint32_t(a_.size());
    return 2 * (first_gate_ + std::uint32_t(a_.size() - 1));
  }
};

}  // namespace

CircuitGraph simplify_circuit(std::int64_t inputs, std::int64_t gates, const std::int32_t* first, const std::int32_t* second,
                              const std::uint8_t* table, std::int64_t outputs, const std::int32_t* output, bool simplify) {
  Builder builder(inputs, gates, simplify);
  std::vector<Literal> signal(inputs + gates);
  for (std::int64_t i = 0; i < inputs; ++i) signal[i] = Literal(2 * (i + 1));
  for (std::int64_t g = 0; g < gates; ++g)
    signal[inputs + g] = builder.function(table[g], signal[first[g]], signal[second[g]]);
  std::vector<Literal> wanted(outputs);
  for (std::int64_t k = 0; k < outputs; ++k) wanted[k] = signal[output[k]];
  return builder.finish(std::move(wanted));
}

}  // namespace algonets
