// From a graph with negated edges to a program without: each gate is stored as it is or negated, whichever one
// operation gives, and slots are used again once their last reader has run.

#include <algorithm>
#include <functional>

#include "../circuit.h"

namespace algonets {

CircuitProgram schedule_circuit(std::int64_t inputs, const CircuitGraph& graph, const std::int64_t* ends, std::int64_t groups) {
  CircuitProgram program;
  program.inputs = inputs;
  program.groups = groups;
  const std::int64_t gates = std::int64_t(graph.a.size()), nodes = 1 + inputs + gates;
  std::vector<std::uint8_t> negated(nodes, 0), operation(nodes, 0);
  std::vector<std::uint32_t> a(nodes), b(nodes), slot(nodes, 0);
  std::vector<std::int32_t> level(nodes, 0), last(nodes, -1);
  std::int32_t depth = 0;
  for (std::int64_t g = 0; g < gates; ++g) {
    const std::int64_t i = 1 + inputs + g;
    a[i] = graph.a[g] >> 1;
    b[i] = graph.b[g] >> 1;
    level[i] = 1 + std::max(level[a[i]], level[b[i]]);
    depth = std::max(depth, level[i]);
    const bool not_a = (graph.a[g] & 1) ^ negated[a[i]], not_b = (graph.b[g] & 1) ^ negated[b[i]];
    if (graph.kind[g]) {
      operation[i] = kXor;
      negated[i] = not_a ^ not_b;
    } else if (not_a && not_b) {
      operation[i] = kOr;
      negated[i] = 1;
    } else if (not_a || not_b) {
      operation[i] = kAndNot;
      if (not_b) std::swap(a[i], b[i]);
    }
    last[a[i]] = std::max(last[a[i]], level[i]);
    last[b[i]] = std::max(last[b[i]], level[i]);
  }
  program.depth = depth;
  for (const std::uint32_t l : graph.outputs) last[l >> 1] = depth + 1;

  std::vector<std::vector<std::uint32_t>> at_level(depth + 1), dies(depth + 2);
  for (std::int64_t i = 1 + inputs; i < nodes; ++i) at_level[level[i]].push_back(std::uint32_t(i));
  for (std::int64_t i = 1; i < nodes; ++i)
    if (last[i] >= 0 && last[i] <= depth) dies[last[i]].push_back(std::uint32_t(i));
  for (std::int64_t i = 1; i <= inputs; ++i) slot[i] = std::uint32_t(i - 1);
  slot[0] = std::uint32_t(inputs);  // the constant 0, which only an unsimplified circuit reads
  std::uint32_t used = std::uint32_t(inputs) + 1;
  std::vector<std::uint32_t> free;
  for (std::int32_t l = 1; l <= depth; ++l) {
    auto& members = at_level[l];
    for (const std::uint32_t i : members)
      if (operation[i] != kAndNot && slot[a[i]] > slot[b[i]]) std::swap(a[i], b[i]);
    std::sort(members.begin(), members.end(), [&](std::uint32_t x, std::uint32_t y) {
      return operation[x] != operation[y] ? operation[x] < operation[y] : slot[a[x]] != slot[a[y]] ? slot[a[x]] < slot[a[y]] : x < y;
    });
    std::sort(free.begin(), free.end(), std::greater<std::uint32_t>());
    for (const std::uint32_t i : members) {
      if (free.empty()) {
        slot[i] = used++;
      } else {
        slot[i] = free.back();
        free.pop_back();
      }
      const std::int64_t here = std::int64_t(program.a.size());
      if (program.runs.empty() || program.runs.back().operation != operation[i] || i == members.front())
        program.runs.push_back({operation[i], here, here});
      program.a.push_back(slot[a[i]]);
      program.b.push_back(slot[b[i]]);
      program.out.push_back(slot[i]);
      program.runs.back().end = here + 1;
    }
    for (const std::uint32_t i : dies[l]) free.push_back(slot[i]);
  }
  program.slots = used;
  program.plus.resize(groups);
  program.minus.resize(groups);
  program.base.assign(groups, 0);
  std::int64_t k = 0;
  for (std::int64_t group = 0; group < groups; ++group) {
    for (; k < ends[group]; ++k) {
      const std::uint32_t l = graph.outputs[k];
      if (l < 2) {
        program.base[group] += std::int32_t(l);
      } else if ((l & 1) ^ negated[l >> 1]) {
        program.minus[group].push_back(slot[l >> 1]);
        ++program.base[group];
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
