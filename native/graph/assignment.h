// The assignment problem by the algorithm of Jonker and Volgenant (1987): column reduction, augmenting row reduction,
// then shortest augmenting paths for the rows that are left. Dense rows are scanned by vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../graph.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

class Matcher {
 public:
  Matcher(std::int64_t rows, std::int64_t columns)
      : n_(rows), m_(columns), cost_(rows * columns), v_(columns), key_(columns), closed_(columns), from_(columns),
        column_(rows), row_(columns), shares_(rows, 0) {}

  template <class In> Outcome solve(const In* costs, double sign, In* solution) {
    if (n_ == 0) return kFound;
    const double limit = load(costs, sign);
    std::fill(column_.begin(), column_.end(), -1);
    std::fill(row_.begin(), row_.end(), -1);
    if (n_ == m_) {
      reduce_columns();
      transfer();
    } else {
      std::fill(v_.begin(), v_.end(), 0.0);
    }
    collect();
    for (int pass = 0; pass < 2 && !free_.empty(); ++pass) reduce_rows();
    for (const std::int64_t i : free_) augment(i);
    for (std::int64_t i = 0; i < n_; ++i)
      if (!(cost_[i * m_ + column_[i]] < limit)) return kInfeasible;
    for (std::int64_t i = 0; i < n_; ++i) solution[i * m_ + column_[i]] = In(1);
    return kFound;
  }

 private:
  // A forbidden pair becomes dearer than any matching without one. Returns that price.
  template <class In> double load(const In* costs, double sign) {
    const double far = std::numeric_limits<double>::infinity();
    const std::int64_t size = n_ * m_;
    double* const cost = cost_.data();
    double low = far, high = -far;
#pragma omp simd reduction(min : low) reduction(max : high)
    for (std::int64_t k = 0; k < size; ++k) {
      const double c = sign * double(costs[k]);
      cost[k] = c;
      low = c < low ? c : low;
      high = c > high ? c : high;
    }
    if (high < far) return far;
    high = -far;
    for (const double c : cost_)
      if (c < far && c > high) high = c;
    if (!(low <= high)) low = high = 0;
    const double price = high + (high - low + 1) * double(n_ + 1);
    for (double& c : cost_)
      if (!(c < far)) c = price;
    return price;
  }

  // Where a value stands that is in the array.
  static std::int64_t find(const double* key, double value, std::int64_t count) {
    std::int64_t j = 0;
    for (; j + 16 <= count; j += 16) {
      int here = 0;
#pragma omp simd reduction(| : here)
      for (std::int64_t q = 0; q < 16; ++q) here |= key[j + q] == value;
      if (here) break;
    }
    while (key[j] != value) ++j;
    return j;
  }

  void reduce_columns() {
    // Least cost of each column, and the row that has it; columns from the last to the first as in the paper.
    std::fill(v_.begin(), v_.end(), std::numeric_limits<double>::infinity());
    std::fill(from_.begin(), from_.end(), 0.0);
    double* const v = v_.data();
    double* const from = from_.data();
    for (std::int64_t i = 0; i < n_; ++i) {
      const double* row = cost_.data() + i * m_;
#pragma omp simd
      for (std::int64_t j = 0; j < m_; ++j) {
        const bool less = row[j] < v[j];
        v[j] = less ? row[j] : v[j];
        from[j] = less ? double(i) : from[j];
      }
    }
    for (std::int64_t j = m_ - 1; j >= 0; --j) {
      const std::int64_t i = std::int64_t(from_[j]);
      if (column_[i] < 0) {
        column_[i] = j;
        row_[j] = i;
      } else {
        shared_.push_back(i);
      }
    }
  }

