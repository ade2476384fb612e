// Cheapest paths on grids whose cells cost, by Dijkstra's algorithm, or Bellman and Ford's for negative costs.
//
// Where cells cost, not steps, the first neighbour that is settled is the best predecessor of a cell: each cell enters
// the heap once, with its final distance, and the search ends when the goal enters.
#pragma once

#include <limits>
#include <vector>

#include "../graph.h"
#include "heap.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

class Grid {
 public:
  Grid(std::int64_t height, std::int64_t width, int neighbours)
      : height_(height), width_(width), stride_(width + 2), cells_((height + 2) * (width + 2)), moves_(neighbours),
        cost_(cells_, 0.0), open_(cells_, 0), step_(cells_, 0), heap_(cells_), distance_() {
    const std::int64_t s = stride_;
    const std::int64_t steps[8] = {-s, -1, 1, s, -s - 1, -s + 1, s - 1, s + 1};
    for (int k = 0; k < 8; ++k) offset_[k] = std::int32_t(steps[k]);
  }

  template <class In> Outcome solve(const In* costs, std::int64_t start, std::int64_t goal, In* solution, bool negative) {
    load(costs);
    const std::int32_t from = padded(start), to = padded(goal);
    if (!open_[from] || !open_[to]) return kInfeasible;
    const Outcome outcome = negative ? bellman_ford(from, to) : dijkstra(from, to);
    if (outcome != kFound) return outcome;
    for (std::int32_t at = to;; at -= offset_[step_[at]]) {
      solution[(at / stride_ - 1) * width_ + at % stride_ - 1] = In(1);
      if (at == from) return kFound;
    }
  }

 private:
  std::int32_t padded(std::int64_t cell) const { return std::int32_t((cell / width_ + 1) * stride_ + cell % width_ + 1); }

  // A border of walls spares the checks of the edges.
  template <class In> void load(const In* costs) {
    for (std::int64_t y = 0; y < height_; ++y) {
      double* row = cost_.data() + (y + 1) * stride_ + 1;
      std::uint8_t* open = open_.data() + (y + 1) * stride_ + 1;
      for (std::int64_t x = 0; x < width_; ++x) {
        row[x] = double(costs[y * width_ + x]);
        open[x] = row[x] < std::numeric_limits<double>::infinity();
      }
    }
  }

  Outcome dijkstra(std::int32_t from, std::int32_t to) {
    if (from == to) return kFound;
    const double* const cost = cost_.data();
    std::uint8_t* const open = open_.data();
    heap_.clear();
    heap_.push(0.0, from);
    open[from] = 0;
    while (!heap_.empty()) {
      const Heap::Entry u = heap_.pop();
      for (int k = 0; k < moves_; ++k) {
        const std::int32_t v = u.node + offset_[k];
        if (!open[v]) continue;
        open[v] = 0;
        step_[v] = std::uint8_t(k);
        if (v == to) return kFound;
        heap_.push(u.key + cost[v], v);
      }
    }
    return kInfeasible;
  }

  // Sweeps until nothing changes; as many as there are cells mean that a cycle costs less than nothing.
  Outcome bellman_ford(std::int32_t from, std::int32_t to) {
    const double far = std::numeric_limits<double>::infinity();
    distance_.assign(cells_, far);
    distance_[from] = cost_[from];
    bool changed = true;
    for (std::int64_t sweep = 0; changed; ++sweep) {
      if (sweep > height_ * width_) return kNegativeCycle;
      changed = false;
      for (std::int32_t v = std::int32_t(stride_ + 1); v < cells_ - stride_ - 1; ++v) {
        if (!open_[v]) continue;
        for (int k = 0; k < moves_; ++k) {
          const double through = distance_[v - offset_[k]] + cost_[v];
          if (through < distance_[v]) {
            if (v == from) return kNegativeCycle;
            distance_[v] = through;
            step_[v] = std::uint8_t(k);
            changed = true;
          }
        }
      }
    }
    return distance_[to] < far ? kFound : kInfeasible;
  }

  std::int64_t height_, width_, stride_, cells_;
  int moves_;
  std::int32_t offset_[8];
  std::vector<double> cost_;
  std::vector<std::uint8_t> open_, step_;
  Heap heap_;
  std::vector<double> distance_;
};

template <class In> void grid_path(const GridPathCall<In>& c, ExampleRange range) {
  Grid grid(c.height, c.width, c.neighbours);
  const std::int64_t cells = c.height * c.width;
  for (std::int64_t b = range.begin; b < range.end; ++b)
    c.outcome[b] = grid.solve(c.costs + b * cells, c.ends[2 * b], c.ends[2 * b + 1], c.solution + b * cells, c.bellman_ford);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
