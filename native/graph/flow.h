// Largest flows by the algorithm of Dinic: blocking flows in layers of equal distance from the source.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../graph.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

template <class In> class Flow {
 public:
  explicit Flow(const MaxFlowCall<In>& c)
      : c_(c), first_(c.nodes + 1, 0), arc_(2 * c.edges), room_(2 * c.edges), level_(c.nodes), next_(c.nodes) {
    // Arc 2 e leads along edge e, arc 2 e + 1 back.
    for (std::int64_t e = 0; e < c.edges; ++e) {
      ++first_[c.ends[2 * e] + 1];
      ++first_[c.ends[2 * e + 1] + 1];
    }
    for (std::int64_t v = 0; v < c.nodes; ++v) first_[v + 1] += first_[v];
    std::vector<std::int64_t> at(first_.begin(), first_.end() - 1);
    for (std::int64_t e = 0; e < c.edges; ++e) {
      arc_[at[c.ends[2 * e]]++] = 2 * e;
      arc_[at[c.ends[2 * e + 1]]++] = 2 * e + 1;
    }
  }

  void solve(std::int64_t b) {
    const In* capacity = c_.capacities + b * c_.edges;
    double most = 0;
    for (std::int64_t e = 0; e < c_.edges; ++e) {
      const double room = double(capacity[e]);
      most = room > most ? room : most;
      room_[2 * e] = room;
      room_[2 * e + 1] = c_.directed ? 0.0 : room;
    }
    tiny_ = 1e-13 * most;  // what rounding leaves of a full arc
    while (layers()) {
      std::copy(first_.begin(), first_.end() - 1, next_.begin());
      while (push()) {
      }
    }
    for (std::int64_t e = 0; e < c_.edges; ++e) {
      c_.flow[b * c_.edges + e] = In(double(capacity[e]) - room_[2 * e]);
      const bool out = level_[c_.ends[2 * e]] >= 0, in = level_[c_.ends[2 * e + 1]] >= 0;
      if (c_.directed ? out && !in : out != in) c_.cut[b * c_.edges + e] = In(1);
    }
  }

 private:
  std::int64_t head(std::int64_t arc) const { return c_.ends[arc ^ 1]; }

  // Distances from the source over arcs with room; whether the target can be reached.
  bool layers() {
    std::fill(level_.begin(), level_.end(), -1);
    queue_.assign(1, c_.source);
    level_[c_.source] = 0;
    for (std::size_t k = 0; k < queue_.size(); ++k) {
      const std::int64_t u = queue_[k];
      for (std::int64_t i = first_[u]; i < first_[u + 1]; ++i) {
        const std::int64_t v = head(arc_[i]);
        if (level_[v] >= 0 || !(room_[arc_[i]] > tiny_)) continue;
        level_[v] = level_[u] + 1;
        queue_.push_back(v);
      }
    }
    return level_[c_.target] >= 0;
  }

  // One path down the layers, without recursion.
  bool push() {
    path_.clear();
    std::int64_t u = c_.source;
    while (u != c_.target) {
      bool forward = false;
      for (; next_[u] < first_[u + 1]; ++next_[u]) {
        const std::int64_t arc = arc_[next_[u]], v = head(arc);
        if (level_[v] != level_[u] + 1 || !(room_[arc] > tiny_)) continue;
        path_.push_back(arc);
        u = v;
        forward = true;
        break;
      }
      if (forward) continue;
      if (path_.empty()) return false;
      u = head(path_.back() ^ 1);
      path_.pop_back();
      ++next_[u];
    }
    double amount = std::numeric_limits<double>::infinity();
    for (const std::int64_t arc : path_) amount = std::min(amount, room_[arc]);
    for (const std::int64_t arc : path_) {
      room_[arc] -= amount;
      room_[arc ^ 1] += amount;
    }
    return true;
  }

  const MaxFlowCall<In>& c_;
  std::vector<std::int64_t> first_, arc_;
  std::vector<double> room_;
  std::vector<std::int64_t> level_, next_, queue_, path_;
  double tiny_ = 0;
};

template <class In> void max_flow(const MaxFlowCall<In>& c, ExampleRange range) {
  Flow<In> flow(c);
  for (std::int64_t b = range.begin; b < range.end; ++b) flow.solve(b);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
