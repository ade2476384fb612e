// Python bindings of the sorting networks.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "network.h"
#include "parallel.h"
#include "simd.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const NetworkKernels<In>& network_kernels();
template <> const NetworkKernels<float>& network_kernels() { return ALGONETS_PICK(network_float); }
template <> const NetworkKernels<double>& network_kernels() { return ALGONETS_PICK(network_double); }

using Wires = In1<std::int32_t>;
template <class T> using MaybeIn = std::optional<In1<T>>;
template <class T> using MaybeOut = std::optional<Out<T>>;

void check(bool good, const char* what) {
  if (!good) throw nb::value_error(what);
}

// One call of a kernel: its arguments checked, the plan held.
template <class In> struct Prepared {
  NetworkCall<In> call{};
  std::shared_ptr<const NetworkPlan> plan;
  const NetworkKernels<In>& kernels = network_kernels<In>();

  Prepared(const In1<In>& keys, const Wires& low, const Wires& high, std::int64_t n, const MaybeIn<In>& scale, double width, int law,
           double power) {
    check(low.ndim() == 1 && high.ndim() == 1 && low.size() == high.size(), "network: `low` and `high` must be of one length");
    check(law >= kGiven && law < kLaws, "network: no such law");
    plan = NetworkPlan::of(n, low.data(), high.data(), std::int64_t(low.size()));
    check(keys.ndim() == 2 && std::int64_t(keys.shape(1)) == (law == kGiven ? plan->count : n),
          "network: the keys must be (B, n) items or (B, C) alphas");
    check(!scale || scale->size() == 1 || scale->size() == keys.shape(0), "network: one scale, or one for each sample");
    call.plan = plan.get();
    call.law = law;
    call.power = power;
    call.keys = keys.data();
    call.scale = scale ? scale->data() : nullptr;
    call.scale_b = scale && scale->size() > 1 ? 1 : 0;
    call.width = width;
    call.batch = std::int64_t(keys.shape(0));
  }

  // Split the samples over threads, if there is at least about a millisecond of work (`columns` vectors a comparator)
  // for each. Whole tiles where the lanes are samples.
  template <class Body> void run(int threads, double columns, bool tiles, Body body) const {
    const double work = double(call.batch) * double(plan->count) * columns;
    threads = std::max(1, std::min(threads, int(work / 2e6)));
    const std::int64_t piece = tiles ? kernels.lanes : 1, pieces = (call.batch + piece - 1) / piece;
    parallel_for(pieces, threads, [&](int, std::int64_t lo, std::int64_t hi) {
      const FlushDenormals flush;  // products of many small weights get there
      body(lo * piece, std::min(call.batch, hi * piece));
    });
  }
};

template <class T> bool shaped(const T& array, std::initializer_list<std::int64_t> shape) {
  if (array.ndim() != shape.size()) return false;
  std::size_t i = 0;
  for (auto size : shape)
    if (std::int64_t(array.shape(i++)) != size) return false;
  return true;
}

template <class In> NetworkGradient<In> gradient_to(const Prepared<In>& p, const MaybeOut<In>& keys, const MaybeOut<In>& scale) {
  const std::int64_t columns = p.call.law == kGiven ? p.plan->count : p.plan->n;
  check(!keys || shaped(*keys, {p.call.batch, columns}), "network: the gradient of the keys has their shape");
  check(!scale || shaped(*scale, {p.call.batch}), "network: the gradient of the scale is (B,)");
  return {keys ? keys->data() : nullptr, scale ? scale->data() : nullptr};
}

#define ALGONETS_KEYS In1<In> keys, Wires low, Wires high, std::int64_t n, MaybeIn<In> scale, double width, int law, double power
#define ALGONETS_PREPARE const Prepared<In> p(keys, low, high, n, scale, width, law, power)

