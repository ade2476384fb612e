// From a graph with negated edges to a program without: each gate is stored as it is or negated, whichever one
// operation gives. The order of the gates keeps values near: a level is walked from signal to signal, so that all who
// read a signal follow each other, and a slot is written again as soon as its last reader has run.

#include <algorithm>

#include "../circuit.h"

namespace algonets {
namespace {

constexpr std::size_t kChunk = 192;  // gates ordered by operation: all that they read and write fits the first-level cache

// Gates with the operation that computes them; nodes are numbered as in the graph.
struct Plan {
  std::vector<std::uint32_t> a, b;
  std::vector<std::uint8_t> operation, negated;
  std::vector<std::vector<std::uint32_t>> levels;

  Plan(std::size_t first, const CircuitGraph& graph) {
    const std::size_t nodes = first + graph.a.size();
    a.resize(nodes);
    b.resize(nodes);
    operation.resize(nodes);
    negated.resize(nodes);
    std::vector<std::uint32_t> level(nodes);
    for (std::size_t i = first; i < nodes; ++i) {
      const std::uint32_t p = graph.a[i - first], q = graph.b[i - first];
      a[i] = p >> 1;
      b[i] = q >> 1;
      level[i] = 1 + std::max(level[a[i]], level[b[i]]);
      if (level[i] > levels.size()) levels.emplace_back();
      levels[level[i] - 1].push_back(std::uint32_t(i));
      const bool not_a = (p & 1) ^ negated[a[i]], not_b = (q & 1) ^ negated[b[i]];
      if (graph.kind[i - first]) {
        operation[i] = kXor;
        negated[i] = not_a ^ not_b;
      } else if (not_a && not_b) {
        operation[i] = kOr;
        negated[i] = 1;
      } else {
        operation[i] = not_a || not_b ? kAndNot : kAnd;
        if (not_a) std::swap(a[i], b[i]);
      }
    }
  }
};

// Orders the gates of one level after the other: who reads a signal, then who reads their other signals, the last first.
class Walk {
 public:
  std::vector<std::uint32_t> order;

  explicit Walk(const Plan& plan) : plan_(plan), readers_(plan.a.size()), more_(2 * plan.a.size()), done_(plan.a.size()) {}

  void level(const std::vector<std::uint32_t>& gates) {
    for (std::size_t k = gates.size(); k-- > 0;) {
      add_reader(plan_.b[gates[k]], 2 * gates[k] + 1);
      add_reader(plan_.a[gates[k]], 2 * gates[k]);
    }
    const std::size_t start = order.size();
    for (const std::uint32_t gate : gates) {
      if (!done_[gate]) signals_.push_back(plan_.a[gate]);
      while (!signals_.empty()) {
        const std::uint32_t signal = signals_.back();
        signals_.pop_back();
        for (std::uint32_t r = readers_[signal]; r; r = more_[r])
          if (!done_[r >> 1]) emit(r >> 1, signal);
        readers_[signal] = 0;
      }
    }
    for (std::size_t k = start; k < order.size(); k += kChunk, up_ = !up_)  // up and down, so that runs go on in the next chunk
      std::stable_sort(order.begin() + k, order.begin() + std::min(k + kChunk, order.size()), [&](std::uint32_t x, std::uint32_t y) {
        return up_ ? plan_.operation[x] < plan_.operation[y] : plan_.operation[x] > plan_.operation[y];
      });
  }

 private:
  const Plan& plan_;
  std::vector<std::uint32_t> readers_, more_;  // lists of 2 gate + which input, by signal
  std::vector<std::uint32_t> signals_;
  std::vector<std::uint8_t> done_;
  bool up_ = true;

  void add_reader(std::uint32_t signal, std::uint32_t reader) {
    more_[reader] = readers_[signal];
    readers_[signal] = reader;
  }

  void emit(std::uint32_t gate, std::uint32_t signal) {
    done_[gate] = 1;
    signals_.push_back(plan_.a[gate] == signal ? plan_.b[gate] : plan_.a[gate]);
    order.push_back(gate);
  }
};

// Slots of the gates in this order; the slot that was freed last is taken first.
std::vector<std::uint32_t> assign(const Plan& plan, const std::vector<std::uint32_t>& order, const CircuitGraph& graph,
                                  std::size_t first, CircuitProgram& program) {
  constexpr std::uint32_t kKept = 0xFFFFFFFF, kUnread = kKept - 1;
  std::vector<std::uint32_t> slot(plan.a.size()), last(plan.a.size(), kUnread), free;
  for (std::size_t k = 0; k < order.size(); ++k) last[plan.a[order[k]]] = last[plan.b[order[k]]] = std::uint32_t(k);
  last[0] = kKept;
  for (const std::uint32_t l : graph.outputs) last[l >> 1] = kKept;
  for (std::size_t i = 1; i < first; ++i) slot[i] = std::uint32_t(i - 1);
  slot[0] = std::uint32_t(first - 1);  // the constant 0, which only an unsimplified circuit reads
  std::uint32_t used = std::uint32_t(first);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::uint32_t gate = order[k], a = plan.a[gate], b = plan.b[gate];
    if (last[b] == k) free.push_back(slot[b]);
    if (last[a] == k && a != b) free.push_back(slot[a]);
    if (free.empty()) {
      slot[gate] = used++;
    } else {
      slot[gate] = free.back();
      free.pop_back();
    }
    const std::int64_t here = std::int64_t(k);
    if (program.runs.empty() || program.runs.back().operation != plan.operation[gate]) program.runs.push_back({plan.operation[gate], here, here});
    program.runs.back().end = here + 1;
    program.gates.push_back({8 * slot[a], 8 * slot[b], 8 * slot[gate]});
    if (last[gate] == kUnread) free.push_back(slot[gate]);
  }
  program.slots = used;
  return slot;
}

}  // namespace

CircuitProgram schedule_circuit(std::int64_t inputs, const CircuitGraph& graph, const std::int64_t* ends, std::int64_t groups) {
  CircuitProgram program;
  program.inputs = inputs;
  program.groups = groups;
  Plan plan(1 + inputs, graph);
  program.depth = std::int64_t(plan.levels.size());
  Walk walk(plan);
  for (const auto& gates : plan.levels) walk.level(gates);
  const std::vector<std::uint32_t> slot = assign(plan, walk.order, graph, 1 + inputs, program);

  program.plus.resize(groups);
  program.minus.resize(groups);
  program.base.assign(groups, 0);
  std::int64_t k = 0;
  for (std::int64_t group = 0; group < groups; ++group) {
    for (; k < ends[group]; ++k) {
      const std::uint32_t l = graph.outputs[k];
      if (l < 2) {
        program.base[group] += std::int32_t(l);
      } else if ((l & 1) ^ plan.negated[l >> 1]) {
        program.minus[group].push_back(slot[l >> 1]);
      } else {
        program.plus[group].push_back(slot[l >> 1]);
      }
    }
    std::sort(program.plus[group].begin(), program.plus[group].end());
    std::sort(program.minus[group].begin(), program.minus[group].end());
  }
  return program;
}

}  // namespace algonets
