// The weights of the comparators for a tile of samples, whether given or computed from the items, and the way back for their gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "columns.h"
#include "samples.h"
#include "values.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// A batch of so few samples is done one by one: a tile would leave most lanes idle.
constexpr int64_t kFew = 1;

template <class C> int lanes_of(const NetworkCall<C>& call) { return call.batch <= kFew ? 1 : Simd<C>::N; }

template <class C> void forward(const NetworkCall<C>& call, const Pass<C>& pass) {
  (lanes_of(call) == 1 ? forward_of<C, false>(call.law) : forward_of<C, true>(call.law))(pass);
}
template <class C> void backward(const NetworkCall<C>& call, const Pass<C>& pass) {
  lanes_of(call) == 1 ? backward<C, false>(pass) : backward<C, true>(pass);
}

// 1 / scale of each lane; a scale below the smallest normal number counts as that.
template <class C> void inverses(const NetworkCall<C>& call, int64_t b, int samples, C* inverse) {
  constexpr int N = Simd<C>::N;
  for (int lane = 0; lane < N; ++lane) {
    const C scale = call.scale ? call.scale[(b + std::min(lane, samples - 1)) * call.scale_b] : C(call.width);
    inverse[lane] = C(1) / std::max(scale, std::numeric_limits<C>::min());
  }
}

template <class C> void load_rows(const C* rows, int64_t stride, int lanes, int samples, int64_t count, C* tile) {
  if (lanes == 1) std::copy(rows, rows + count, tile);
  else load_tile(rows, stride, samples, count, tile);
}
template <class C> void store_rows(const C* tile, int64_t count, int lanes, int samples, int64_t stride, C* rows) {
  if (lanes == 1) std::copy(tile, tile + count, rows);
  else store_tile(tile, count, samples, stride, rows);
}

// Write what a backward pass left in the wires, and the gradient of the scale.
template <class C>
void store_gradient(const NetworkCall<C>& call, int64_t b, int samples, const C* wires, const C* inverse, const double* by_scale,
                    const NetworkGradient<C>& gradient) {
  const int64_t n = call.plan->n;
  const int lanes = lanes_of(call);
  store_rows(wires, n, lanes, samples, n, gradient.keys + b * n);
  if (!gradient.scale) return;
  for (int s = 0; s < samples; ++s) {
    double total = by_scale[s];
    if (lanes == 1)  // the lanes were comparators of the one sample
      for (int lane = 1; lane < Simd<C>::N; ++lane) total += by_scale[lane];
    gradient.scale[b + s] = C(-total * double(inverse[s]));
  }
}

