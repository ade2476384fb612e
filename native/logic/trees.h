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

  ALGONETS_INLINE void read(const C* at, const std::int32_t* offsets) {
    for (int u = 0; u < leaves; ++u) v[u] = Row<C>::from(at + offsets[u] * kBlock<C>);
  }
  ALGONETS_INLINE const Row<C>& combine(const C* q) {
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

template <class C> ALGONETS_INLINE void to_bytes(const Row<C>& row, std::uint8_t* out) {
#if defined(__AVX512F__)
  if constexpr (sizeof(C) == 4) {  // GCC takes the lanes one by one
    _mm_storeu_si128((__m128i*)out, _mm512_maskz_cvtepi32_epi8(0xFFFF, _mm512_maskz_cvttps_epi32(0xFFFF, (__m512)row.v[0])));
    return;
  }
#endif
  alignas(64) C lanes[kBlock<C>];
  row.to(lanes);
  for (std::int64_t i = 0; i < kBlock<C>; ++i) out[i] = std::uint8_t(lanes[i]);
}
template <class C> ALGONETS_INLINE Row<C> from_bytes(const std::uint8_t* in) {
#if defined(__AVX512F__)
  if constexpr (sizeof(C) == 4) {
    Row<C> row;
    row.v[0] = (Vec<C>)_mm512_maskz_cvtepi32_ps(0xFFFF, _mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128((const __m128i*)in)));
    return row;
  }
#endif
  alignas(64) C lanes[kBlock<C>];
  for (std::int64_t i = 0; i < kBlock<C>; ++i) lanes[i] = C(in[i]);
  return Row<C>::from(lanes);
}

// Where the trees of a window stand, from its corner on.
struct Window {
  std::int64_t place[225];
  template <class C> explicit Window(const GateTrees<C>& c) {
    for (std::int64_t t = 0; t < c.pool * c.pool; ++t) place[t] = (t / c.pool * c.stride + t % c.pool) * kBlock<C>;
  }
};

// One value at P positions at a time, so that the coefficients of a gate are loaded once for all of them.
template <class C, int P> struct Rows {
  Row<C> at[P];
};

// Gate i of level l of the trees, or leaf i at level 0, with all that is below it.
template <class C, int D, int P, int level, int i>
ALGONETS_INLINE Rows<C, P> values(const C* const* images, const std::int32_t* offsets, const C* coefficients) {
  Rows<C, P> r;
  if constexpr (level == 0) {
    const std::int64_t offset = offsets[i] * kBlock<C>;
    for (int p = 0; p < P; ++p) r.at[p] = Row<C>::from(images[p] + offset);
  } else {
    constexpr int N = 1 << D, number = N - (N >> (level - 1)) + i;
    const Rows<C, P> a = values<C, D, P, level - 1, 2 * i>(images, offsets, coefficients);
    const Rows<C, P> b = values<C, D, P, level - 1, 2 * i + 1>(images, offsets, coefficients);
    for (int p = 0; p < P; ++p) r.at[p] = gate(coefficients + 4 * number, a.at[p], b.at[p]);
  }
  return r;
}

template <class C, int D> void trees_of(const GateTrees<C>& c, C* out, std::uint8_t* winners, BlockRange range) {
  constexpr std::int64_t L = kBlock<C>;
  constexpr int P = kParts<C> == 1 ? 4 : 1;
  const std::int64_t rows = c.rows / c.pool, columns = c.columns / c.pool, size = c.kernels * rows * columns;
  const int positions = int(c.pool * c.pool);
  const Window window(c);
  Scratch<C> image((c.image + size) * L);
  C* const result = image + c.image * L;
  for (std::int64_t block = range.begin; block < range.end; ++block) {
    pack_block(c.x, c.batch, c.image, block, image.data);
    C* to = result;
    std::uint8_t* winner = winners ? winners + block * size * L : nullptr;
    for (std::int64_t k = 0; k < c.kernels; ++k) {
      const std::int32_t* offsets = c.leaves + (k << D);
      const C* q = c.coefficients + 4 * k * Tree<C, D>::gates;
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j, to += L) {
          const C* const corner = image + (i * c.stride + j) * c.pool * L;
          Row<C> best, which = Row<C>::zero();
          int t = 0;
          for (; t + P <= positions; t += P) {
            const C* images[P];
            for (int p = 0; p < P; ++p) images[p] = corner + window.place[t + p];
            const Rows<C, P> found = values<C, D, P, D, 0>(images, offsets, q);
            for (int p = 0; p < P; ++p)
              if (t + p == 0) best = found.at[p];
              else keep_larger(best, which, found.at[p], t + p);
          }
          for (; t < positions; ++t) {
            const C* one = corner + window.place[t];
            const Row<C> found = values<C, D, 1, D, 0>(&one, offsets, q).at[0];
            if (t == 0) best = found;
            else keep_larger(best, which, found, t);
          }
          best.to(to);
          if (winner) {
            to_bytes(which, winner);
            winner += L;
          }
        }
    }
    unpack_block(result, c.batch, size, block, out);
  }
}

