// One triangle: which pixels it reaches, its signed distance to the pixels of a row, and the gradient of that.
#pragma once

#include <algorithm>

#include "elementary.h"

namespace {

// Pixels: their coordinates, and the box of those whose centres are near.
template <class C> struct Grid {
  std::int64_t height, width, shorter;
  C* x;  // centres of the columns, padded
  Grid(std::int64_t h, std::int64_t w, C* columns) : height(h), width(w), shorter(std::min(h, w)), x(columns) {
    const std::int64_t n = padded<C>(w) + Simd<C>::N;
    for (std::int64_t i = 0; i < n; ++i) x[i] = C(2 * i + 1 - w) / C(shorter);
  }
  C y(std::int64_t row) const { return C(height - 1 - 2 * row) / C(shorter); }
  static std::int64_t whole(double v, std::int64_t low, std::int64_t high) {
    return std::int64_t(std::min(std::max(v, double(low)), double(high)));
  }
};

template <class C> struct Triangle {
  C ax[3], ay[3], ex[3], ey[3], il2[3], il[3];
  C turn;      // 1 if the vertices go round anticlockwise, else -1
  bool solid;  // it has an area
  std::int64_t x0, x1, y0, y1;  // the box of pixels in reach, inclusive; empty if x1 < x0 or y1 < y0

  static constexpr C kFar = C(1e5);

  void set(const C* v, const Grid<C>& grid, double reach) {
    C x[3], y[3];
    x1 = y1 = -1;
    x0 = y0 = 0;
    for (int k = 0; k < 3; ++k) {
      if (!(v[2 * k] == v[2 * k]) || !(v[2 * k + 1] == v[2 * k + 1])) return;
      x[k] = std::min(std::max(v[2 * k], -kFar), kFar);
      y[k] = std::min(std::max(v[2 * k + 1], -kFar), kFar);
    }
    // A little wider than need be: what counts is decided by the distance.
    const double s = double(grid.shorter), wider = reach * 1.00001 + 1e-5;
    const double left = std::min({x[0], x[1], x[2]}) - wider, right = std::max({x[0], x[1], x[2]}) + wider;
    const double low = std::min({y[0], y[1], y[2]}) - wider, high = std::max({y[0], y[1], y[2]}) + wider;
    x0 = Grid<C>::whole(std::ceil((left * s + double(grid.width - 1)) / 2), 0, grid.width);
    x1 = Grid<C>::whole(std::floor((right * s + double(grid.width - 1)) / 2), -1, grid.width - 1);
    y0 = Grid<C>::whole(std::ceil((double(grid.height - 1) - high * s) / 2), 0, grid.height);
    y1 = Grid<C>::whole(std::floor((double(grid.height - 1) - low * s) / 2), -1, grid.height - 1);
    const C area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
    turn = area > 0 ? C(1) : C(-1);
    solid = std::fabs(area) > C(1e-12);
    for (int k = 0; k < 3; ++k) {
      const int j = (k + 1) % 3;
      ax[k] = x[k];
      ay[k] = y[k];
      ex[k] = x[j] - x[k];
      ey[k] = y[j] - y[k];
      il2[k] = 1 / std::max(ex[k] * ex[k] + ey[k] * ey[k], std::numeric_limits<C>::min());
      il[k] = std::sqrt(il2[k]);
    }
  }
};

// What lies nearest to n pixels of one row: everything is by value, so that the loops keep it in registers.
template <class C> struct Nearest {
  using V = Vec<C>;
  V k1, k2;        // edge 1, edge 2 (else edge 0), as 0 or 1
  V t, dx, dy, d;  // place on the edge, pixel minus the nearest point, its square
  V side, cross;
  ALGONETS_INLINE Nearest(const Triangle<C>& f, V px, C py) {
    V dk[3], tk[3], xk[3], yk[3], ck[3];
    for (int k = 0; k < 3; ++k) {
      const V a = px - f.ax[k];
      const C b = py - f.ay[k];
      tk[k] = vmin(vmax((a * f.ex[k] + b * f.ey[k]) * f.il2[k], V{}), V{} + C(1));
      xk[k] = a - tk[k] * f.ex[k];
      yk[k] = b - tk[k] * f.ey[k];
      dk[k] = xk[k] * xk[k] + yk[k] * yk[k];
      ck[k] = f.ex[k] * b - f.ey[k] * a;
    }
    const auto one = dk[1] < dk[0];
    d = one ? dk[1] : dk[0];
    const auto two = dk[2] < d;
    d = two ? dk[2] : d;
    k2 = two ? V{} + C(1) : V{};
    k1 = two ? V{} : one ? V{} + C(1) : V{};
    t = two ? tk[2] : one ? tk[1] : tk[0];
    dx = two ? xk[2] : one ? xk[1] : xk[0];
    dy = two ? yk[2] : one ? yk[1] : yk[0];
    cross = two ? ck[2] : one ? ck[1] : ck[0];
    const V inner = vmin(ck[0] * f.turn, vmin(ck[1] * f.turn, ck[2] * f.turn));
    side = inner > C(0) ? V{} + (f.solid ? C(1) : C(-1)) : V{} + C(-1);
  }
};

// Signed distances, or signed squares, of n pixels (a multiple of the lanes).
template <class C, bool Squared>
__attribute__((noinline)) void distance_row(const Triangle<C>& f, int n, const C* px, C py, C* v) {
  for (int i = 0; i < n; i += Simd<C>::N) {
    const Nearest<C> at(f, load(px + i), py);
    store(v + i, at.side * (Squared ? at.d : vsqrt(at.d)));
  }
}

// Adds sum_i w[i] dv_i / d(vertices) to g[6], and sum_i w[i] v_i to *scaled.
template <class C, bool Squared>
__attribute__((noinline)) void gradient_row(const Triangle<C>& f, int n, const C* px, C py, const C* w, const C* v, C* g, C* scaled) {
  using V = Vec<C>;
  V g0{}, g1{}, g2{}, g3{}, g4{}, g5{}, s{};
  const C on_line = f.solid ? f.turn : C(0);
  for (int i = 0; i < n; i += Simd<C>::N) {
    const Nearest<C> at(f, load(px + i), py);
    const V weight = load(w + i);
    s += weight * load(v + i);
    V gx, gy;
    if constexpr (Squared) {
      gx = C(-2) * at.side * at.dx * weight;
      gy = C(-2) * at.side * at.dy * weight;
    } else {
      const V k0 = C(1) - at.k1 - at.k2;
      const V nx = -(k0 * (f.ey[0] * f.il[0]) + at.k1 * (f.ey[1] * f.il[1]) + at.k2 * (f.ey[2] * f.il[2]));
      const V ny = k0 * (f.ex[0] * f.il[0]) + at.k1 * (f.ex[1] * f.il[1]) + at.k2 * (f.ex[2] * f.il[2]);
      const V factor = at.cross == C(0) ? V{} + on_line : at.cross > C(0) ? at.side : -at.side;
      const V inverse = at.d > C(0) ? C(1) / vsqrt(at.d) : V{};
      const auto before = at.t > C(0), after = at.t < C(1);
      const V ox = at.side * at.dx * inverse, oy = at.side * at.dy * inverse;
      gx = -weight * (before ? (after ? factor * nx : ox) : ox);
      gy = -weight * (before ? (after ? factor * ny : oy) : oy);
    }
    const V tb = at.t, ta = C(1) - at.t, k0 = C(1) - at.k1 - at.k2;
    const V m0 = k0 * ta + at.k2 * tb, m1 = k0 * tb + at.k1 * ta, m2 = at.k1 * tb + at.k2 * ta;
    g0 += gx * m0;
    g1 += gy * m0;
    g2 += gx * m1;
    g3 += gy * m1;
    g4 += gx * m2;
    g5 += gy * m2;
  }
  g[0] += hsum(g0);
  g[1] += hsum(g1);
  g[2] += hsum(g2);
  g[3] += hsum(g3);
  g[4] += hsum(g4);
  g[5] += hsum(g5);
  *scaled += hsum(s);
}

}  // namespace
