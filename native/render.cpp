// Soft silhouettes: for each face the pixels in its reach, row by row, law by law, fold by fold.
//
// A fold is a sum of generators, or a maximum, so that laws and folds are separate loops over a strip of pixels. What
// lies outside of the reach of the law's quantile is never visited. Strips are padded to whole vectors, and so are the
// rows of the sums: there are no remainders.

#include "render.h"

#include <algorithm>

#include "render/folds.h"
#include "render/laws.h"
#include "render/triangle.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr int kStrip = 1024;  // pixels at a time: the arrays stay in the first caches

template <class C> FoldParameters fold_parameters(const Silhouette<C>& c) {
  FoldParameters k{c.p, std::log(c.p > 0 ? c.p : 1.0), 0};
  if (c.fold == 6) k.most = std::pow(1e300, 1 / (c.p + 1));
  if (c.fold == 7) k.most = std::pow(1e-300, 1 / (1 - c.p));
  return k;
}

// What all strips of one image share.
template <class C> struct Work {
  const Silhouette<C>& c;
  Rows rows;
  std::int64_t stride;
  Scratch<C> columns;
  Grid<C> grid;
  LawRow<C> law;
  LawFunction<C> law_function;
  FoldParameters fold;
  FoldFunctions<C> functions;
  double reach;
  const C* faces;
  std::int64_t count, first;
  alignas(64) C v[kStrip], F[kStrip], S[kStrip], f[kStrip], g[kStrip];

  Work(const Silhouette<C>& call, Rows r)
      : c(call), rows(r), stride(padded<C>(call.width) + Simd<C>::N), columns(stride),
        grid(call.height, call.width, columns.data), law_function(kLawRows<C>[call.law]), fold(fold_parameters(call)),
        functions(kFoldRows<C>[call.fold]) {
    const C scale = c.scale[r.image];
    const bool mirrored = c.law == 13 || c.law == 15 || c.law == 17;
    law.inverse = 1 / scale;
    law.location = C(mirrored ? c.shift : -c.shift);
    law.cut = C(c.cut) * scale;
    law.parameters = {c.shape, std::lgamma(c.shape)};
    const double deepest = std::max(0.0, -c.cut * double(scale));
    reach = c.squared ? std::sqrt(deepest) : deepest;
    const std::int64_t b = r.image / c.meshes, m = r.image % c.meshes;
    first = c.ends[m];
    count = c.ends[m + 1] - first;
    faces = c.faces + (b * c.total + first) * 6;
  }

  // Cuts the box of a face into strips of whole rows, or parts of rows where the image is wide.
  template <class Body> void strips(const Triangle<C>& t, std::int64_t x0, std::int64_t x1, Body body) const {
    const std::int64_t y0 = std::max(t.y0, rows.begin), y1 = std::min(t.y1, rows.end - 1);
    for (std::int64_t x = x0; x <= x1; x += kStrip) {
      const int n = int(std::min<std::int64_t>(padded<C>(x1 - x + 1), kStrip));
      const std::int64_t together = kStrip / n;
      for (std::int64_t y = y0; y <= y1; y += together) body(x, y, n, int(std::min(together, y1 - y + 1)));
    }
  }

  void distances(const Triangle<C>& t, std::int64_t x, std::int64_t y, int n, int lines) {
    const auto row = c.squared ? distance_row<C, true> : distance_row<C, false>;
    for (int k = 0; k < lines; ++k) row(t, n, grid.x + x, grid.y(y + k), v + k * n);
  }
};

