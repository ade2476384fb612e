// Python bindings of dynamic time warping.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "parallel.h"
#include "soft_dtw.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const SoftDtwKernels<In>& kernels();
template <> const SoftDtwKernels<float>& kernels() { return ALGONETS_PICK(soft_dtw_float); }
template <> const SoftDtwKernels<double>& kernels() { return ALGONETS_PICK(soft_dtw_double); }

// Python checks all this with better words; under vmap and torch.compile it cannot read the lengths.
void check(bool good) {
  if (!good) throw nb::value_error("SoftDTW: the arrays must fit together and the lengths lie in 1 .. n and 1 .. m");
}

template <class In>
void soft_dtw(In1<In> distances, In1<std::int64_t> rows, In1<std::int64_t> columns, double temperature, Out<In> value,
              std::optional<Out<In>> alignment, int threads) {
  check(distances.ndim() == 3 && rows.ndim() == 1 && columns.ndim() == 1 && value.ndim() == 1);
  const std::int64_t batch = distances.shape(0), n = distances.shape(1), m = distances.shape(2);
  const auto fits = [&](const auto& array) { return std::int64_t(array.shape(0)) == batch; };
  check(fits(rows) && fits(columns) && fits(value) && (!alignment || (alignment->ndim() == 3 && fits(*alignment))));
  check(!alignment || (std::int64_t(alignment->shape(1)) == n && std::int64_t(alignment->shape(2)) == m));
  for (std::int64_t b = 0; b < batch; ++b)
    check(rows.data()[b] >= 1 && rows.data()[b] <= n && columns.data()[b] >= 1 && columns.data()[b] <= m);
  const SoftDtw<In> c{distances.data(), rows.data(), columns.data(), n, m, temperature, value.data(), alignment ? alignment->data() : nullptr};
  const auto& kernel = kernels<In>();
  const std::int64_t lanes = kernel.lanes, blocks = (batch + lanes - 1) / lanes;
  nb::gil_scoped_release release;
  const int worth = std::max(1, std::min(threads, int(double(batch) * double(n) * double(m) * 10 / 1e6)));
  parallel_for(blocks, worth, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t k = lo; k < hi; ++k) kernel.run(c, k * lanes, std::min(batch, (k + 1) * lanes));
  });
}

template <class In> void bind(nb::module_& m) {
  m.def("soft_dtw", soft_dtw<In>, nb::arg("distances").noconvert(), nb::arg("rows").noconvert(), nb::arg("columns").noconvert(),
        "temperature"_a, nb::arg("value").noconvert(), nb::arg("alignment").noconvert().none(), "threads"_a);
}

}  // namespace

void bind_soft_dtw(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
