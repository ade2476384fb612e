// Round trips: exactly by the dynamic program of Held and Karp, or by local search from the nearest neighbours.
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "../graph.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

class Tour {
 public:
  explicit Tour(std::int64_t nodes) : n_(nodes), cost_(nodes * nodes), order_(nodes) {}

  template <class In> void solve(const In* costs, bool exact, bool symmetric, In* solution) {
    std::copy(costs, costs + n_ * n_, cost_.begin());
    if (exact) held_karp();
    else local_search(symmetric);
    for (std::int64_t k = 0; k < n_; ++k) solution[order_[k] * n_ + order_[(k + 1) % n_]] = In(1);
  }

 private:
  double c(std::int64_t i, std::int64_t j) const { return cost_[i * n_ + j]; }

  // best[set][j]: cheapest way from node n - 1 through all of `set` that ends in j of it.
  void held_karp() {
    const std::int64_t m = n_ - 1, home = n_ - 1, sets = std::int64_t(1) << m;
    best_.assign(sets * m, std::numeric_limits<double>::infinity());
    for (std::int64_t j = 0; j < m; ++j) best_[(std::int64_t(1) << j) * m + j] = c(home, j);
    for (std::int64_t set = 1; set < sets; ++set)
      for (std::int64_t j = 0; j < m; ++j) {
        const std::int64_t rest = set & ~(std::int64_t(1) << j);
        if (rest == set || !rest) continue;
        double least = std::numeric_limits<double>::infinity();
        for (std::int64_t i = 0; i < m; ++i)
          if (rest >> i & 1) least = std::min(least, best_[rest * m + i] + c(i, j));
        best_[set * m + j] = least;
      }
    // Backwards by the same comparisons.
    std::int64_t set = sets - 1, next = home;
    order_[0] = home;
    for (std::int64_t k = m; k >= 1; --k) {
      std::int64_t chosen = -1;
      double least = std::numeric_limits<double>::infinity();
      for (std::int64_t i = 0; i < m; ++i) {
        if (!(set >> i & 1)) continue;
        const double through = best_[set * m + i] + c(i, next);
        if (chosen < 0 || through < least) least = through, chosen = i;
      }
      order_[k] = next = chosen;
      set &= ~(std::int64_t(1) << chosen);
    }
  }

  double length() const {
    double sum = 0;
    for (std::int64_t k = 0; k < n_; ++k) sum += c(order_[k], order_[(k + 1) % n_]);
    return sum;
  }

  void local_search(bool symmetric) {
    std::vector<std::int64_t> best;
    double least = std::numeric_limits<double>::infinity();
    const std::int64_t starts = std::min<std::int64_t>(n_, 8);
    for (std::int64_t s = 0; s < starts; ++s) {
      nearest(s * n_ / starts);
      while ((symmetric && two_opt()) || or_opt(symmetric)) {
      }
      const double now = length();
      if (best.empty() || now < least) least = now, best = order_;
    }
    order_ = best;
  }

  void nearest(std::int64_t start) {
    std::vector<char> seen(n_, 0);
    std::int64_t at = start;
    for (std::int64_t k = 0; k < n_; ++k) {
      order_[k] = at;
      seen[at] = 1;
      std::int64_t next = -1;
      for (std::int64_t j = 0; j < n_; ++j)
        if (!seen[j] && (next < 0 || c(at, j) < c(at, next))) next = j;
      at = next;
    }
  }

  // Reverse the best part, from place i + 1 to j.
  bool two_opt() {
    double gain = tolerance();
    std::int64_t at = -1, to = -1;
    for (std::int64_t i = 0; i + 2 < n_; ++i)
      for (std::int64_t j = i + 2; j < n_; ++j) {
        const std::int64_t a = order_[i], b = order_[i + 1], d = order_[j], e = order_[(j + 1) % n_];
        const double now = c(a, b) + c(d, e) - c(a, d) - c(b, e);
        if (now > gain) gain = now, at = i, to = j;
      }
    if (at < 0) return false;
    std::reverse(order_.begin() + at + 1, order_.begin() + to + 1);
    return true;
  }

  // Move a part of up to three nodes elsewhere, as it is or turned around.
  bool or_opt(bool symmetric) {
    double gain = tolerance();
    std::int64_t from = -1, size = 0, to = -1;
    bool turn = false;
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t l = 1; l <= 3 && l + 2 <= n_; ++l) {
        const std::int64_t before = node(i - 1), head = node(i), tail = node(i + l - 1), after = node(i + l);
        const double out = c(before, head) + c(tail, after) - c(before, after);
        for (std::int64_t k = i + l; k < i + n_ - 1; ++k) {  // between places k and k + 1
          const std::int64_t x = node(k), y = node(k + 1);
          const double there = out + c(x, y);
          const double straight = there - c(x, head) - c(tail, y);
          if (straight > gain) gain = straight, from = i, size = l, to = k, turn = false;
          if (!symmetric) continue;
          const double turned = there - c(x, tail) - c(head, y);
          if (turned > gain) gain = turned, from = i, size = l, to = k, turn = true;
        }
      }
    if (from < 0) return false;
    std::vector<std::int64_t> part, whole;
    for (std::int64_t k = 0; k < size; ++k) part.push_back(node(from + k));
    if (turn) std::reverse(part.begin(), part.end());
    for (std::int64_t k = from + size; k < from + n_; ++k) {
      whole.push_back(node(k));
      if (k == to) whole.insert(whole.end(), part.begin(), part.end());
    }
    order_ = whole;
    return true;
  }

  std::int64_t node(std::int64_t place) const { return order_[(place + n_) % n_]; }
  double tolerance() const {
    double size = 0;
    for (const double x : cost_) size = std::max(size, x < 0 ? -x : x);
    return 1e-12 * size;
  }

  std::int64_t n_;
  std::vector<double> cost_;
  std::vector<std::int64_t> order_;
  std::vector<double> best_;
};

template <class In> void tour(const TourCall<In>& c, ExampleRange range) {
  Tour solver(c.nodes);
  const std::int64_t size = c.nodes * c.nodes;
  for (std::int64_t b = range.begin; b < range.end; ++b)
    solver.solve(c.costs + b * size, c.exact, c.symmetric, c.solution + b * size);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