template <class C> void forward(const Silhouette<C>& c, Rows rows) {
  FlushDenormals flush;
  Work<C> w(c, rows);
  const std::int64_t lines = rows.end - rows.begin;
  Scratch<C> sums(lines * w.stride);
  std::fill(sums.data, sums.data + lines * w.stride, C(0));
  const bool maximum = c.fold == kMax;
  for (std::int64_t j = 0; j < w.count; ++j) {
    Triangle<C> t;
    t.set(w.faces + 6 * j, w.grid, w.reach);
    w.strips(t, t.x0, t.x1, [&](std::int64_t x, std::int64_t y, int n, int h) {
      w.distances(t, x, y, n, h);
      // The maximum is looked for again in the backward pass, and must come from the very same code.
      w.law_function(w.law, n * h, w.v, w.F, w.S, maximum ? w.f : nullptr);
      if (!maximum) w.functions.value(w.fold, n * h, w.F, w.S, w.g);
      for (int k = 0; k < h; ++k) {
        C* sum = sums + ((y + k - rows.begin) * w.stride + x);
        const C* from = (maximum ? w.F : w.g) + k * n;
        for (int i = 0; i < n; i += Simd<C>::N)
          store(sum + i, maximum ? vmax(load(from + i), load(sum + i)) : load(sum + i) + load(from + i));
      }
    });
  }
  Scratch<C> alpha(w.stride);
  for (std::int64_t y = 0; y < lines; ++y) {
    const C* sum = sums + y * w.stride;
    w.functions.finish(w.fold, int(padded<C>(c.width)), sum, alpha.data, nullptr);
    const std::int64_t at = (rows.image * c.height + rows.begin + y) * c.width;
    std::copy(alpha.data, alpha.data + c.width, c.value + at);
    std::copy(sum, sum + c.width, c.sum + at);
  }
}

// How many fragments share the maximum of each pixel: they share its gradient.
template <class C> void divide_among_ties(Work<C>& w, const C* sums, C* slopes) {
  const std::int64_t lines = w.rows.end - w.rows.begin;
  Scratch<C> ties(lines * w.stride);
  std::fill(ties.data, ties.data + lines * w.stride, C(0));
  for (std::int64_t j = 0; j < w.count; ++j) {
    Triangle<C> t;
    t.set(w.faces + 6 * j, w.grid, w.reach);
    w.strips(t, t.x0, t.x1, [&](std::int64_t x, std::int64_t y, int n, int h) {
      w.distances(t, x, y, n, h);
      w.law_function(w.law, n * h, w.v, w.F, w.S, w.f);
      for (int k = 0; k < h; ++k) {
        const std::int64_t at = (y + k - w.rows.begin) * w.stride + x;
        for (int i = 0; i < n; ++i) ties[at + i] += w.F[k * n + i] == sums[at + i] ? C(1) : C(0);
      }
    });
  }
  for (std::int64_t i = 0; i < lines * w.stride; ++i) slopes[i] /= std::max(ties[i], C(1));
}

template <class C> void backward(const Silhouette<C>& c, Rows rows, const C* incoming, C* to_faces, C* to_scale) {
  FlushDenormals flush;
  Work<C> w(c, rows);
  const std::int64_t lines = rows.end - rows.begin;
  Scratch<C> slopes(lines * w.stride), sums(lines * w.stride), inverse(w.stride);
  Scratch<std::int64_t> first(lines), last(lines);  // columns between which a row has gradients
  const bool maximum = c.fold == kMax;
  for (std::int64_t y = 0; y < lines; ++y) {
    const std::int64_t at = (rows.image * c.height + rows.begin + y) * c.width;
    C *slope = slopes + y * w.stride, *sum = sums + y * w.stride;
    std::copy(c.sum + at, c.sum + at + c.width, sum);
    std::fill(sum + c.width, sum + w.stride, C(0));
    w.functions.finish(w.fold, int(padded<C>(c.width)), sum, nullptr, inverse.data);
    std::fill(slope + c.width, slope + w.stride, C(0));
    first[y] = c.width;
    last[y] = -1;
    for (std::int64_t x = 0; x < c.width; ++x) {
      slope[x] = incoming[at + x] == C(0) ? C(0) : incoming[at + x] * inverse[x];
      if (slope[x] != C(0)) {
        first[y] = std::min(first[y], x);
        last[y] = x;
      }
    }
  }
  if (maximum) divide_among_ties(w, sums.data, slopes.data);
  const auto gradient = c.squared ? gradient_row<C, true> : gradient_row<C, false>;
  C scaled = 0;
  for (std::int64_t j = 0; j < w.count; ++j) {
    Triangle<C> t;
    t.set(w.faces + 6 * j, w.grid, w.reach);
    std::int64_t x0 = c.width, x1 = -1;
    for (std::int64_t y = std::max(t.y0, rows.begin); y <= std::min(t.y1, rows.end - 1); ++y) {
      x0 = std::min(x0, first[y - rows.begin]);
      x1 = std::max(x1, last[y - rows.begin]);
    }
    C g[6] = {};
    w.strips(t, std::max(t.x0, x0), std::min(t.x1, x1), [&](std::int64_t x, std::int64_t y, int n, int h) {
      w.distances(t, x, y, n, h);
      w.law_function(w.law, n * h, w.v, w.F, w.S, w.f);
      w.functions.slope(w.fold, n * h, w.F, w.S, w.f);
      for (int k = 0; k < h; ++k) {
        const std::int64_t at = (y + k - rows.begin) * w.stride + x;
        C* f = w.f + k * n;
        for (int i = 0; i < n; i += Simd<C>::N) {
          Vec<C> d = load(f + i) * load(slopes + (at + i));
          if (maximum) d = load(w.F + (k * n + i)) == load(sums + (at + i)) ? d : Vec<C>{};
          store(f + i, d * w.law.inverse);
        }
        gradient(t, n, w.grid.x + x, w.grid.y(y + k), f, w.v + k * n, g, &scaled);
      }
    });
    const C* vertices = w.faces + 6 * j;
    for (int i = 0; i < 6; ++i)  // beyond the far limit coordinates are cut
      if (std::fabs(vertices[i]) <= Triangle<C>::kFar) to_faces[6 * j + i] += g[i];
  }
  *to_scale -= scaled * w.law.inverse;
}

