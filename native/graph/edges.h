// Cheapest paths over edges: in topological order where there is one, else by Dijkstra, or Bellman and Ford.
#pragma once

#include <limits>
#include <vector>

#include "../graph.h"
#include "heap.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

template <class In> class Paths {
 public:
  explicit Paths(const ShortestPathCall<In>& c)
      : c_(c), heap_(c.nodes), distance_(c.nodes), parent_(c.nodes), arc_(c.nodes) {}

  Outcome solve(std::int64_t b) {
    costs_ = c_.costs + b * c_.edges;
    const std::int64_t from = c_.ends[2 * b], to = c_.ends[2 * b + 1];
    distance_.assign(c_.nodes, std::numeric_limits<double>::infinity());
    distance_[from] = 0;
    Outcome outcome = kFound;
    if (c_.order) topological();
    else if (c_.bellman_ford) outcome = bellman_ford(from);
    else dijkstra(from, to);
    if (outcome != kFound) return outcome;
    if (!(distance_[to] < std::numeric_limits<double>::infinity())) return kInfeasible;
    for (std::int64_t at = to; at != from; at = parent_[at]) c_.solution[b * c_.edges + c_.edge[arc_[at]]] = In(1);
    return kFound;
  }

 private:
  bool relax(std::int64_t u, std::int64_t a) {
    const std::int64_t v = c_.head[a];
    const double through = distance_[u] + double(costs_[c_.edge[a]]);
    if (!(through < distance_[v])) return false;
    distance_[v] = through;
    parent_[v] = u;
    arc_[v] = a;
    return true;
  }

  void topological() {
    for (std::int64_t k = 0; k < c_.nodes; ++k) {
      const std::int64_t u = c_.order[k];
      if (!(distance_[u] < std::numeric_limits<double>::infinity())) continue;
      for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) relax(u, a);
    }
  }

  void dijkstra(std::int64_t from, std::int64_t to) {
    heap_.clear();
    heap_.push(0.0, std::int32_t(from));
    while (!heap_.empty()) {
      const Heap::Entry top = heap_.pop();
      if (top.key > distance_[top.node]) continue;  // a better way was found since
      if (top.node == to) return;
      for (std::int64_t a = c_.first[top.node]; a < c_.first[top.node + 1]; ++a)
        if (relax(top.node, a)) heap_.push(distance_[c_.head[a]], std::int32_t(c_.head[a]));
    }
  }

  Outcome bellman_ford(std::int64_t from) {
    bool changed = true;
    for (std::int64_t sweep = 0; changed; ++sweep) {
      if (sweep > c_.nodes || distance_[from] < 0) return kNegativeCycle;
      changed = false;
      for (std::int64_t u = 0; u < c_.nodes; ++u) {
        if (!(distance_[u] < std::numeric_limits<double>::infinity())) continue;
        for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) changed |= relax(u, a);
      }
    }
    return kFound;
  }

  const ShortestPathCall<In>& c_;
  const In* costs_ = nullptr;
  Heap heap_;
  std::vector<double> distance_;
  std::vector<std::int64_t> parent_, arc_;
};

template <class In> void shortest_path(const ShortestPathCall<In>& c, ExampleRange range) {
  Paths<In> paths(c);
  for (std::int64_t b = range.begin; b < range.end; ++b) c.outcome[b] = paths.solve(b);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
