// The alphas of a tile of samples, whether given or computed from the items, and the way back for their gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "values.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// A batch of so few samples is done one by one: a tile would leave most lanes idle.
constexpr int64_t kFew = 1;

template <class C> int lanes_of(const NetworkCall<C>& call) { return call.batch <= kFew ? 1 : Simd<C>::N; }

template <class C> const LawPasses<C>& passes_of(const NetworkCall<C>& call) {
  return lanes_of(call) == 1 ? passes<C, false>(call.law) : passes<C, true>(call.law);
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

template <class C> class Mixing {
 public:
  const NetworkCall<C>& call;
  const NetworkPlan& plan;
  const int lanes;

  // `tiles`: alphas are wanted as tiles, else as rows. `gradient`: they will be differentiated.
  Mixing(const NetworkCall<C>& call, bool tiles, bool gradient)
      : call(call), plan(*call.plan), lanes(lanes_of(call)), tiles(tiles || lanes == 1), given(call.law == kGiven),
        wires(given ? 0 : plan.n * lanes), alpha(given && !this->tiles ? 0 : plan.count * lanes),
        difference(given || !gradient ? 0 : plan.count * lanes),
        by_alpha(gradient && !(given && !this->tiles) ? plan.count * lanes : 0),
        alpha_rows(given || this->tiles ? 0 : plan.count * lanes),
        by_rows(gradient && !given && !this->tiles ? plan.count * lanes : 0), gradient(gradient) {}

  // Make the alphas of samples b .. b + samples, and zero their gradient.
  void start(int64_t b, int samples, const NetworkGradient<C>& out) {
    const int64_t count = plan.count;
    if (given) {
      if (tiles) load_rows(call.keys + b * count, count, lanes, samples, count, alpha.data);
    } else {
      inverses(call, b, samples, inverse);
      load_rows(call.keys + b * plan.n, plan.n, lanes, samples, plan.n, wires.data);
      Pass<C> pass{&plan, 0, count, wires.data, inverse, C(call.power), gradient ? difference.data : nullptr, alpha.data, nullptr, nullptr};
      passes_of(call).forward(pass);
      if (!tiles) store_tile(alpha.data, count, samples, count, alpha_rows.data);
    }
    if (!gradient) return;
    if (tiles) std::fill(by_alpha.data, by_alpha.data + count * lanes, C(0));
    else std::fill(by_row(b, 0, out), by_row(b, 0, out) + count * samples, C(0));
  }
  C* tile() { return alpha.data; }
  C* by_tile() { return by_alpha.data; }
  const C* row(int64_t b, int sample) {
    if (given) return call.keys + (b + sample) * plan.count;
    return tiles ? alpha.data : alpha_rows + sample * plan.count;
  }
  C* by_row(int64_t b, int sample, const NetworkGradient<C>& out) {
    if (given && !tiles) return out.keys + (b + sample) * plan.count;
    return tiles ? by_alpha.data : by_rows + sample * plan.count;
  }
  // Bring the gradient of the alphas to the keys.
  void finish(int64_t b, int samples, const NetworkGradient<C>& out) {
    const int64_t count = plan.count;
    if (given) {
      if (tiles) store_rows(by_alpha.data, count, lanes, samples, count, out.keys + b * count);
      return;
    }
    if (!tiles) load_tile(by_rows.data, count, samples, count, by_alpha.data);
    std::fill(wires.data, wires.data + plan.n * lanes, C(0));
    double by_scale[Simd<C>::N] = {};
    Pass<C> pass{&plan, 0, count, wires.data, inverse, C(call.power), difference.data, nullptr, by_alpha.data, out.scale ? by_scale : nullptr};
    passes_of(call).backward(pass);
    store_gradient(call, b, samples, wires.data, inverse, by_scale, out);
  }

 private:
  const bool tiles, given;
  Scratch<C> wires, alpha, difference, by_alpha, alpha_rows, by_rows;
  const bool gradient;
  alignas(64) C inverse[Simd<C>::N];
};

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
