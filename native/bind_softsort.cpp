// Python bindings of SoftSort in linear time.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "parallel.h"
#include "softsort.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const SoftSortKernels<In>& kernels();
template <> const SoftSortKernels<float>& kernels() { return ALGONETS_PICK(softsort_float); }
template <> const SoftSortKernels<double>& kernels() { return ALGONETS_PICK(softsort_double); }

template <class Gap, class Like, class Array> void check(const Gap& gap, const Like& like, const Array& array) {
  bool good = like.ndim() == 3 && like.shape(1) >= 1 && array.ndim() == 3;
  for (std::size_t k = 0; good && k < 3; ++k) good = array.shape(k) == like.shape(k);
  good = good && gap.ndim() == 2 && gap.shape(0) == like.shape(0) && gap.shape(1) + 1 == like.shape(1);
  if (!good) throw nb::value_error("SoftSort: the arrays must fit together");
}

template <class Kernel, class Arguments, class Like>
void each_row(Kernel kernel, const Arguments& arguments, const Like& v, double cost, int threads) {
  const std::int64_t batch = v.shape(0), n = v.shape(1), d = v.shape(2);
  nb::gil_scoped_release release;
  // Threads pay only above about a millisecond of work each.
  threads = std::max(1, std::min(threads, int(double(batch) * n * (d + 1) * cost / 1e6)));
  parallel_for(batch, threads, [&](int, std::int64_t lo, std::int64_t hi) { kernel(arguments, SmoothingRange{n, d, lo, hi}); });
}

template <class In> void smooth(In1<In> gap, In1<In> v, Out<In> y, int threads) {
  check(gap, v, y);
  each_row(kernels<In>().smooth, Smoothing<In>{gap.data(), v.data(), y.data()}, v, 5, threads);
}

template <class In>
void gradient(In1<In> gap, In1<In> v, In1<In> g, std::optional<Out<In>> g_gap, Out<In> g_v, int threads) {
  check(gap, v, g);
  check(gap, v, g_v);
  if (g_gap) check(*g_gap, v, g);
  const SmoothingGradient<In> a{gap.data(), v.data(), g.data(), g_gap ? g_gap->data() : nullptr, g_v.data()};
  each_row(kernels<In>().gradient, a, v, 10, threads);
}

template <class In> void bind(nb::module_& m) {
  const auto gap = nb::arg("gap").noconvert(), v = nb::arg("v").noconvert();
  m.def("softsort_smooth", smooth<In>, gap, v, nb::arg("y").noconvert(), "threads"_a);
  m.def("softsort_gradient", gradient<In>, gap, v, nb::arg("g").noconvert(), nb::arg("g_gap").noconvert().none(),
        nb::arg("g_v").noconvert(), "threads"_a);
}

}  // namespace

void bind_softsort(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
