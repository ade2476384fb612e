// Kernels of the sorting networks: values and alphas, the permutation matrix, payloads, and the cross-entropy of the
// matrix, each with its gradient. Nothing but the inputs is kept between a forward and a backward pass.
//
// Values: a tile of samples, one a lane. Matrix: for small n likewise, else by blocks of columns that go through the
// network in cache, skipping the comparators whose wires hold only zeros (`NetworkRuns`). Payloads: few columns as the
// small matrix, many as the large one.

#include "network.h"

#include <cmath>

#include "network/columns.h"
#include "network/cross_entropy.h"
#include "network/laws.h"
#include "network/mixing.h"
#include "network/samples.h"
#include "network/tile.h"
#include "network/values.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr int kWide = 128 / ALGONETS_BYTES;  // vectors in a block of columns

template <class C> int64_t block_width(int64_t n, int64_t batch) {
  constexpr int N = Simd<C>::N;
  if (n <= kBySamples && batch > kFew) return 0;
  return n <= N ? N : kWide * N;
}

// ---- values ----------------------------------------------------------------------------------------------------------

template <class C> void values(const NetworkCall<C>& call, int64_t begin, int64_t end, C* y) {
  const NetworkPlan& plan = *call.plan;
  const int lanes = lanes_of(call);
  Scratch<C> wires(plan.n * lanes);
  alignas(64) C inverse[Simd<C>::N];
  for (int64_t b = begin; b < end; b += lanes) {
    const int samples = int(std::min<int64_t>(lanes, end - b));
    inverses(call, b, samples, inverse);
    load_rows(call.keys + b * plan.n, plan.n, lanes, samples, plan.n, wires.data);
    forward(call, {&plan, 0, plan.count, wires.data, inverse, C(call.power), {}, nullptr, nullptr, nullptr, nullptr});
    store_rows(wires.data, plan.n, lanes, samples, plan.n, y + b * plan.n);
  }
}

template <class C> void alphas(const NetworkCall<C>& call, int64_t begin, int64_t end, C* out) {
  Mixing<C> mixing(call, nullptr);
  const int64_t count = call.plan->count;
  for (int64_t b = begin; b < end; b += mixing.lanes) {
    const int samples = int(std::min<int64_t>(mixing.lanes, end - b));
    mixing.start(b, samples);
    store_rows(mixing.alphas(), count, mixing.lanes, samples, count, out + b * count);
  }
}

// A tape is kept for a segment of comparators at a time, made anew from the wires before it: for large n the memory is
// that of about sqrt(n C) comparators.
constexpr int64_t kSegment = 32768;  // of this many comparators an array of a tile is 2 MB

template <class C>
void keys_gradient(const NetworkCall<C>& call, int64_t begin, int64_t end, const C* by_values, const C* by_alphas,
                   const NetworkGradient<C>& out) {
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n, count = plan.count;
  const int lanes = lanes_of(call);
  const int64_t segment = std::min(count, std::max<int64_t>(kSegment, int64_t(std::sqrt(double(n) * double(count)))));
  const int64_t segments = count ? (count + segment - 1) / segment : 0;
  Scratch<C> wires(n * lanes), saved(std::max<int64_t>(segments - 1, 0) * n * lanes), gradient(n * lanes),
      kept(Tape<C>::arrays(by_alphas, out.scale) * segment * lanes), alpha_tape(by_alphas ? segment * lanes : 0);
  const Tape<C> tape = Tape<C>::in(kept.data, segment * lanes, by_alphas, out.scale);
  alignas(64) C inverse[Simd<C>::N];
  for (int64_t b = begin; b < end; b += lanes) {
    const int samples = int(std::min<int64_t>(lanes, end - b));
    double by_scale[Simd<C>::N] = {};
    inverses(call, b, samples, inverse);
    load_rows(call.keys + b * n, n, lanes, samples, n, wires.data);
    if (by_values) load_rows(by_values + b * n, n, lanes, samples, n, gradient.data);
    else std::fill(gradient.data, gradient.data + n * lanes, C(0));
    Pass<C> pass{&plan, 0, 0, wires.data, inverse, C(call.power), {}, nullptr, nullptr, nullptr, nullptr};
    for (int64_t s = 0; s + 1 < segments; ++s) {
      std::copy(wires.data, wires.data + n * lanes, saved + s * n * lanes);
      pass.c0 = s * segment;
      pass.c1 = pass.c0 + segment;
      forward(call, pass);
    }
    for (int64_t s = segments; s-- > 0;) {
      if (s + 1 < segments) std::copy(saved + s * n * lanes, saved + (s + 1) * n * lanes, wires.data);
      pass.c0 = s * segment;
      pass.c1 = std::min(count, pass.c0 + segment);
      pass.tape = tape;
      forward(call, pass);
      if (by_alphas) load_rows(by_alphas + b * count + pass.c0, count, lanes, samples, pass.c1 - pass.c0, alpha_tape.data);
      backward(call, {&plan, pass.c0, pass.c1, gradient.data, inverse, C(call.power), tape, nullptr, nullptr,
                      by_alphas ? alpha_tape.data : nullptr, out.scale ? by_scale : nullptr});
    }
    store_gradient(call, b, samples, gradient.data, inverse, by_scale, out);
  }
}

