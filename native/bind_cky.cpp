// Python bindings of sums over trees. They return false where the scaled form declined: nothing of use is written then.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "bindings.h"
#include "cky.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;
using std::int64_t;

template <class In> const CkyKernels<In>& kernels();
template <> const CkyKernels<float>& kernels() { return ALGONETS_PICK(cky_float); }
template <> const CkyKernels<double>& kernels() { return ALGONETS_PICK(cky_double); }

// Python makes these arrays itself; a mistake there must not become a wild read.
template <class In>
void check(const In1<In>& scores, const In1<int64_t>& last, const Out<In>& value, const std::optional<Out<In>>& marginals,
           int64_t n, int64_t leaves) {
  bool good = scores.ndim() == 2 && int64_t(scores.shape(1)) == leaves && last.ndim() == 1 && value.ndim() == 1;
  const int64_t batch = good ? int64_t(scores.shape(0)) : 0;
  good = good && int64_t(last.shape(0)) == batch && int64_t(value.shape(0)) == batch;
  good = good && (!marginals || (marginals->ndim() == 2 && int64_t(marginals->shape(0)) == batch && int64_t(marginals->shape(1)) == leaves));
  for (int64_t b = 0; good && b < batch; ++b) good = last.data()[b] >= 0 && last.data()[b] < n;
  if (!good) throw nb::value_error("CKY: the arrays must fit together and the lengths lie in 1 .. n");
}

template <class Run> bool blocks(int64_t batch, int64_t lanes, double work, int threads, Run run) {
  std::atomic<bool> good{true};
  nb::gil_scoped_release release;
  const int worth = std::max(1, std::min(threads, int(double(batch) * work / 1e6)));
  parallel_for((batch + lanes - 1) / lanes, worth, [&](int, int64_t lo, int64_t hi) {
    for (int64_t k = lo; k < hi && good; ++k)
      if (!run(k * lanes, std::min(batch, (k + 1) * lanes))) good = false;
  });
  return good;
}

template <class In>
bool cky_run(In1<In> scores, In1<int64_t> last, int64_t n, int64_t labels, Out<In> value, std::optional<Out<In>> marginals, int threads) {
  check(scores, last, value, marginals, n, n * n * labels);
  const Cky<In> c{scores.data(), last.data(), n, labels, value.data(), marginals ? marginals->data() : nullptr};
  const auto& kernel = kernels<In>();
  const double work = double(n) * double(n) * (double(n) + 3 * double(labels));
  return blocks(int64_t(scores.shape(0)), kernel.lanes, work, threads, [&](int64_t lo, int64_t hi) { return kernel.cky(c, lo, hi); });
}

template <class In>
bool pcfg_run(In1<In> scores, In1<int64_t> last, int64_t n, int64_t words, int64_t count, Out<In> value,
              std::optional<Out<In>> marginals, int threads) {
  const int64_t symbols = words + count;
  check(scores, last, value, marginals, n, n * words + count * symbols * symbols + count);
  const Pcfg<In> c{scores.data(), last.data(), n, words, count, value.data(), marginals ? marginals->data() : nullptr};
  const auto& kernel = kernels<In>();
  const double work = double(n) * double(n) * double(symbols) * double(symbols) * (double(n) / 6 + double(count));
  return blocks(int64_t(scores.shape(0)), kernel.lanes, work, threads, [&](int64_t lo, int64_t hi) { return kernel.pcfg(c, lo, hi); });
}

template <class In> void bind(nb::module_& m) {
  m.def("cky", cky_run<In>, nb::arg("scores").noconvert(), nb::arg("last").noconvert(), "n"_a, "labels"_a,
        nb::arg("value").noconvert(), nb::arg("marginals").noconvert().none(), "threads"_a);
  m.def("pcfg", pcfg_run<In>, nb::arg("scores").noconvert(), nb::arg("last").noconvert(), "n"_a, "words"_a, "count"_a,
        nb::arg("value").noconvert(), nb::arg("marginals").noconvert().none(), "threads"_a);
}

}  // namespace

void bind_cky(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
