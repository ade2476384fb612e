// All walks from source to target at once: their soft least cost, and how often each edge is expected on a walk.
//
// Sums of exponentials would leave the range of numbers, and logarithms are slow. So every arc is measured against the
// cheapest way: with distances d, exp(-(d(u) + c - d(v)) / temperature) is at most 1, and 1 along the cheapest path.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../graph.h"
#include "heap.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

template <class In> class SoftPaths {
 public:
  explicit SoftPaths(const SoftPathCall<In>& c)
      : c_(c), heap_(c.nodes), distance_(c.nodes), weight_(c.arcs), ahead_(c.nodes), next_(c.nodes),
        reached_((c.order ? 1 : c.steps + 1) * c.nodes) {}

  std::uint8_t solve(std::int64_t b) {
    costs_ = c_.costs + b * c_.edges;
    In* const expected = c_.expected + b * c_.edges;
    const double far = std::numeric_limits<double>::infinity();
    if (c_.order) distances_in_order();
    else dijkstra();
    c_.value[b] = In(far);
    if (!(distance_[c_.target] < far)) return kInfeasible;
    for (std::int64_t u = 0; u < c_.nodes; ++u)
      for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) {
        const double cost = cost_of(a), over = distance_[u] + cost - distance_[c_.head[a]];
        const bool closed = u == c_.target || !(distance_[u] < far) || !(cost < far);
        weight_[a] = closed ? 0.0 : std::exp(-over / c_.temperature);
      }
    const double total = c_.order ? forward_in_order() : forward();
    if (!(total > 0) || !(total < far)) return kOutOfRange;
    c_.value[b] = In(distance_[c_.target] - c_.temperature * std::log(total));
    if (c_.order) backward_in_order(expected, total);
    else backward(expected, total);
    return kFound;
  }

 private:
  double cost_of(std::int64_t a) const { return double(costs_[c_.edge[a]]); }

  void distances_in_order() {
    distance_.assign(c_.nodes, std::numeric_limits<double>::infinity());
    distance_[c_.source] = 0;
    for (std::int64_t k = 0; k < c_.nodes; ++k) {
      const std::int64_t u = c_.order[k];
      if (!(distance_[u] < std::numeric_limits<double>::infinity()) || u == c_.target) continue;
      for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a)
        distance_[c_.head[a]] = std::min(distance_[c_.head[a]], distance_[u] + cost_of(a));
    }
  }

  void dijkstra() {
    distance_.assign(c_.nodes, std::numeric_limits<double>::infinity());
    distance_[c_.source] = 0;
    heap_.clear();
    heap_.push(0.0, std::int32_t(c_.source));
    while (!heap_.empty()) {
      const Heap::Entry top = heap_.pop();
      if (top.key > distance_[top.node] || top.node == c_.target) continue;
      for (std::int64_t a = c_.first[top.node]; a < c_.first[top.node + 1]; ++a) {
        const double through = top.key + cost_of(a);
        if (!(through < distance_[c_.head[a]])) continue;
        distance_[c_.head[a]] = through;
        heap_.push(through, std::int32_t(c_.head[a]));
      }
    }
  }

  double forward_in_order() {
    reached_.assign(c_.nodes, 0.0);
    reached_[c_.source] = 1;
    for (std::int64_t k = 0; k < c_.nodes; ++k) {
      const std::int64_t u = c_.order[k];
      if (reached_[u] == 0) continue;
      for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) reached_[c_.head[a]] += reached_[u] * weight_[a];
    }
    return reached_[c_.target];
  }

  void backward_in_order(In* expected, double total) {
    ahead_.assign(c_.nodes, 0.0);
    ahead_[c_.target] = 1 / total;
    for (std::int64_t k = c_.nodes - 1; k >= 0; --k) {
      const std::int64_t u = c_.order[k];
      for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) {
        const double onward = weight_[a] * ahead_[c_.head[a]];
        ahead_[u] += onward;
        expected[c_.edge[a]] += In(reached_[u] * onward);
      }
    }
  }

  // Row t: walks of exactly t steps; those that have reached the target stay out of later rows.
  double forward() {
    std::fill(reached_.begin(), reached_.end(), 0.0);
    reached_[c_.source] = 1;
    double total = reached_[c_.target];
    for (std::int64_t t = 0; t < c_.steps; ++t) {
      const double* const now = reached_.data() + t * c_.nodes;
      double* const then = reached_.data() + (t + 1) * c_.nodes;
      for (std::int64_t u = 0; u < c_.nodes; ++u) {
        if (now[u] == 0) continue;
        for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) then[c_.head[a]] += now[u] * weight_[a];
      }
      total += then[c_.target];
    }
    return total;
  }

  void backward(In* expected, double total) {
    // ahead: walks on to the target in at most as many steps as are left.
    ahead_.assign(c_.nodes, 0.0);
    ahead_[c_.target] = 1 / total;
    sums_.assign(c_.edges, 0.0);
    for (std::int64_t t = c_.steps - 1; t >= 0; --t) {
      const double* const now = reached_.data() + t * c_.nodes;
      for (std::int64_t u = 0; u < c_.nodes; ++u) {
        double onward = u == c_.target ? 1 / total : 0.0;
        for (std::int64_t a = c_.first[u]; a < c_.first[u + 1]; ++a) {
          const double step = weight_[a] * ahead_[c_.head[a]];
          onward += step;
          sums_[c_.edge[a]] += now[u] * step;
        }
        next_[u] = onward;
      }
      ahead_.swap(next_);
    }
    for (std::int64_t e = 0; e < c_.edges; ++e) expected[e] = In(sums_[e]);
  }

  const SoftPathCall<In>& c_;
  const In* costs_ = nullptr;
  Heap heap_;
  std::vector<double> distance_, weight_, ahead_, next_, reached_, sums_;
};

template <class In> void soft_path(const SoftPathCall<In>& c, ExampleRange range) {
  SoftPaths<In> paths(c);
  for (std::int64_t b = range.begin; b < range.end; ++b) c.outcome[b] = paths.solve(b);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
