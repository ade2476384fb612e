// Soft ranks, soft top-k masks and soft values by isotonic regression (Blondel et al. 2020, Sander et al. 2023).
//
// With s the items / strength in falling order and w the targets, y = phi(s - v) where v is constant on blocks such that
// sum(y) = sum(w) on each: phi(t) = t (squares), exp(t) (entropy), sign(t) |t|^(1 / (p - 1)). With c = phi'(s - v)
// the Jacobian of a block is diag(c) - c c^T / sum(c), and that to the targets c 1^T / sum(c).
// A block of one item is exactly its target. What is summed is summed in double, from the items themselves, so that a
// small strength does not cancel the digits of float32.

#include "isotonic.h"

#include "isotonic/argsort.h"
#include "isotonic/pool.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// Call body(start, stop) for each block.
template <class Body> void each_block(const std::int32_t* ends, std::int64_t blocks, Body body) {
  for (std::int64_t k = 0, start = 0; k < blocks; start = ends[k++]) body(start, std::int64_t(ends[k]));
}
template <class Body> void each_planned_block(const std::int32_t* last, std::int64_t n, Body body) {
  for (std::int64_t start = 0; start < n;) {
    const std::int64_t stop = last[start] + 1;
    body(start, stop);
    start = stop;
  }
}
void plan_blocks(const std::int32_t* ends, std::int64_t blocks, std::int32_t* last) {
  each_block(ends, blocks, [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t i = a; i < b; ++i) last[i] = static_cast<std::int32_t>(b - 1);
  });
}

// exp(first - s) of a block as weights of sum 1; s falls.
void block_softmax(const double* s, std::int64_t a, std::int64_t b, double* p) {
  double total = 0;
  for (std::int64_t i = a; i < b; ++i) total += p[i] = std::exp(s[i] - s[a]);
  for (std::int64_t i = a; i < b; ++i) p[i] /= total;
}

// ---- ranks and masks

template <class In> void project(const Projection<In>& c, RowRange rows) {
  const std::int64_t n = rows.n;
  const bool squares = c.kind == kSquares, entropy = c.kind == kEntropy, power = c.kind == kPower;
  Argsort<In> argsort(n);
  PoolSquares pool_squares(squares ? n : 0);
  PoolEntropy<PlainSum> pool_entropy(entropy ? n : 0);
  PoolPower pool_power(power ? n : 0);
  Scratch<double> s(n), u(n), w(n);
  const double scale = 1.0 / c.strength;
  for (std::int64_t i = 0; i < n; ++i) w[i] = double(n - i);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const In* x = c.x + row * n;
    In* y = c.y + row * n;
    std::int32_t *order = c.plan + 2 * row * n, *last = order + n;
    argsort(x, In(1), order);
    if (c.w)
      for (std::int64_t i = 0; i < n; ++i) w[i] = double(c.w[row * n + i]);
    for (std::int64_t i = 0; i < n; ++i) s[i] = double(x[order[i]]) * scale;
    const std::int32_t* ends;
    std::int64_t blocks;
    if (squares) {
      for (std::int64_t i = 0; i < n; ++i) u[i] = s[i] - w[i];
      blocks = pool_squares(u.data, n);
      ends = pool_squares.ends.data;
    } else if (entropy) {
      blocks = pool_entropy([&](std::int64_t i) { return s[i]; }, [&](std::int64_t i) { return PlainSum{w[i]}; }, n);
      ends = pool_entropy.ends.data;
    } else {
      blocks = pool_power(s.data, w.data, n, c.power);
      ends = pool_power.ends.data;
    }
    plan_blocks(ends, blocks, last);
    std::int64_t block = -1;
    each_block(ends, blocks, [&](std::int64_t a, std::int64_t b) {
      block += 1;
      if (b - a == 1) {
        y[order[a]] = In(w[a]);
        return;
      }
      double target = 0, total = 0;
#pragma omp simd reduction(+ : target, total)
      for (std::int64_t i = a; i < b; ++i) {
        target += w[i];
        total += s[i] - s[a];
      }
      if (squares) {
        const double shift = (target - total) / double(b - a) - s[a];
        for (std::int64_t i = a; i < b; ++i) y[order[i]] = In(s[i] + shift);
      } else if (entropy) {
        block_softmax(s.data, a, b, u.data);
        for (std::int64_t i = a; i < b; ++i) y[order[i]] = In(u[i] * target);
      } else {
        const double v = pool_power.values[block];
        for (std::int64_t i = a; i < b; ++i) y[order[i]] = In(signed_power(s[i] - v, c.power));
      }
    });
  }
}

// Squares: c = 1. A block of the whole row needs no order.
template <class In> void squares_gradient(const ProjectionGradient<In>& c, std::int64_t row, std::int64_t n) {
  const In* g = c.g + row * n;
  In *gx = c.gx + row * n, *gw = c.gw ? c.gw + row * n : nullptr;
  const std::int32_t *order = c.plan + 2 * row * n, *last = order + n;
  const double scale = 1.0 / c.strength;
  if (last[0] + 1 == n) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += double(g[i]);
    const double mean = sum / double(n);
    for (std::int64_t i = 0; i < n; ++i) gx[i] = In((double(g[i]) - mean) * scale);
    for (std::int64_t i = 0; gw && i < n; ++i) gw[i] = In(mean);
    return;
  }
  each_planned_block(last, n, [&](std::int64_t a, std::int64_t b) {
    double sum = 0;
    for (std::int64_t i = a; i < b; ++i) sum += double(g[order[i]]);
    const double mean = sum / double(b - a);
    for (std::int64_t i = a; i < b; ++i) gx[order[i]] = In((double(g[order[i]]) - mean) * scale);
    for (std::int64_t i = a; gw && i < b; ++i) gw[i] = In(mean);
  });
}

