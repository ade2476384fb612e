// Runs of layers of soft gates, and the coefficients of softmax gates.

#include "logic.h"

#include <vector>

#include "logic/row.h"
#include "logic/trees.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr std::int64_t kAhead = 12;  // gates by which backward asks for its lines

template <class C> void layer(const GateStack<C>& c, std::int64_t start, std::int64_t width, const C* x, C* y) {
  constexpr std::int64_t L = kBlock<C>;
  const std::int32_t *ia = c.first + start, *ib = c.second + start;
  const C* q = c.coefficients + 4 * start;
  for (std::int64_t j = 0; j < width; ++j)
    gate(q + 4 * j, Row<C>::from(x + ia[j] * L), Row<C>::from(x + ib[j] * L)).to(y + j * L);
}

template <class C>
void layer_backward(const GateStack<C>& c, std::int64_t start, std::int64_t width, const C* x, const C* g, C* gx, C* gc) {
  constexpr std::int64_t L = kBlock<C>;
  const std::int32_t *ia = c.first + start, *ib = c.second + start;
  const C* q = c.coefficients + 4 * start;
  gc += 4 * start;
  for (std::int64_t j = 0; j < width; ++j, q += 4) {
    if (gx && j + kAhead < width) {
      __builtin_prefetch(x + ia[j + kAhead] * L);
      __builtin_prefetch(x + ib[j + kAhead] * L);
      __builtin_prefetch(gx + ia[j + kAhead] * L, 1);
      __builtin_prefetch(gx + ib[j + kAhead] * L, 1);
    }
    const Row<C> a = Row<C>::from(x + ia[j] * L), b = Row<C>::from(x + ib[j] * L), by = Row<C>::from(g + j * L);
    add_sums(gc + 4 * j, by, a, b);
    if (!gx) continue;
    C *pa = gx + ia[j] * L, *pb = gx + ib[j] * L;
    (Row<C>::from(pa) + by * line(q[1], q[3], b)).to(pa);
    (Row<C>::from(pb) + by * line(q[2], q[3], a)).to(pb);
  }
}

template <class C> std::int64_t widest(const GateStack<C>& c) {
  std::int64_t most = c.in;
  for (std::int64_t l = 0; l < c.layers; ++l) most = std::max(most, c.widths[l]);
  return most;
}

template <class C> void sum_groups(const C* y, std::int64_t width, std::int64_t groups, C* out) {
  constexpr std::int64_t L = kBlock<C>;
  const std::int64_t each = width / groups;
  for (std::int64_t k = 0; k < groups; ++k) {
    Row<C> s = Row<C>::zero(), t = s;
    const C* p = y + k * each * L;
    std::int64_t i = 0;
    for (; i + 1 < each; i += 2) {
      s = s + Row<C>::from(p + i * L);
      t = t + Row<C>::from(p + (i + 1) * L);
    }
    if (i < each) s = s + Row<C>::from(p + i * L);
    (s + t).to(out + k * L);
  }
}

template <class C> void stack(const GateStack<C>& c, C* out, BlockRange range) {
  constexpr std::int64_t L = kBlock<C>;
  const std::int64_t most = widest(c), last = c.widths[c.layers - 1];
  Scratch<C> one(2 * most * L);
  Scratch<C> sums(std::max<std::int64_t>(c.groups, 1) * L);
  for (std::int64_t k = range.begin; k < range.end; ++k) {
    C *from = one.data, *to = one + most * L;
    pack_block(c.x, c.batch, c.in, k, from);
    for (std::int64_t l = 0, start = 0; l < c.layers; start += c.widths[l++]) {
      layer(c, start, c.widths[l], from, to);
      std::swap(from, to);
    }
    if (c.groups) {
      sum_groups(from, last, c.groups, sums.data);
      unpack_block(sums.data, c.batch, c.groups, k, out);
    } else {
      unpack_block(from, c.batch, last, k, out);
    }
  }
}