template <class In> void network_values(ALGONETS_KEYS, Out<In> y, int threads) {
  ALGONETS_PREPARE;
  check(law != kGiven && shaped(y, {p.call.batch, n}), "network_values: bad shapes");
  nb::gil_scoped_release release;
  p.run(threads, 1.0, true, [&](std::int64_t lo, std::int64_t hi) { p.kernels.values(p.call, lo, hi, y.data()); });
}

template <class In> void network_alphas(ALGONETS_KEYS, Out<In> alphas, int threads) {
  ALGONETS_PREPARE;
  check(law != kGiven && shaped(alphas, {p.call.batch, p.plan->count}), "network_alphas: bad shapes");
  nb::gil_scoped_release release;
  p.run(threads, 1.0, true, [&](std::int64_t lo, std::int64_t hi) { p.kernels.alphas(p.call, lo, hi, alphas.data()); });
}

template <class In>
void network_keys_gradient(ALGONETS_KEYS, MaybeIn<In> by_values, MaybeIn<In> by_alphas, Out<In> keys_out, MaybeOut<In> scale_out, int threads) {
  ALGONETS_PREPARE;
  const auto out = gradient_to<In>(p, keys_out, scale_out);
  check(law != kGiven && (!by_values || shaped(*by_values, {p.call.batch, n})) &&
            (!by_alphas || shaped(*by_alphas, {p.call.batch, p.plan->count})), "network_keys_gradient: bad shapes");
  nb::gil_scoped_release release;
  p.run(threads, 3.0, true, [&](std::int64_t lo, std::int64_t hi) {
    p.kernels.keys_gradient(p.call, lo, hi, by_values ? by_values->data() : nullptr, by_alphas ? by_alphas->data() : nullptr, out);
  });
}

template <class In> void network_matrix(ALGONETS_KEYS, Out<In> matrix, int threads) {
  ALGONETS_PREPARE;
  check(shaped(matrix, {p.call.batch, n, n}), "network_matrix: bad shapes");
  nb::gil_scoped_release release;
  const std::int64_t block = p.kernels.block_width(n, p.call.batch);
  const auto runs = block ? p.plan->runs(block) : nullptr;
  p.run(threads, double(n) / p.kernels.lanes, !runs, [&](std::int64_t lo, std::int64_t hi) {
    p.kernels.matrix(p.call, runs.get(), lo, hi, matrix.data());
  });
}

template <class In>
void network_matrix_gradient(ALGONETS_KEYS, In1<In> by, Out<In> keys_out, MaybeOut<In> scale_out, int threads) {
  ALGONETS_PREPARE;
  const auto out = gradient_to<In>(p, keys_out, scale_out);
  check(shaped(by, {p.call.batch, n, n}), "network_matrix_gradient: bad shapes");
  nb::gil_scoped_release release;
  const std::int64_t block = p.kernels.block_width(n, p.call.batch);
  const auto runs = block ? p.plan->runs(block) : nullptr;
  p.run(threads, 3.0 * double(n) / p.kernels.lanes, !runs, [&](std::int64_t lo, std::int64_t hi) {
    p.kernels.matrix_gradient(p.call, runs.get(), lo, hi, by.data(), out);
  });
}

template <class In> void network_apply(ALGONETS_KEYS, In1<In> payload, bool transposed, Out<In> out, int threads) {
  ALGONETS_PREPARE;
  check(payload.ndim() == 3 && shaped(payload, {p.call.batch, n, std::int64_t(payload.shape(2))}) &&
            shaped(out, {p.call.batch, n, std::int64_t(payload.shape(2))}), "network_apply: bad shapes");
  nb::gil_scoped_release release;
  const std::int64_t columns = payload.shape(2);
  p.run(threads, 1.0 + double(columns), true, [&](std::int64_t lo, std::int64_t hi) {
    p.kernels.apply(p.call, lo, hi, payload.data(), columns, transposed, out.data());
  });
}

