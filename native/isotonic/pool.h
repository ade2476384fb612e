// Pool adjacent violators: cut a row into the blocks on which a non-increasing isotonic regression is constant.
// All work in double. A result is the list of block ends, `ends[k]` being one past the last place of block k.
#pragma once

#include <cmath>
#include <cstdint>

#include "../simd.h"

namespace {

// Squares: blocks of the regression of u; the value of a block is its mean.
struct PoolSquares {
  Scratch<double> sums;
  Scratch<std::int32_t> ends;
  explicit PoolSquares(std::int64_t n) : sums(n + 1), ends(n + 1) {}

  std::int64_t operator()(const double* u, std::int64_t n) {
    std::int64_t blocks = 0, start = 0;  // of the finished blocks; `start` is where the open one begins
    double sum = u[0];
    for (std::int64_t i = 1; i <= n; ++i) {
      // Extend the open block while the next item lies above its mean; then join it backwards.
      if (i < n && sum < u[i] * double(i - start)) {
        sum += u[i];
        while (blocks > 0 && joins(blocks - 1, start, sum, i + 1)) {
          blocks -= 1;
          sum += sums[blocks];
          start = blocks ? ends[blocks - 1] : 0;
        }
        continue;
      }
      sums[blocks] = sum;
      ends[blocks] = static_cast<std::int32_t>(i);
      blocks += 1;
      if (i < n) {
        sum = u[i];
        start = i;
      }
    }
    return blocks;
  }

 private:
  ALGONETS_INLINE bool joins(std::int64_t block, std::int64_t start, double sum, std::int64_t stop) const {
    const std::int64_t before = block ? ends[block - 1] : 0;
    return sums[block] * double(stop - start) < sum * double(start - before);
  }
};

// log(sum(exp)) that can be joined.
struct LogSum {
  double top, sum;
  ALGONETS_INLINE double value() const { return top + std::log(sum); }
  ALGONETS_INLINE void join(const LogSum& other) {
    if (other.top > top) {
      sum = sum * std::exp(top - other.top) + other.sum;
      top = other.top;
    } else {
      sum += other.sum * std::exp(other.top - top);
    }
  }
};
// log(sum): +inf is the value of a block whose targets are all 0.
struct PlainSum {
  double sum;
  ALGONETS_INLINE double value() const { return std::log(sum); }
  ALGONETS_INLINE void join(const PlainSum& other) { sum += other.sum; }
};

// Entropy: the value of a block is log(sum(exp(s))) - log(sum of targets).
template <class Target> struct PoolEntropy {
  struct Block {
    LogSum scores;
    Target targets;
    double value;
  };
  Scratch<Block> stack;
  Scratch<std::int32_t> ends;
  explicit PoolEntropy(std::int64_t n) : stack(n), ends(n) {}

  template <class Score, class Wanted> std::int64_t operator()(Score score, Wanted wanted, std::int64_t n) {
    std::int64_t blocks = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      Block open{{score(i), 1.0}, wanted(i), 0.0};
      open.value = score(i) - open.targets.value();
      while (blocks > 0 && stack[blocks - 1].value < open.value) {
        blocks -= 1;
        open.scores.join(stack[blocks].scores);
        open.targets.join(stack[blocks].targets);
        open.value = open.scores.value() - open.targets.value();
      }
      stack[blocks] = open;
      ends[blocks] = static_cast<std::int32_t>(i + 1);
      blocks += 1;
    }
    return blocks;
  }
};

// sign(d) |d|^power, with the common whole powers by hand.
ALGONETS_INLINE double signed_power(double d, double power) {
  if (power == 1.0) return d;
  if (power == 2.0) return d * std::fabs(d);
  if (power == 3.0) return d * d * d;
  return std::copysign(std::pow(std::fabs(d), power), d);
}
ALGONETS_INLINE double slope_of_power(double d, double power) {
  if (power == 1.0) return 1.0;
  if (power == 2.0) return 2.0 * std::fabs(d);
  if (power == 3.0) return 3.0 * d * d;
  return power * std::pow(std::fabs(d), power - 1.0);
}

// |y|^p / p: the value v of a block solves sum(signed_power(s - v)) = sum of targets, power = 1 / (p - 1).
// A block is solved by Newton's method, which is dear: each round joins all that must be joined before it solves again.
struct PoolPower {
  Scratch<double> values;
  Scratch<std::int32_t> ends;
  explicit PoolPower(std::int64_t n) : values(n), ends(n) {}

  std::int64_t operator()(const double* s, const double* w, std::int64_t n, double power) {
    for (std::int64_t i = 0; i < n; ++i) {
      values[i] = s[i] - std::pow(w[i], 1.0 / power);
      ends[i] = static_cast<std::int32_t>(i + 1);
    }
    std::int64_t blocks = n;
    for (bool again = true; again;) {
      again = false;
      std::int64_t kept = 0, start = 0;
      for (std::int64_t k = 0; k < blocks;) {
        std::int64_t stop = k;
        while (stop + 1 < blocks && values[stop] < values[stop + 1]) stop += 1;
        const std::int32_t end = ends[stop];
        const double value = stop == k ? values[k] : solve(s, w, start, end, power);
        again |= stop != k;
        values[kept] = value;
        ends[kept] = end;
        kept += 1;
        start = end;
        k = stop + 1;
      }
      blocks = kept;
    }
    return blocks;
  }

 private:
  static double solve(const double* s, const double* w, std::int64_t start, std::int64_t end, double power) {
    double target = 0;
    for (std::int64_t i = start; i < end; ++i) target += w[i];
    // s falls: at `low` every term is at least the mean target, at `high` at most.
    const double even = std::pow(target / double(end - start), 1.0 / power);
    double low = s[end - 1] - even, high = s[start] - even;
    double v = std::fmin(high, std::fmax(low, s[start] - std::pow(target, 1.0 / power)));
    const double small = 4e-16 * (std::fabs(low) + std::fabs(high) + even);
    for (int round = 0; round < 200; ++round) {
      double excess = -target, slope = 0;
      for (std::int64_t i = start; i < end; ++i) {
        excess += signed_power(s[i] - v, power);
        slope += slope_of_power(s[i] - v, power);
      }
      (excess > 0 ? low : high) = v;
      const double next = v + excess / slope;
      if (std::fabs(next - v) <= small || excess == 0 || !(low < high)) break;
      v = next > low && next < high ? next : 0.5 * (low + high);
    }
    return v;
  }
};

}  // namespace
