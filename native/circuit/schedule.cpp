// From a graph to a program: cells in an order that keeps values near, in slots that are written again as soon as the
// last reader of a value has run; outputs are counted sixteen at a time soon after they are there.

#include <algorithm>
#include <utility>

#include "../circuit.h"
#include "cover.h"
#include "order.h"

namespace algonets {
namespace {

// Writes the program; the slot that was freed last is taken first.
class Emitter {
 public:
  Emitter(std::size_t first, const CircuitGraph& graph, const std::vector<Cell>& cells, const std::int64_t* ends, CircuitProgram& program)
      : graph_(graph), cells_(cells), program_(program), slot_(cells.size()), uses_(cells.size()), outputs_(cells.size()),
        more_(graph.outputs.size() + 1), group_(graph.outputs.size()), pending_(2 * program.groups), used_(std::uint32_t(first)) {
    for (std::size_t i = first; i < cells.size(); ++i)
      if (!cells[i].inside)
        for (int k = 0; k < cells[i].arity; ++k) ++uses_[cells[i].in[k]];
    for (std::size_t i = 1; i < first; ++i) slot_[i] = std::uint32_t(i - 1);
    slot_[0] = std::uint32_t(first - 1);  // the constant 0
    uses_[0] = 1u << 31;
    program.counts.resize(program.groups);
    std::int64_t k = 0;
    for (std::int64_t group = 0; group < program.groups; ++group) add_outputs(group, k, ends[group]), k = ends[group];
    for (std::size_t i = 1; i < first; ++i) count(std::uint32_t(i));
  }

  // Operations in this order, and the outputs among them.
  void emit(const std::uint32_t* nodes, std::size_t n) {
    for (std::size_t k = 0; k < n; ++k) operation(nodes[k]);
    for (std::size_t k = 0; k < n; ++k) count(nodes[k]);
  }

  // What is left of the outputs, and the bit planes.
  void finish() {
    for (std::size_t k = 0; k < pending_.size(); ++k)
      if (!pending_[k].empty()) {
        const std::size_t missing = kCounted - pending_[k].size();
        if (k & 1) program_.counts[k / 2].base -= std::int32_t(missing);
        pending_[k].resize(kCounted, 0);
        count_pending(k);
      }
    program_.values = used_;
    for (auto& group : program_.counts) {
      group.plane = 8 * used_;
      used_ += std::uint32_t(group.planes);
      const auto first = [&](std::uint32_t node) { return 8 * slot_[node]; };
      std::transform(group.plus.begin(), group.plus.end(), group.plus.begin(), first);
      std::transform(group.minus.begin(), group.minus.end(), group.minus.begin(), first);
    }
    program_.slots = used_;
  }

 private:
  const CircuitGraph& graph_;
  const std::vector<Cell>& cells_;
  CircuitProgram& program_;
  std::vector<std::uint32_t> slot_, uses_;
  std::vector<std::uint32_t> outputs_, more_, group_;  // lists of output + 1 by node
  std::vector<std::vector<std::uint32_t>> pending_;    // nodes to count, by group and whether negated
  std::vector<std::uint32_t> free_;
  std::uint32_t used_;

  void add_outputs(std::int64_t group, std::int64_t begin, std::int64_t end) {
    CircuitProgram::Group& to = program_.counts[group];
    const bool small = end - begin < kCounted;
    for (std::int64_t k = begin; k < end; ++k) {
      const std::uint32_t l = graph_.outputs[k], node = l >> 1;
      if (node == 0) {
        to.base += std::int32_t(l);
        continue;
      }
      ++uses_[node];
      group_[k] = std::uint32_t(group);
      if (small) {
        ((l & 1) ^ cells_[node].negated ? to.minus : to.plus).push_back(node);
      } else {
        more_[k + 1] = outputs_[node];
        outputs_[node] = std::uint32_t(k + 1);
      }
    }
  }

  void release(std::uint32_t node) {
    if (--uses_[node] == 0) free_.push_back(slot_[node]);
  }

  CircuitProgram::Run& run(int arity, int function) {
    const std::int64_t here = std::int64_t(program_.code.size());
    if (arity == 0 || program_.runs.empty() || program_.runs.back().arity != arity || program_.runs.back().function != function)
      program_.runs.push_back({std::uint8_t(arity), std::uint8_t(function), 0, 0, here, here});
    return program_.runs.back();
  }

  void operation(std::uint32_t node) {
    const Cell& cell = cells_[node];
    CircuitProgram::Run& here = run(cell.arity, cell.function);
    for (int k = 0; k < cell.arity; ++k) program_.code.push_back(8 * slot_[cell.in[k]]);
    for (int k = cell.arity; k-- > 0;) release(cell.in[k]);
    if (free_.empty()) free_.push_back(used_++);
    slot_[node] = free_.back();
    free_.pop_back();
    program_.code.push_back(8 * slot_[node]);
    here.end = std::int64_t(program_.code.size());
    ++program_.operations;
    if (uses_[node] == 0) free_.push_back(slot_[node]);
  }

  void count(std::uint32_t node) {
    for (std::uint32_t k = outputs_[node]; k; k = more_[k]) {
      const std::size_t list = 2 * group_[k - 1] + ((graph_.outputs[k - 1] & 1) ^ cells_[node].negated);
      pending_[list].push_back(node);
      if (pending_[list].size() == kCounted) count_pending(list);
    }
  }

  void count_pending(std::size_t list) {
    CircuitProgram::Group& group = program_.counts[list / 2];
    group.counted += kCounted;
    while ((std::int64_t(1) << group.planes) <= group.counted) ++group.planes;
    CircuitProgram::Run& here = run(0, list & 1);
    here.group = std::uint32_t(list / 2);
    here.planes = std::uint8_t(group.planes);
    for (const std::uint32_t node : pending_[list]) {
      program_.code.push_back(8 * slot_[node]);
      release(node);
    }
    here.end = std::int64_t(program_.code.size());
    pending_[list].clear();
  }
};

}  // namespace

CircuitProgram schedule_circuit(std::int64_t inputs, const CircuitGraph& graph, const std::int64_t* ends, std::int64_t groups) {
  CircuitProgram program;
  program.inputs = inputs;
  program.groups = groups;
  const std::size_t first = 1 + inputs;
  const Cover cover(first, graph);
  const auto& cells = cover.cells;
  std::vector<std::uint32_t> level(cells.size());
  for (std::size_t g = 0; g < graph.a.size(); ++g) {
    level[first + g] = 1 + std::max(level[graph.a[g] >> 1], level[graph.b[g] >> 1]);
    program.depth = std::max(program.depth, std::int64_t(level[first + g]));
  }
  const Walk walk(first, cells);
  Emitter emitter(first, graph, cells, ends, program);
  std::size_t begin = 0;
  for (const std::size_t end : walk.ends) {
    emitter.emit(walk.order.data() + begin, end - begin);
    begin = end;
  }
  emitter.finish();
  return program;
}

}  // namespace algonets
