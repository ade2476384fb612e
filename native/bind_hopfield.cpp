// Python bindings of the binary associative memories.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "hopfield.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const HopfieldKernels<In>& kernels();
template <> const HopfieldKernels<float>& kernels() { return ALGONETS_PICK(hopfield_float); }
template <> const HopfieldKernels<double>& kernels() { return ALGONETS_PICK(hopfield_double); }

// Python makes these arrays itself; a mistake there must not become a wild write.
void check(bool good) {
  if (!good) throw nb::value_error("Hopfield: the arrays must fit together");
}
template <class Array> bool has_shape(const Array& array, std::size_t rows, std::size_t columns) {
  return array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == columns;
}

// Threads pay only above about a millisecond of work each.
int worth(int threads, double nanoseconds) { return std::max(1, std::min(threads, int(nanoseconds / 1e6))); }

// The order must hold each unit once: it is not checked beyond its range.
template <class In>
bool settle(Out<In> states, In1<In> weights, In1<double> threshold, In1<double> zero, std::optional<In1<std::int64_t>> order,
            std::int64_t max_sweeps, int threads) {
  check(states.ndim() == 2);
  const std::size_t batch = states.shape(0), n = states.shape(1);
  check(has_shape(weights, n, n) && threshold.ndim() == 1 && threshold.shape(0) == n && zero.ndim() == 1 && zero.shape(0) == n);
  if (order) {
    check(order->ndim() == 1 && order->shape(0) == n);
    for (std::size_t k = 0; k < n; ++k) check(order->data()[k] >= 0 && order->data()[k] < std::int64_t(n));
  }
  const Settling<In> c{states.data(), weights.data(), threshold.data(), zero.data(), order ? order->data() : nullptr, std::int64_t(n), max_sweeps};
  const auto& kernel = kernels<In>();
  std::atomic<bool> changed{false};
  nb::gil_scoped_release release;
  parallel_for(batch, worth(threads, double(batch) * double(n) * double(n) * 0.3), [&](int, std::int64_t lo, std::int64_t hi) {
    if (kernel.settle(c, StateRange{lo, hi})) changed = true;
  });
  return changed;
}

void distance(In1<std::int64_t> a, In1<std::int64_t> b, Out<std::int32_t> out, int threads) {
  check(a.ndim() == 2 && b.ndim() == 2);
  const std::size_t rows = a.shape(0), count = b.shape(0), words = a.shape(1);
  check(has_shape(b, count, words) && has_shape(out, rows, count));
  const PackedDistance c{a.data(), b.data(), out.data(), std::int64_t(count), std::int64_t(words)};
  const auto kernel = ALGONETS_PICK(packed_distance);
  nb::gil_scoped_release release;
  parallel_for(rows, worth(threads, double(rows) * double(count) * double(words)), [&](int, std::int64_t lo, std::int64_t hi) {
    kernel(c, StateRange{lo, hi});
  });
}

template <class In> void bind(nb::module_& m) {
  m.def("hopfield_settle", settle<In>, nb::arg("states").noconvert(), nb::arg("weights").noconvert(), nb::arg("threshold").noconvert(),
        nb::arg("zero").noconvert(), nb::arg("order").noconvert().none(), "max_sweeps"_a, "threads"_a);
}

}  // namespace

void bind_hopfield(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
  m.def("packed_distance", distance, nb::arg("a").noconvert(), nb::arg("b").noconvert(), nb::arg("out").noconvert(), "threads"_a);
}

}  // namespace algonets
