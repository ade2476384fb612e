// Trees of soft gates over images, with pooling by the largest value. With the 2^D leaves and then the gates of a tree
// in one list, gate g takes entries 2 g and 2 g + 1 of it.
#pragma once

#include "../logic.h"
#include "row.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// The tree at one position: all its values, the root last.
template <class C, int D> struct Tree {
  static constexpr int leaves = 1 << D, gates = leaves - 1;
  Row<C> v[leaves + gates];

  ALGONETS_INLINE const Row<C>& grow(const C* at, const std::int32_t* offsets, const C* q) {
    for (int u = 0; u < leaves; ++u) v[u] = Row<C>::from(at + offsets[u] * kBlock<C>);
    for (int g = 0; g < gates; ++g) v[leaves + g] = gate(q + 4 * g, v[2 * g], v[2 * g + 1]);
    return v[leaves + gates - 1];
  }
};

// The larger of two rows, NaN if either is, and the number of the position that it came from, the first of equal ones.
template <class C> ALGONETS_INLINE void keep_larger(Row<C>& best, Row<C>& which, const Row<C>& r, int t) {
  for (int i = 0; i < kParts<C>; ++i) {
    const auto more = (r.v[i] > best.v[i]) | (r.v[i] != r.v[i]);
    best.v[i] = more ? r.v[i] : best.v[i];
    which.v[i] = more ? splat<C>(C(t)) : which.v[i];
  }
}

template <class C, int D> void trees_of(const GateTrees<C>& c, C* out, BlockRange range) {
  constexpr std::int64_t L = kBlock<C>;
  const std::int64_t rows = c.rows / c.pool, columns = c.columns / c.pool, size = c.kernels * rows * columns;
  Scratch<C> image(c.image * L), result(size * L);
  for (std::int64_t block = range.begin; block < range.end; ++block) {
    pack_block(c.x, c.batch, c.image, block, image.data);
    C* to = result.data;
    for (std::int64_t k = 0; k < c.kernels; ++k) {
      const std::int32_t* offsets = c.leaves + (k << D);
      const C* q = c.coefficients + 4 * k * Tree<C, D>::gates;
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j, to += L) {
          Row<C> best = Row<C>::zero(), which = best;
          for (int t = 0; t < c.pool * c.pool; ++t) {
            Tree<C, D> tree;
            const std::int64_t at = (i * c.pool + t / c.pool) * c.stride + j * c.pool + t % c.pool;
            const Row<C> r = tree.grow(image + at * L, offsets, q);
            if (t == 0) best = r;
            else keep_larger(best, which, r, t);
          }
          best.to(to);
        }
    }
    unpack_block(result.data, c.batch, size, block, out);
  }
}

template <class C> ALGONETS_INLINE bool select(const Row<C>& by, const Row<C>& which, int t, Row<C>& chosen) {
  Vec<C> any{};
  for (int i = 0; i < kParts<C>; ++i) {
    chosen.v[i] = which.v[i] == splat<C>(C(t)) ? by.v[i] : Vec<C>{};
    any += chosen.v[i] != Vec<C>{} ? splat<C>(1) : Vec<C>{};
  }
  return hsum(any) != 0;
}

template <class C, int D> void trees_backward_of(const GateTrees<C>& c, const C* by_out, C* by_x, C* by_coefficients, BlockRange range) {
  constexpr std::int64_t L = kBlock<C>;
  constexpr int G = Tree<C, D>::gates, N = Tree<C, D>::leaves;
  const std::int64_t rows = c.rows / c.pool, columns = c.columns / c.pool, size = c.kernels * rows * columns;
  Scratch<C> image(c.image * L), by_image(by_x ? c.image * L : 0), by_result(size * L);
  for (std::int64_t block = range.begin; block < range.end; ++block) {
    pack_block(c.x, c.batch, c.image, block, image.data);
    pack_block(by_out, c.batch, size, block, by_result.data);
    if (by_x) std::memset(by_image.data, 0, sizeof(C) * c.image * L);
    const C* from = by_result.data;
    for (std::int64_t k = 0; k < c.kernels; ++k) {
      const std::int32_t* offsets = c.leaves + (k << D);
      const C* q = c.coefficients + 4 * k * G;
      Row<C> sums[G][4];
      for (auto& gate_sums : sums)
        for (auto& s : gate_sums) s = Row<C>::zero();
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j, from += L) {
          const Row<C> by = Row<C>::from(from);
          Tree<C, D> tree;
          Row<C> best = Row<C>::zero(), which = best;
          const auto place = [&](int t) { return (i * c.pool + t / c.pool) * c.stride + j * c.pool + t % c.pool; };
          for (int t = 0; t < c.pool * c.pool; ++t) {
            const Row<C> r = tree.grow(image + place(t) * L, offsets, q);
            if (t == 0) best = r;
            else keep_larger(best, which, r, t);
          }
          for (int t = 0; t < c.pool * c.pool; ++t) {
            Row<C> back[N + G];
            if (!select(by, which, t, back[N + G - 1])) continue;
            if (c.pool > 1) tree.grow(image + place(t) * L, offsets, q);
            for (int g = G - 1; g >= 0; --g) {
              const Row<C>&a = tree.v[2 * g], &b = tree.v[2 * g + 1], up = back[N + g];
              const Row<C> ua = up * a;
              sums[g][0] = sums[g][0] + up;
              sums[g][1] = sums[g][1] + ua;
              sums[g][2] = sums[g][2] + up * b;
              sums[g][3] = sums[g][3] + ua * b;
              back[2 * g] = up * line(q[4 * g + 1], q[4 * g + 3], b);
              back[2 * g + 1] = up * line(q[4 * g + 2], q[4 * g + 3], a);
            }
            if (!by_x) continue;
            C* base = by_image + place(t) * L;
            for (int u = 0; u < N; ++u) (Row<C>::from(base + offsets[u] * L) + back[u]).to(base + offsets[u] * L);
          }
        }
      for (int g = 0; g < G; ++g)
        for (int s = 0; s < 4; ++s) by_coefficients[4 * (k * G + g) + s] += sums[g][s].sum();
    }
    if (by_x) unpack_block(by_image.data, c.batch, c.image, block, by_x);
  }
}

template <class C> void trees(const GateTrees<C>& c, C* out, BlockRange range) {
  if (c.depth == 1) trees_of<C, 1>(c, out, range);
  else if (c.depth == 2) trees_of<C, 2>(c, out, range);
  else if (c.depth == 3) trees_of<C, 3>(c, out, range);
  else trees_of<C, 4>(c, out, range);
}

template <class C> void trees_backward(const GateTrees<C>& c, const C* by_out, C* by_x, C* by_coefficients, BlockRange range) {
  if (c.depth == 1) trees_backward_of<C, 1>(c, by_out, by_x, by_coefficients, range);
  else if (c.depth == 2) trees_backward_of<C, 2>(c, by_out, by_x, by_coefficients, range);
  else if (c.depth == 3) trees_backward_of<C, 3>(c, by_out, by_x, by_coefficients, range);
  else trees_backward_of<C, 4>(c, by_out, by_x, by_coefficients, range);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