// The weights of the comparators: as tiles in the order of the comparators, or a row for each sample by slots.
template <class C> class Mixing {
 public:
  const NetworkCall<C>& call;
  const NetworkPlan& plan;
  const int lanes;

  // `order`: of the slots, for rows; null for tiles. `out`: where their gradient will go; null if it is not wanted.
  Mixing(const NetworkCall<C>& call, const NetworkOrder* order, const NetworkGradient<C>* out = nullptr)
      : call(call), plan(*call.plan), lanes(lanes_of(call)), order(order), out(out), given(call.law == kGiven), tiles(!order),
        size(plan.count * lanes), wires(given ? 0 : plan.n * lanes), alpha(size), beta(size),
        kept(given || !out ? 0 : size * Tape<C>::arrays(true, out->scale)), by_alpha(out ? size : 0), t(tiles ? 0 : size),
        sign(tiles ? 0 : size), by_rows(out && !tiles ? size : 0), turn(tiles ? 0 : plan.count) {
    if (!given && out) tape = Tape<C>::in(kept.data, size, true, out->scale);
  }

  // Make the weights of samples b .. b + samples, and zero their gradient.
  void start(int64_t b, int samples) {
    const int64_t count = plan.count;
    if (given) {
      load_rows(call.keys + b * count, count, lanes, samples, count, alpha.data);
      for (int64_t k = 0; k < count * lanes; ++k) beta[k] = 1 - alpha[k];
    } else {
      inverses(call, b, samples, inverse);
      load_rows(call.keys + b * plan.n, plan.n, lanes, samples, plan.n, wires.data);
      forward(call, {&plan, 0, count, wires.data, inverse, C(call.power), tape, alpha.data, beta.data, nullptr, nullptr});
    }
    if (!tiles) make_rows(samples);
    if (out) std::fill_n(tiles ? by_alpha.data : by_rows.data, size, C(0));
  }
  TileWeights<C> tile() const { return {alpha.data, beta.data}; }
  const C* alphas() const { return alpha.data; }
  C* by_tile() { return by_alpha.data; }
  // Until the next call.
  Weights<C> row(int sample) {
    const C* signs = sign + sample * plan.count;
    for (int64_t k = 0; k < plan.count; ++k) turn[k] = signs[k] < 0 ? -1 : 0;
    return {t + sample * plan.count, turn.data};
  }
  C* by_row(int sample) { return by_rows + sample * plan.count; }
  // Bring the gradient of the weights to the keys.
  void finish(int64_t b, int samples) {
    const int64_t count = plan.count;
    if (!tiles) take_rows(samples);
    if (given) {
      store_rows(by_alpha.data, count, lanes, samples, count, out->keys + b * count);
      return;
    }
    std::fill(wires.data, wires.data + plan.n * lanes, C(0));
    double by_scale[Simd<C>::N] = {};
    backward(call, {&plan, 0, count, wires.data, inverse, C(call.power), tape, nullptr, nullptr, by_alpha.data,
                    out->scale ? by_scale : nullptr});
    store_gradient(call, b, samples, wires.data, inverse, by_scale, *out);
  }

 private:
  const NetworkOrder* order;
  const NetworkGradient<C>* out;
  const bool given, tiles;
  const int64_t size;
  Scratch<C> wires, alpha, beta, kept, by_alpha, t, sign, by_rows;
  Tape<C> tape{};
  Scratch<int64_t> turn;
  alignas(64) C inverse[Simd<C>::N];

  // t = min(alpha, beta), and -1 where alpha is the smaller one.
  void make_rows(int samples) {
    const std::int32_t* at = order->at_slot.data();
    if (lanes == 1) {
      for (int64_t k = 0; k < plan.count; ++k) {
        const C a = alpha[at[k]], b = beta[at[k]];
        t[k] = a < b ? a : b;
        sign[k] = a < b ? C(-1) : C(1);
      }
      return;
    }
    constexpr int N = Simd<C>::N;
    const int64_t count = plan.count;
    const auto block = [&](int64_t from, int many) {
      alignas(64) C small[N * N], signs[N * N];
      for (int k = 0; k < many; ++k) {
        const Vec<C> a = load(alpha + at[from + k] * int64_t(N)), b = load(beta + at[from + k] * int64_t(N));
        store(small + k * N, vmin(a, b));
        store(signs + k * N, a < b ? splat<C>(-1) : splat<C>(1));
      }
      store_tile(small, many, samples, count, t + from);
      store_tile(signs, many, samples, count, sign + from);
    };
    for (int64_t k = 0; k < count; k += N) block(k, int(std::min<int64_t>(N, count - k)));
  }
  void take_rows(int samples) {
    const std::int32_t* at = order->at_slot.data();
    const int64_t count = plan.count;
    for (int64_t k = 0; k < count * samples; ++k) by_rows[k] *= sign[k];
    if (lanes == 1) {
      for (int64_t k = 0; k < count; ++k) by_alpha[at[k]] = by_rows[k];
      return;
    }
    constexpr int N = Simd<C>::N;
    for (int64_t from = 0; from < count; from += N) {
      alignas(64) C block[N * N];
      const int many = int(std::min<int64_t>(N, count - from));
      load_tile(by_rows + from, count, samples, many, block);
      for (int k = 0; k < many; ++k) store(by_alpha + at[from + k] * int64_t(N), load(block + k * N));
    }
  }
};

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
