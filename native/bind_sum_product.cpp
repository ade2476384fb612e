// Python bindings of sum-product circuits.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "sum_product.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const SumProductKernels<In>& kernels();
template <> const SumProductKernels<float>& kernels() { return ALGONETS_PICK(sum_product_float); }
template <> const SumProductKernels<double>& kernels() { return ALGONETS_PICK(sum_product_double); }

// Python makes these arrays itself; a mistake there must not become a wild read.
void check(bool good) {
  if (!good) throw nb::value_error("circuit: the arrays must fit together");
}

template <class In>
void sum_product_run(In1<In> scores, In1<std::int64_t> goal, In1<std::int64_t> first, In1<std::int32_t> terms,
                 In1<std::int32_t> goals, bool maximum, Out<In> value, std::optional<Out<In>> marginals, int threads) {
  check(scores.ndim() == 2 && first.ndim() == 1 && first.shape(0) >= 1 && terms.ndim() == 2 && terms.shape(1) == 2);
  const std::int64_t batch = scores.shape(0), leaves = scores.shape(1), inner = std::int64_t(first.shape(0)) - 1;
  check(goal.ndim() == 1 && std::int64_t(goal.shape(0)) == batch && std::int64_t(value.shape(0)) == batch);
  check(!marginals || (std::int64_t(marginals->shape(0)) == batch && std::int64_t(marginals->shape(1)) == leaves));
  check(first.data()[inner] == std::int64_t(terms.shape(0)));
  for (std::int64_t b = 0; b < batch; ++b) check(goal.data()[b] >= 0 && goal.data()[b] < std::int64_t(goals.shape(0)));
  const SumProductRun<In> r{{first.data(), terms.data(), goals.data(), leaves, inner}, scores.data(), goal.data(), maximum,
                         value.data(), marginals ? marginals->data() : nullptr, batch};
  const auto& kernel = kernels<In>();
  const std::int64_t blocks = (batch + kernel.lanes - 1) / kernel.lanes;
  nb::gil_scoped_release release;
  const int worth = std::max(1, std::min(threads, int(double(terms.shape(0)) * double(blocks) * 40 / 1e6)));
  parallel_for(blocks, worth, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t k = lo; k < hi; ++k) kernel.run(r, k * kernel.lanes, std::min(batch, (k + 1) * kernel.lanes));
  });
}

// Whether every term of every inner node names an earlier node: checked once a circuit, not once a call.
bool sum_product_check(In1<std::int64_t> first, In1<std::int32_t> terms, In1<std::int32_t> goals, std::int64_t leaves) {
  const std::int64_t inner = std::int64_t(first.shape(0)) - 1;
  if (inner < 0 || first.data()[0] != 0 || first.data()[inner] != std::int64_t(terms.shape(0))) return false;
  for (std::int64_t k = 0; k < inner; ++k) {
    if (first.data()[k + 1] <= first.data()[k]) return false;
    for (std::int64_t t = 2 * first.data()[k]; t < 2 * first.data()[k + 1]; ++t)
      if (terms.data()[t] < 0 || terms.data()[t] >= 2 + leaves + k) return false;
  }
  for (std::size_t g = 0; g < goals.shape(0); ++g)
    if (goals.data()[g] < 0 || goals.data()[g] >= 2 + leaves + inner) return false;
  return true;
}

template <class In> void bind(nb::module_& m) {
  m.def("sum_product_run", sum_product_run<In>, nb::arg("scores").noconvert(), nb::arg("goal").noconvert(), nb::arg("first").noconvert(),
        nb::arg("terms").noconvert(), nb::arg("goals").noconvert(), "maximum"_a, nb::arg("value").noconvert(),
        nb::arg("marginals").noconvert().none(), "threads"_a);
}

}  // namespace

void bind_sum_product(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
  m.def("sum_product_check", sum_product_check, nb::arg("first").noconvert(), nb::arg("terms").noconvert(), nb::arg("goals").noconvert(), "leaves"_a);
}

}  // namespace algonets