// ---- the matrix ------------------------------------------------------------------------------------------------------

template <class C> void matrix_by_samples(const NetworkCall<C>& call, int64_t begin, int64_t end, C* matrix) {
  constexpr int N = Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n;
  Mixing<C> mixing(call, nullptr);
  Scratch<C> state(n * n * N);
  for (int64_t b = begin; b < end; b += N) {
    const int samples = int(std::min<int64_t>(N, end - b));
    mixing.start(b, samples);
    std::fill(state.data, state.data + n * n * N, C(0));
    for (int64_t i = 0; i < n; ++i) store(state + (i * n + i) * N, splat<C>(1));
    samples_forward<C>(plan, {n, 0, n, true}, false, mixing.tile(), state.data, nullptr);
    store_tile(state.data, n * n, samples, n * n, matrix + b * n * n);
  }
}

template <class C>
void matrix_gradient_by_samples(const NetworkCall<C>& call, int64_t begin, int64_t end, const C* by, const NetworkGradient<C>& out) {
  constexpr int N = Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n;
  Mixing<C> mixing(call, nullptr, &out);
  const Columns columns{n, 0, n, true};
  const int64_t size = tape_size(plan, columns) * N;
  Scratch<C> state(n * n * N), tape(size);
  for (int64_t b = begin; b < end; b += N) {
    const int samples = int(std::min<int64_t>(N, end - b));
    mixing.start(b, samples);
    std::fill(state.data, state.data + n * n * N, C(0));
    for (int64_t i = 0; i < n; ++i) store(state + (i * n + i) * N, splat<C>(1));
    samples_forward<C>(plan, columns, false, mixing.tile(), state.data, tape.data);
    load_tile(by + b * n * n, n * n, samples, n * n, state.data);
    samples_backward<C>(plan, columns, false, mixing.tile(), state.data, tape + size, mixing.by_tile());
    mixing.finish(b, samples);
  }
}

template <class C, int R>
void matrix_by_columns(const NetworkCall<C>& call, const NetworkRuns& runs, int64_t begin, int64_t end, C* matrix) {
  constexpr int W = R * Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n;
  const NetworkGroup* groups = plan.order().groups.data();
  Mixing<C> mixing(call, &plan.order());
  Scratch<C> state(n * W);
  for (int64_t b = begin; b < end; b += mixing.lanes) {
    const int samples = int(std::min<int64_t>(mixing.lanes, end - b));
    mixing.start(b, samples);
    for (int s = 0; s < samples; ++s) {
      const Weights<C> weights = mixing.row(s);
      for (int64_t j = 0, k = 0; j < n; j += W, ++k) {
        const NetworkRuns::Run* all = runs.runs.data();
        identity_columns<C, W>(n, j, state.data);
        columns_forward<C, R>(groups, all + runs.first[k], all + runs.first[k + 1], weights, state.data, nullptr);
        store_columns<C, W>(state.data, n, n, std::min<int64_t>(W, n - j), matrix + (b + s) * n * n + j);
      }
    }
  }
}