template <class In> void project_gradient(const ProjectionGradient<In>& c, RowRange rows) {
  const std::int64_t n = rows.n;
  const double scale = 1.0 / c.strength;
  Scratch<double> curvature(n);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    if (c.kind == kSquares) {
      squares_gradient(c, row, n);
      continue;
    }
    const In *g = c.g + row * n, *y = c.y + row * n;
    In *gx = c.gx + row * n, *gw = c.gw ? c.gw + row * n : nullptr;
    const std::int32_t *order = c.plan + 2 * row * n, *last = order + n;
    each_planned_block(last, n, [&](std::int64_t a, std::int64_t b) {
      if (b - a == 1) {
        gx[order[a]] = 0;
        if (gw) gw[a] = g[order[a]];
        return;
      }
      double total = 0, sum = 0;
      for (std::int64_t i = a; i < b; ++i) {
        const double value = double(y[order[i]]);
        // phi' as a function of y = phi: the slope of t^q at t = y^(1/q).
        curvature[i] = c.kind == kEntropy ? value : c.power * std::pow(std::fabs(value), 1.0 - 1.0 / c.power);
        total += curvature[i];
        sum += curvature[i] * double(g[order[i]]);
      }
      const double mean = total > 0 ? sum / total : 0;
      for (std::int64_t i = a; i < b; ++i) gx[order[i]] = In(curvature[i] * (double(g[order[i]]) - mean) * scale);
      for (std::int64_t i = a; gw && i < b; ++i) gw[i] = In(mean);
    });
  }
}

// ---- values

// With squares, y_i = mean of the block + (middle of the block - i) / strength; with entropy the same by log-sum-exp.
template <class In> void values(const SoftValues<In>& c, RowRange rows) {
  const std::int64_t n = rows.n;
  const In sign = c.descending ? 1 : -1;
  const double step = 1.0 / c.strength;
  Argsort<In> argsort(n);
  PoolSquares pool_squares(c.entropy ? 0 : n);
  PoolEntropy<LogSum> pool_entropy(c.entropy ? n : 0);
  Scratch<double> s(n), u(n);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const In* x = c.x + row * n;
    In* y = c.y + row * n;
    std::int32_t *order = c.plan + 2 * row * n, *last = order + n;
    argsort(x, sign, order);
    for (std::int64_t i = 0; i < n; ++i) s[i] = double(sign * x[order[i]]);
    const std::int32_t* ends;
    std::int64_t blocks;
    if (c.entropy) {
      blocks = pool_entropy([&](std::int64_t i) { return -double(i) * step; },
                            [&](std::int64_t i) { return LogSum{s[i], 1.0}; }, n);
      ends = pool_entropy.ends.data;
    } else {
      for (std::int64_t i = 0; i < n; ++i) u[i] = -double(i) * step - s[i];
      blocks = pool_squares(u.data, n);
      ends = pool_squares.ends.data;
    }
    plan_blocks(ends, blocks, last);
    each_block(ends, blocks, [&](std::int64_t a, std::int64_t b) {
      if (b - a == 1) {
        y[a] = x[order[a]];
        return;
      }
      double total = 0, share = 0, level;
      if (c.entropy) {
        for (std::int64_t i = a; i < b; ++i) {
          total += std::exp(s[i] - s[a]);
          share += std::exp(-double(i - a) * step);
        }
        level = s[a] + std::log(total) - std::log(share);
      } else {
        for (std::int64_t i = a; i < b; ++i) total += s[i] - s[a];
        level = s[a] + total / double(b - a) + 0.5 * double(b - 1 - a) * step;
      }
      for (std::int64_t i = a; i < b; ++i) y[i] = In(double(sign) * (level - double(i - a) * step));
    });
  }
}

template <class In> void values_gradient(const SoftValuesGradient<In>& c, RowRange rows) {
  const std::int64_t n = rows.n;
  const In sign = c.descending ? 1 : -1;
  Scratch<double> s(n), p(n);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const In* g = c.g + row * n;
    In* gx = c.gx + row * n;
    const std::int32_t *order = c.plan + 2 * row * n, *last = order + n;
    each_planned_block(last, n, [&](std::int64_t a, std::int64_t b) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = a; i < b; ++i) sum += double(g[i]);
      if (c.entropy) {
        for (std::int64_t i = a; i < b; ++i) s[i] = double(sign * c.x[row * n + order[i]]);
        block_softmax(s.data, a, b, p.data);
        for (std::int64_t i = a; i < b; ++i) gx[order[i]] = In(p[i] * sum);
      } else {
        const In mean = In(sum / double(b - a));
        for (std::int64_t i = a; i < b; ++i) gx[order[i]] = mean;
      }
    });
  }
}

template <class In> constexpr IsotonicKernels<In> table() {
  return {project<In>, project_gradient<In>, values<In>, values_gradient<In>};
}

}  // namespace

extern const IsotonicKernels<float> isotonic_float;
extern const IsotonicKernels<double> isotonic_double;
const IsotonicKernels<float> isotonic_float = table<float>();
const IsotonicKernels<double> isotonic_double = table<double>();

}  // namespace ALGONETS_ISA
}  // namespace algonets