  void transfer() {
    // A row that won one column only can give way by the distance to its second best.
    for (const std::int64_t i : shared_) shares_[i] = 1;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (column_[i] < 0 || shares_[i]) continue;
      const double* row = cost_.data() + i * m_;
      const std::int64_t own = column_[i];
      const double far = std::numeric_limits<double>::infinity();
      const double* const v = v_.data();
      double second = far;
#pragma omp simd reduction(min : second)
      for (std::int64_t j = 0; j < m_; ++j) {
        const double h = j == own ? far : row[j] - v[j];
        second = h < second ? h : second;
      }
      if (m_ > 1) v_[own] -= second;
    }
    for (const std::int64_t i : shared_) shares_[i] = 0;
    shared_.clear();
  }

  void collect() {
    free_.clear();
    for (std::int64_t i = 0; i < n_; ++i)
      if (column_[i] < 0) free_.push_back(i);
  }

  struct Two {
    double best, second;
    std::int64_t at, second_at;
  };

  Two two_best(std::int64_t i) {
    const double* row = cost_.data() + i * m_;
    const double* const v = v_.data();
    double* const h = key_.data();
    const double far = std::numeric_limits<double>::infinity();
    double best = far, second = far;
#pragma omp simd reduction(min : best)
    for (std::int64_t j = 0; j < m_; ++j) {
      h[j] = row[j] - v[j];
      best = h[j] < best ? h[j] : best;
    }
    const std::int64_t at = find(h, best, m_);
    h[at] = far;
#pragma omp simd reduction(min : second)
    for (std::int64_t j = 0; j < m_; ++j) second = h[j] < second ? h[j] : second;
    // Where the second is matters only for a tie.
    return {best, second, at, row_[at] >= 0 && second == best ? find(h, second, m_) : -1};
  }

  void reduce_rows() {
    // Each free row takes its best column, lowers its price, and the row that had it becomes free.
    todo_ = free_;
    free_.clear();
    std::int64_t left = 2 * n_ + 16;  // rounding must not make it circle: then the paths below do the rest
    for (std::size_t k = 0; k < todo_.size(); ++k) {
      std::int64_t i = todo_[k];
      while (true) {
        if (m_ == 1) {
          free_.push_back(i);
          break;
        }
        const Two t = two_best(i);
        std::int64_t j = t.at, before = row_[j];
        const bool lower = t.best < t.second;
        if (lower) v_[j] -= t.second - t.best;
        else if (before >= 0) {
          j = t.second_at;
          before = row_[j];
        }
        column_[i] = j;
        row_[j] = i;
        if (before < 0) break;
        column_[before] = -1;
        if (!lower || --left < 0) {
          free_.push_back(before);
          break;
        }
        i = before;
      }
    }
  }

  void augment(std::int64_t start) {
    const double far = std::numeric_limits<double>::infinity();
    double* const key = key_.data();
    double* const closed = closed_.data();
    double* const from = from_.data();
    const double* const v = v_.data();
    std::fill(key_.begin(), key_.end(), far);
    std::fill(closed_.begin(), closed_.end(), 0.0);
    visited_.clear();
    std::int64_t i = start, j = -1;
    double reached = 0, base = 0;
    while (true) {
      const double* row = cost_.data() + i * m_;
      const double name = double(i);
      double least = far;
#pragma omp simd reduction(min : least)
      for (std::int64_t q = 0; q < m_; ++q) {
        const double h = row[q] - v[q] + base + closed[q];
        const bool less = h < key[q];
        const double now = less ? h : key[q];
        key[q] = now;
        from[q] = less ? name : from[q];
        least = now < least ? now : least;
      }
      j = find(key, least, m_);
      reached = least;
      if (row_[j] < 0) break;
      visited_.push_back({j, reached});
      closed[j] = far;
      key[j] = far;
      i = row_[j];
      base = reached - (cost_[i * m_ + j] - v[j]);
    }
    for (const auto& [q, distance] : visited_) v_[q] += distance - reached;
    while (true) {
      i = std::int64_t(from_[j]);
      row_[j] = i;
      std::swap(column_[i], j);
      if (i == start) break;
    }
  }

  std::int64_t n_, m_;
  std::vector<double> cost_, v_, key_, closed_, from_;
  std::vector<std::int64_t> column_, row_, free_, todo_, shared_;
  std::vector<std::uint8_t> shares_;
  std::vector<std::pair<std::int64_t, double>> visited_;
};

template <class In> void assignment(const AssignmentCall<In>& c, ExampleRange range) {
  Matcher matcher(c.rows, c.columns);
  const std::int64_t size = c.rows * c.columns;
  for (std::int64_t b = range.begin; b < range.end; ++b)
    c.outcome[b] = matcher.solve(c.costs + b * size, c.sign, c.solution + b * size);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
