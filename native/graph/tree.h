// Cheapest spanning trees: edges in the order of their costs, each that joins two parts.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "../graph.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

template <class In> void spanning_tree(const SpanningTreeCall<In>& c, ExampleRange range) {
  std::vector<std::int64_t> order(c.edges), part(c.nodes);
  const auto find = [&](std::int64_t v) {
    while (part[v] != v) v = part[v] = part[part[v]];
    return v;
  };
  for (std::int64_t b = range.begin; b < range.end; ++b) {
    const In* costs = c.costs + b * c.edges;
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::int64_t x, std::int64_t y) {
      const double a = c.sign * double(costs[x]), d = c.sign * double(costs[y]);
      return a < d || (a == d && x < y);
    });
    std::iota(part.begin(), part.end(), 0);
    std::int64_t missing = c.nodes - 1;
    for (const std::int64_t e : order) {
      if (!missing) break;
      if (!std::isfinite(double(costs[e]))) continue;
      const std::int64_t u = find(c.ends[2 * e]), v = find(c.ends[2 * e + 1]);
      if (u == v) continue;
      part[u] = v;
      c.solution[b * c.edges + e] = In(1);
      --missing;
    }
    if (missing) std::fill(c.solution + b * c.edges, c.solution + (b + 1) * c.edges, In(0));
    c.outcome[b] = missing ? kInfeasible : kFound;
  }
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