template <class C, int R>
void matrix_gradient_by_columns(const NetworkCall<C>& call, const NetworkRuns& runs, int64_t begin, int64_t end, const C* by,
                                const NetworkGradient<C>& out) {
  constexpr int W = R * Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n;
  const NetworkGroup* groups = plan.order().groups.data();
  Mixing<C> mixing(call, &plan.order(), &out);
  Scratch<C> state(n * W), tape(runs.longest * W);
  for (int64_t b = begin; b < end; b += mixing.lanes) {
    const int samples = int(std::min<int64_t>(mixing.lanes, end - b));
    mixing.start(b, samples);
    for (int s = 0; s < samples; ++s) {
      const Weights<C> weights = mixing.row(s);
      for (int64_t j = 0, k = 0; j < n; j += W, ++k) {
        const NetworkRuns::Run *first = runs.runs.data() + runs.first[k], *last = runs.runs.data() + runs.first[k + 1];
        identity_columns<C, W>(n, j, state.data);
        const C* end = columns_forward<C, R>(groups, first, last, weights, state.data, tape.data);
        load_columns<C, W>(by + (b + s) * n * n + j, n, n, std::min<int64_t>(W, n - j), state.data);
        columns_backward<C, R>(groups, first, last, weights, state.data, end, mixing.by_row(s));
      }
    }
    mixing.finish(b, samples);
  }
}

template <class C> void matrix(const NetworkCall<C>& call, const NetworkRuns* runs, int64_t begin, int64_t end, C* out) {
  if (!runs) return matrix_by_samples(call, begin, end, out);
  runs->width == Simd<C>::N ? matrix_by_columns<C, 1>(call, *runs, begin, end, out)
                            : matrix_by_columns<C, kWide>(call, *runs, begin, end, out);
}
template <class C>
void matrix_gradient(const NetworkCall<C>& call, const NetworkRuns* runs, int64_t begin, int64_t end, const C* by,
                     const NetworkGradient<C>& out) {
  if (!runs) return matrix_gradient_by_samples(call, begin, end, by, out);
  runs->width == Simd<C>::N ? matrix_gradient_by_columns<C, 1>(call, *runs, begin, end, by, out)
                            : matrix_gradient_by_columns<C, kWide>(call, *runs, begin, end, by, out);
}

// ---- payloads --------------------------------------------------------------------------------------------------------

constexpr int64_t kFewColumns = 8;
constexpr int64_t kTapeBytes = 1 << 20;

template <class C> bool by_samples(const NetworkCall<C>& call, int64_t columns) {
  return columns <= kFewColumns && lanes_of(call) > 1;
}

// Columns that go through the network together: all, while their tape stays in cache, else one.
template <class C> int64_t together(const NetworkPlan& plan, int64_t columns) {
  return plan.count * columns * Simd<C>::N * int64_t(sizeof(C)) <= kTapeBytes ? columns : 1;
}

template <class C>
void apply(const NetworkCall<C>& call, int64_t begin, int64_t end, const C* payload, int64_t columns, bool transposed, C* out) {
  constexpr int N = Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n, size = n * columns;
  const bool tiles = by_samples(call, columns);
  const NetworkOrder* order = tiles ? nullptr : &plan.order(transposed);
  Mixing<C> mixing(call, order);
  const NetworkRuns::Run all{0, tiles ? 0 : int64_t(order->groups.size())};
  Scratch<C> state(tiles ? size * N : n * N);
  for (int64_t b = begin; b < end; b += mixing.lanes) {
    const int samples = int(std::min<int64_t>(mixing.lanes, end - b));
    mixing.start(b, samples);
    if (tiles) {
      load_tile(payload + b * size, size, samples, size, state.data);
      samples_forward<C>(plan, {columns, 0, columns, false}, transposed, mixing.tile(), state.data, nullptr);
      store_tile(state.data, size, samples, size, out + b * size);
      continue;
    }
    for (int s = 0; s < samples; ++s) {
      const Weights<C> weights = mixing.row(s);
      for (int64_t j = 0; j < columns; j += N) {
        const int64_t w = std::min<int64_t>(N, columns - j), at = (b + s) * size + j;
        load_columns<C, N>(payload + at, n, columns, w, state.data);
        columns_forward<C, 1>(order->groups.data(), &all, &all + 1, weights, state.data, nullptr);
        store_columns<C, N>(state.data, n, columns, w, out + at);
      }
    }
  }
}

