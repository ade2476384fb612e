// The 0/1 knapsack with whole weights by dynamic programming over capacities.
#pragma once

#include <algorithm>
#include <vector>

#include "../graph.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

template <class In> void knapsack(const KnapsackCall<In>& c, ExampleRange range) {
  const std::int64_t room = c.capacity + 1;
  std::vector<double> before(room), after(room);
  std::vector<std::uint8_t> taken(c.n * room);
  for (std::int64_t b = range.begin; b < range.end; ++b) {
    std::fill(before.begin(), before.end(), 0.0);
    for (std::int64_t i = 0; i < c.n; ++i) {
      const double value = double(c.values[b * c.n + i]);
      const std::int64_t weight = c.weights[i];
      std::uint8_t* take = taken.data() + i * room;
      if (weight > c.capacity || !(value > 0)) {
        std::fill(take, take + room, std::uint8_t(0));
        continue;
      }
      std::fill(take, take + weight, std::uint8_t(0));
      std::copy(before.begin(), before.begin() + weight, after.begin());
      const double* old = before.data();
      double* now = after.data();
#pragma omp simd
      for (std::int64_t w = weight; w < room; ++w) {
        const double with = old[w - weight] + value;
        const bool better = with > old[w];
        now[w] = better ? with : old[w];
        take[w] = better;
      }
      before.swap(after);
    }
    for (std::int64_t i = c.n - 1, left = c.capacity; i >= 0; --i)
      if (taken[i * room + left]) {
        c.solution[b * c.n + i] = In(1);
        left -= c.weights[i];
      }
  }
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