template <class C> void stack_backward(const GateStack<C>& c, const C* by_out, C* by_x, C* by_coefficients, BlockRange range) {
  constexpr std::int64_t L = kBlock<C>;
  const std::int64_t most = widest(c), last = c.widths[c.layers - 1];
  std::vector<std::int64_t> starts(c.layers), places(c.layers + 1);
  std::int64_t gates = 0, room = c.in;
  for (std::int64_t l = 0; l < c.layers; ++l) {
    starts[l] = gates;
    gates += c.widths[l];
    places[l + 1] = room;
    if (l + 1 < c.layers) room += c.widths[l];  // the last layer is not needed again
  }
  Scratch<C> signals((room + 2 * most) * L);
  Scratch<C> sums(std::max<std::int64_t>(c.groups, 1) * L);
  const std::int64_t in_cache = 24 * 1024 / 64;  // smaller signals need no touch
  for (std::int64_t k = range.begin; k < range.end; ++k) {
    pack_block(c.x, c.batch, c.in, k, signals.data);
    for (std::int64_t l = 0; l + 1 < c.layers; ++l)
      layer(c, starts[l], c.widths[l], signals + places[l] * L, signals + places[l + 1] * L);
    C *g = signals + room * L, *gx = g + most * L;
    if (c.groups) {
      pack_block(by_out, c.batch, c.groups, k, sums.data);
      const std::int64_t each = last / c.groups;
      for (std::int64_t j = 0; j < c.groups; ++j) {
        const Row<C> by = Row<C>::from(sums + j * L);
        for (std::int64_t i = j * each; i < (j + 1) * each; ++i) by.to(g + i * L);
      }
    } else {
      pack_block(by_out, c.batch, last, k, g);
    }
    for (std::int64_t l = c.layers - 1; l >= 0; --l) {
      const std::int64_t in = l ? c.widths[l - 1] : c.in;
      const bool needed = l || by_x;
      if (needed) std::memset(gx, 0, sizeof(C) * in * L);
      if (in > in_cache) touch(signals + places[l] * L, in);
      layer_backward(c, starts[l], c.widths[l], signals + places[l] * L, g, needed ? gx : nullptr, by_coefficients);
      std::swap(g, gx);
    }
    if (by_x) unpack_block(g, c.batch, c.in, k, by_x);
  }
}

// The sixteen gates as polynomials, coefficient by coefficient.
template <class C> struct GateTable {
  alignas(64) C c[4][16] = {{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1},
                            {0, 0, 1, 1, 0, 0, 1, 1, -1, -1, 0, 0, -1, -1, 0, 0},
                            {0, 0, 0, 0, 1, 1, 1, 1, -1, -1, -1, -1, 0, 0, 0, 0},
                            {0, 1, -1, 0, -1, 0, -2, -1, 1, 2, 0, 1, 0, 1, -1, 0}};
};
template <class C> constexpr GateTable<C> kGates{};

template <class C> struct Gates16 {
  static constexpr int parts = 16 / Simd<C>::N;
  Vec<C> v[parts];
  ALGONETS_INLINE explicit Gates16(const C* w) {  // softmax
    for (int i = 0; i < parts; ++i) v[i] = load<C>(w + i * Simd<C>::N);
    Vec<C> most = v[0];
    for (int i = 1; i < parts; ++i) most = vmax(most, v[i]);
    const C top = hmax(most);
    Vec<C> total{};
    for (int i = 0; i < parts; ++i) total += v[i] = vexp(v[i] - splat<C>(top));
    const C scale = 1 / hsum(total);
    for (int i = 0; i < parts; ++i) v[i] *= splat<C>(scale);
  }
  static ALGONETS_INLINE Vec<C> table(int k, int i) { return load<C>(&kGates<C>.c[k][i * Simd<C>::N]); }
};

template <class C> void coefficients16(const C* weights, C* out, BlockRange range) {
  for (std::int64_t j = range.begin; j < range.end; ++j) {
    const Gates16<C> p(weights + 16 * j);
    Vec<C> s[4];
    for (int k = 0; k < 4; ++k) {
      s[k] = p.v[0] * p.table(k, 0);
      for (int i = 1; i < p.parts; ++i) s[k] += p.v[i] * p.table(k, i);
    }
    four_sums(out + 4 * j, s[0], s[1], s[2], s[3]);
  }
}

template <class C> void coefficients16_backward(const C* weights, const C* by_out, C* by_weights, BlockRange range) {
  for (std::int64_t j = range.begin; j < range.end; ++j) {
    const Gates16<C> p(weights + 16 * j);
    Vec<C> by[Gates16<C>::parts], total{};
    for (int i = 0; i < p.parts; ++i) {
      by[i] = Vec<C>{};
      for (int k = 0; k < 4; ++k) by[i] += p.table(k, i) * splat<C>(by_out[4 * j + k]);
      total += by[i] * p.v[i];
    }
    const C mean = hsum(total);
    for (int i = 0; i < p.parts; ++i) store<C>(by_weights + 16 * j + i * Simd<C>::N, p.v[i] * (by[i] - splat<C>(mean)));
  }
}

}  // namespace

#define ALGONETS_TABLE(C)                                                                                           \
  {stack<C>, stack_backward<C>, trees<C>, trees_backward<C>, coefficients16<C>, coefficients16_backward<C>}
extern const LogicKernels<float> logic_float;
extern const LogicKernels<double> logic_double;
const LogicKernels<float> logic_float = ALGONETS_TABLE(float);
const LogicKernels<double> logic_double = ALGONETS_TABLE(double);
#undef ALGONETS_TABLE

}  // namespace ALGONETS_ISA
}  // namespace algonets