// ---- exact visibility

// Twice the signed area over the edge a b at p: the ends in a fixed order, so that neighbours agree to the last bit.
inline double over_edge(const double* a, const double* b, double px, double py) {
  const bool swap = a[0] > b[0] || (a[0] == b[0] && a[1] > b[1]);
  const double *s = swap ? b : a, *e = swap ? a : b;
  const double area = (e[0] - s[0]) * (py - s[1]) - (e[1] - s[1]) * (px - s[0]);
  return swap ? -area : area;
}

void z_buffer_of(const ZBuffer& c) {
  Scratch<double> depth(c.height * c.width), columns(padded<double>(c.width) + Simd<double>::N);
  Grid<double> grid(c.height, c.width, columns.data);
  std::fill(depth.data, depth.data + c.height * c.width, std::numeric_limits<double>::infinity());
  std::fill(c.nearest, c.nearest + c.height * c.width, std::int64_t(-1));
  for (std::int64_t j = 0; j < c.count; ++j) {
    const double* v = c.faces + 9 * j;
    if (c.perspective && !(v[2] > 0 && v[5] > 0 && v[8] > 0)) continue;
    const double flat[6] = {v[0], v[1], v[3], v[4], v[6], v[7]};
    Triangle<double> t;
    t.set(flat, grid, 0);
    for (std::int64_t y = t.y0; y <= t.y1; ++y) {
      const double py = grid.y(y);
      for (std::int64_t x = t.x0; x <= t.x1; ++x) {
        const double px = grid.x[x];
        const double w0 = over_edge(flat + 2, flat + 4, px, py), w1 = over_edge(flat + 4, flat, px, py);
        const double w2 = over_edge(flat, flat + 2, px, py), total = w0 + w1 + w2;
        const bool inside = total > 0 ? (w0 >= 0 && w1 >= 0 && w2 >= 0) : total < 0 && w0 <= 0 && w1 <= 0 && w2 <= 0;
        if (!inside) continue;
        const double z = c.perspective ? total / (w0 / v[2] + w1 / v[5] + w2 / v[8])
                                       : (w0 * v[2] + w1 * v[5] + w2 * v[8]) / total;
        const std::int64_t at = y * c.width + x;
        if (z < depth[at]) {
          depth[at] = z;
          c.nearest[at] = j;
        }
      }
    }
  }
}

}  // namespace

extern const RenderKernels<float> render_float;
extern const RenderKernels<double> render_double;
extern void (*const z_buffer)(const ZBuffer&);
const RenderKernels<float> render_float = {forward<float>, backward<float>};
const RenderKernels<double> render_double = {forward<double>, backward<double>};
void (*const z_buffer)(const ZBuffer&) = z_buffer_of;

}  // namespace ALGONETS_ISA
}  // namespace algonets