template <class In>
void network_apply_gradient(ALGONETS_KEYS, In1<In> payload, bool transposed, In1<In> by, Out<In> payload_out, Out<In> keys_out,
                            MaybeOut<In> scale_out, int threads) {
  ALGONETS_PREPARE;
  const auto out = gradient_to<In>(p, keys_out, scale_out);
  const std::int64_t columns = payload.ndim() == 3 ? std::int64_t(payload.shape(2)) : -1;
  check(shaped(payload, {p.call.batch, n, columns}) && shaped(by, {p.call.batch, n, columns}) &&
            shaped(payload_out, {p.call.batch, n, columns}), "network_apply_gradient: bad shapes");
  nb::gil_scoped_release release;
  p.run(threads, 3.0 * (1.0 + double(columns)), true, [&](std::int64_t lo, std::int64_t hi) {
    p.kernels.apply_gradient(p.call, lo, hi, payload.data(), columns, transposed, by.data(), payload_out.data(), out);
  });
}

// Without `keys_out` the loss alone.
template <class In>
void network_cross_entropy(ALGONETS_KEYS, In1<std::int64_t> target, Out<In> loss, MaybeOut<In> keys_out, MaybeOut<In> scale_out, int threads) {
  ALGONETS_PREPARE;
  const auto out = gradient_to<In>(p, keys_out, scale_out);
  check(shaped(target, {p.call.batch, n}) && shaped(loss, {p.call.batch}), "network_cross_entropy: bad shapes");
  bool good = true;
  for (std::int64_t i = 0; i < p.call.batch * n; ++i) good = good && target.data()[i] >= 0 && target.data()[i] < n;
  check(good, "network_cross_entropy: the target ranks must lie in 0 .. n - 1");
  nb::gil_scoped_release release;
  const auto runs = p.plan->runs(p.kernels.block_width(n, 1));
  p.run(threads, 4.0 * double(n) / p.kernels.lanes, false, [&](std::int64_t lo, std::int64_t hi) {
    p.kernels.cross_entropy(p.call, *runs, lo, hi, target.data(), loss.data(), out);
  });
}

template <class In> void bind(nb::module_& m) {
#define ALGONETS_ARG(name) nb::arg(name).noconvert()
#define ALGONETS_KEY_ARGS                                                                                                  \
  ALGONETS_ARG("keys"), ALGONETS_ARG("low"), ALGONETS_ARG("high"), "n"_a, ALGONETS_ARG("scale").none(), "width"_a, "law"_a, \
      "power"_a
  m.def("network_values", network_values<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("y"), "threads"_a);
  m.def("network_alphas", network_alphas<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("alphas"), "threads"_a);
  m.def("network_keys_gradient", network_keys_gradient<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("by_values").none(),
        ALGONETS_ARG("by_alphas").none(), ALGONETS_ARG("keys_out"), ALGONETS_ARG("scale_out").none(), "threads"_a);
  m.def("network_matrix", network_matrix<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("matrix"), "threads"_a);
  m.def("network_matrix_gradient", network_matrix_gradient<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("by"), ALGONETS_ARG("keys_out"),
        ALGONETS_ARG("scale_out").none(), "threads"_a);
  m.def("network_apply", network_apply<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("payload"), "transposed"_a, ALGONETS_ARG("out"), "threads"_a);
  m.def("network_apply_gradient", network_apply_gradient<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("payload"), "transposed"_a,
        ALGONETS_ARG("by"), ALGONETS_ARG("payload_out"), ALGONETS_ARG("keys_out"), ALGONETS_ARG("scale_out").none(), "threads"_a);
  m.def("network_cross_entropy", network_cross_entropy<In>, ALGONETS_KEY_ARGS, ALGONETS_ARG("target"), ALGONETS_ARG("loss"),
        ALGONETS_ARG("keys_out").none(), ALGONETS_ARG("scale_out").none(), "threads"_a);
}

}  // namespace

void bind_network(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