template <class C> ALGONETS_INLINE Row<C> where_equal(const Row<C>& which, int t, const Row<C>& yes, const Row<C>& no) {
  Row<C> r;
  for (int i = 0; i < kParts<C>; ++i) r.v[i] = which.v[i] == splat<C>(C(t)) ? yes.v[i] : no.v[i];
  return r;
}

// A window has one tree for each sample, that of its winner: its leaves are gathered and it is grown once more.
template <class C, int D> void trees_backward_of(const GateTrees<C>& c, const std::uint8_t* winners, const C* by_out, C* by_x, C* by_coefficients, BlockRange range) {
  constexpr std::int64_t L = kBlock<C>;
  constexpr int G = Tree<C, D>::gates, N = Tree<C, D>::leaves;
  const std::int64_t rows = c.rows / c.pool, columns = c.columns / c.pool, size = c.kernels * rows * columns;
  const int positions = int(c.pool * c.pool);
  const Window window(c);
  Scratch<C> image((c.image + size + (by_x ? c.image : 0)) * L);
  C *const by_result = image + c.image * L, *const by_image = by_result + size * L;
  for (std::int64_t block = range.begin; block < range.end; ++block) {
    pack_block(c.x, c.batch, c.image, block, image.data);
    pack_block(by_out, c.batch, size, block, by_result);
    if (by_x) std::memset(by_image, 0, sizeof(C) * c.image * L);
    const C* from = by_result;
    const std::uint8_t* winner = positions > 1 ? winners + block * size * L : nullptr;
    for (std::int64_t k = 0; k < c.kernels; ++k) {
      const std::int32_t* offsets = c.leaves + (k << D);
      const C* q = c.coefficients + 4 * k * G;
      Row<C> sums[G][4];
      for (auto& gate_sums : sums)
        for (auto& s : gate_sums) s = Row<C>::zero();
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j, from += L) {
          const C* const corner = image + (i * c.stride + j) * c.pool * L;
          Tree<C, D> tree;
          Row<C> which = Row<C>::zero(), back[N + G];
          tree.read(corner, offsets);
          if (winner) {
            which = from_bytes<C>(winner);
            winner += L;
            for (int t = 1; t < positions; ++t) {
              const C* at = corner + window.place[t];
              for (int u = 0; u < N; ++u) tree.v[u] = where_equal(which, t, Row<C>::from(at + offsets[u] * L), tree.v[u]);
            }
          }
          tree.combine(q);
          back[N + G - 1] = Row<C>::from(from);
          for (int g = G - 1; g >= 0; --g) {
            const Row<C>&a = tree.v[2 * g], &b = tree.v[2 * g + 1], up = back[N + g];
            const Row<C> ua = up * a;
            sums[g][0] = sums[g][0] + up;
            sums[g][1] = sums[g][1] + ua;
            sums[g][2] = sums[g][2] + up * b;
            sums[g][3] = sums[g][3] + ua * b;
            if (g < N / 2 && !by_x) continue;
            back[2 * g] = up * line(q[4 * g + 1], q[4 * g + 3], b);
            back[2 * g + 1] = up * line(q[4 * g + 2], q[4 * g + 3], a);
          }
          if (!by_x) continue;
          for (int t = 0; t < positions; ++t) {
            C* to = by_image + (corner - image.data) + window.place[t];
            for (int u = 0; u < N; ++u) {
              const Row<C> old = Row<C>::from(to + offsets[u] * L);
              where_equal(which, t, old + back[u], old).to(to + offsets[u] * L);
            }
          }
        }
      for (int g = 0; g < G; ++g)
        for (int s = 0; s < 4; ++s) by_coefficients[4 * (k * G + g) + s] += sums[g][s].sum();
    }
    if (by_x) unpack_block(by_image, c.batch, c.image, block, by_x);
  }
}

template <class C> void trees(const GateTrees<C>& c, C* out, std::uint8_t* winners, BlockRange range) {
  if (c.depth == 1) trees_of<C, 1>(c, out, winners, range);
  else if (c.depth == 2) trees_of<C, 2>(c, out, winners, range);
  else if (c.depth == 3) trees_of<C, 3>(c, out, winners, range);
  else trees_of<C, 4>(c, out, winners, range);
}

template <class C> void trees_backward(const GateTrees<C>& c, const std::uint8_t* winners, const C* by_out, C* by_x, C* by_coefficients, BlockRange range) {
  if (c.depth == 1) trees_backward_of<C, 1>(c, winners, by_out, by_x, by_coefficients, range);
  else if (c.depth == 2) trees_backward_of<C, 2>(c, winners, by_out, by_x, by_coefficients, range);
  else if (c.depth == 3) trees_backward_of<C, 3>(c, winners, by_out, by_x, by_coefficients, range);
  else trees_backward_of<C, 4>(c, winners, by_out, by_x, by_coefficients, range);
}

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