template <class C>
void apply_gradient(const NetworkCall<C>& call, int64_t begin, int64_t end, const C* payload, int64_t columns, bool transposed,
                    const C* by, C* payload_out, const NetworkGradient<C>& out) {
  constexpr int N = Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const int64_t n = plan.n, size = n * columns;
  const bool tiles = by_samples(call, columns);
  const NetworkOrder* order = tiles ? nullptr : &plan.order(transposed);
  Mixing<C> mixing(call, order, &out);
  const NetworkRuns::Run all{0, tiles ? 0 : int64_t(order->groups.size())};
  const int64_t group = tiles ? together<C>(plan, columns) : 1;
  Scratch<C> state(tiles ? size * N : n * N), gradient(tiles ? size * N : 0), tape(plan.count * group * N);
  for (int64_t b = begin; b < end; b += mixing.lanes) {
    const int samples = int(std::min<int64_t>(mixing.lanes, end - b));
    mixing.start(b, samples);
    if (tiles) {
      load_tile(payload + b * size, size, samples, size, state.data);
      load_tile(by + b * size, size, samples, size, gradient.data);
      for (int64_t j = 0; j < columns; j += group) {
        const Columns some{columns, j, j + group, false};
        samples_forward<C>(plan, some, transposed, mixing.tile(), state.data, tape.data);
        samples_backward<C>(plan, some, transposed, mixing.tile(), gradient.data, tape + plan.count * group * N, mixing.by_tile());
      }
      store_tile(gradient.data, size, samples, size, payload_out + b * size);
    }
    for (int s = 0; s < (tiles ? 0 : samples); ++s) {
      const Weights<C> weights = mixing.row(s);
      for (int64_t j = 0; j < columns; j += N) {
        const int64_t w = std::min<int64_t>(N, columns - j), at = (b + s) * size + j;
        load_columns<C, N>(payload + at, n, columns, w, state.data);
        const C* end = columns_forward<C, 1>(order->groups.data(), &all, &all + 1, weights, state.data, tape.data);
        load_columns<C, N>(by + at, n, columns, w, state.data);
        columns_backward<C, 1>(order->groups.data(), &all, &all + 1, weights, state.data, end, mixing.by_row(s));
        store_columns<C, N>(state.data, n, columns, w, payload_out + at);
      }
    }
    mixing.finish(b, samples);
  }
}

// ---- cross-entropy ---------------------------------------------------------------------------------------------------

template <class C, int R>
void cross_entropy_by_columns(const NetworkCall<C>& call, const NetworkRuns& runs, int64_t begin, int64_t end, const int64_t* target,
                              C* loss, const NetworkGradient<C>& out) {
  constexpr int W = R * Simd<C>::N;
  const NetworkPlan& plan = *call.plan;
  const bool gradient = out.keys;
  Mixing<C> mixing(call, &plan.order(), gradient ? &out : nullptr);
  Scratch<C> state(plan.n * W), tape(gradient ? runs.longest * W : 0);
  for (int64_t b = begin; b < end; b += mixing.lanes) {
    const int samples = int(std::min<int64_t>(mixing.lanes, end - b));
    mixing.start(b, samples);
    for (int s = 0; s < samples; ++s)
      loss[b + s] = C(cross_entropy_sample<C, R>(plan, runs, mixing.row(s), target + (b + s) * plan.n, state.data,
                                                 gradient ? tape.data : nullptr, gradient ? mixing.by_row(s) : nullptr));
    if (gradient) mixing.finish(b, samples);
  }
}

template <class C>
void cross_entropy(const NetworkCall<C>& call, const NetworkRuns& runs, int64_t begin, int64_t end, const int64_t* target, C* loss,
                   const NetworkGradient<C>& out) {
  runs.width == Simd<C>::N ? cross_entropy_by_columns<C, 1>(call, runs, begin, end, target, loss, out)
                           : cross_entropy_by_columns<C, kWide>(call, runs, begin, end, target, loss, out);
}

template <class C> constexpr NetworkKernels<C> table() {
  return {Simd<C>::N, block_width<C>, values<C>, alphas<C>, keys_gradient<C>, matrix<C>, matrix_gradient<C>, apply<C>, apply_gradient<C>, cross_entropy<C>};
}

}  // namespace

extern const NetworkKernels<float> network_float;
extern const NetworkKernels<double> network_double;
const NetworkKernels<float> network_float = table<float>();
const NetworkKernels<double> network_double = table<double>();

}  // namespace ALGONETS_ISA
}  // namespace algonets
