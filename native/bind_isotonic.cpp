// Python bindings of the projections onto the permutahedron.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "isotonic.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const IsotonicKernels<In>& kernels();
template <> const IsotonicKernels<float>& kernels() { return ALGONETS_PICK(isotonic_float); }
template <> const IsotonicKernels<double>& kernels() { return ALGONETS_PICK(isotonic_double); }

// Python makes these arrays itself; a mistake there must not become a wild write.
template <class Array> bool has_rows(const Array& array, std::size_t batch, std::size_t n) {
  return array.ndim() == 2 && array.shape(0) == batch && array.shape(1) == n;
}
void check(bool good) {
  if (!good) throw nb::value_error("Projection: the arrays must fit together");
}
template <class Plan> bool has_plan(const Plan& plan, std::size_t batch, std::size_t n) {
  return plan.ndim() == 3 && plan.shape(0) == batch && plan.shape(1) == 2 && plan.shape(2) == n && n > 0 && n < (std::size_t(1) << 31);
}

// Threads pay only above about a millisecond of work each.
template <class Kernel, class Arguments>
void each_row(Kernel kernel, const Arguments& arguments, std::size_t batch, std::size_t n, double cost, int threads) {
  nb::gil_scoped_release release;
  threads = std::max(1, std::min(threads, int(double(batch) * n * cost / 1e6)));
  parallel_for(batch, threads, [&](int, std::int64_t lo, std::int64_t hi) { kernel(arguments, RowRange{std::int64_t(n), lo, hi}); });
}

template <class In>
void project(In1<In> x, std::optional<In1<In>> w, double strength, int kind, double power, Out<In> y, Out<std::int32_t> plan, int threads) {
  check(x.ndim() == 2);
  const std::size_t batch = x.shape(0), n = x.shape(1);
  check(has_rows(y, batch, n) && has_plan(plan, batch, n) && (!w || has_rows(*w, batch, n)));
  const Projection<In> c{x.data(), w ? w->data() : nullptr, strength, Regularizer(kind), power, y.data(), plan.data()};
  each_row(kernels<In>().project, c, batch, n, kind == kSquares ? 20 : kind == kEntropy ? 60 : 500, threads);
}

// The plan must come from `project`: its places are not checked.
template <class In>
void project_gradient(In1<In> g, In1<In> y, In1<std::int32_t> plan, double strength, int kind, double power, Out<In> gx,
                      std::optional<Out<In>> gw, int threads) {
  check(g.ndim() == 2);
  const std::size_t batch = g.shape(0), n = g.shape(1);
  check(has_rows(y, batch, n) && has_plan(plan, batch, n) && has_rows(gx, batch, n) && (!gw || has_rows(*gw, batch, n)));
  const ProjectionGradient<In> c{g.data(), y.data(), plan.data(), strength, Regularizer(kind), power, gx.data(), gw ? gw->data() : nullptr};
  each_row(kernels<In>().project_gradient, c, batch, n, kind == kPower ? 50 : 5, threads);
}

template <class In>
void values(In1<In> x, double strength, bool entropy, bool descending, Out<In> y, Out<std::int32_t> plan, int threads) {
  check(x.ndim() == 2);
  const std::size_t batch = x.shape(0), n = x.shape(1);
  check(has_rows(y, batch, n) && has_plan(plan, batch, n));
  const SoftValues<In> c{x.data(), strength, entropy, descending, y.data(), plan.data()};
  each_row(kernels<In>().values, c, batch, n, entropy ? 80 : 20, threads);
}

template <class In>
void values_gradient(In1<In> g, In1<In> x, In1<std::int32_t> plan, bool entropy, bool descending, Out<In> gx, int threads) {
  check(g.ndim() == 2);
  const std::size_t batch = g.shape(0), n = g.shape(1);
  check(has_rows(x, batch, n) && has_plan(plan, batch, n) && has_rows(gx, batch, n));
  const SoftValuesGradient<In> c{g.data(), x.data(), plan.data(), entropy, descending, gx.data()};
  each_row(kernels<In>().values_gradient, c, batch, n, entropy ? 20 : 5, threads);
}

template <class In> void bind(nb::module_& m) {
  const auto x = nb::arg("x").noconvert(), g = nb::arg("g").noconvert(), y = nb::arg("y").noconvert(), plan = nb::arg("plan").noconvert(),
             gx = nb::arg("gx").noconvert();
  m.def("projection", project<In>, x, nb::arg("w").noconvert().none(), "strength"_a, "kind"_a, "power"_a, y, plan, "threads"_a);
  m.def("projection_gradient", project_gradient<In>, g, y, plan, "strength"_a, "kind"_a, "power"_a, gx, nb::arg("gw").noconvert().none(),
        "threads"_a);
  m.def("projection_values", values<In>, x, "strength"_a, "entropy"_a, "descending"_a, y, plan, "threads"_a);
  m.def("projection_values_gradient", values_gradient<In>, g, x, plan, "entropy"_a, "descending"_a, gx, "threads"_a);
}

}  // namespace

void bind_isotonic(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
