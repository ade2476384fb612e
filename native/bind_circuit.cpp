// Python bindings of bit-packed circuits.

#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <tuple>

#include "bindings.h"
#include "circuit.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

void check(bool good) {
  if (!good) throw nb::value_error("circuit: the arrays must fit together and name earlier gates only");
}

template <class T> using Array = In1<T>;

// Writes the gates into a, b, kind (at most `gates` of them) and literals; returns their number.
std::int64_t simplify(std::int64_t inputs, Array<std::int32_t> first, Array<std::int32_t> second, Array<std::uint8_t> table,
                      Array<std::int32_t> outputs, bool simplify, Out<std::uint32_t> a, Out<std::uint32_t> b, Out<std::uint8_t> kind,
                      Out<std::uint32_t> literals) {
  const std::int64_t gates = std::int64_t(table.size());
  check(inputs >= 0 && std::int64_t(first.size()) == gates && std::int64_t(second.size()) == gates);
  check(std::int64_t(a.size()) >= gates && std::int64_t(b.size()) >= gates && std::int64_t(kind.size()) >= gates);
  check(literals.size() == outputs.size() && 2 * (inputs + gates + 1) < (std::int64_t(1) << 31));
  for (std::int64_t g = 0; g < gates; ++g) {
    const std::int64_t p = first.data()[g], q = second.data()[g];
    check(p >= 0 && q >= 0 && p < inputs + g && q < inputs + g && table.data()[g] < 16);
  }
  for (std::size_t k = 0; k < outputs.size(); ++k) check(outputs.data()[k] >= 0 && outputs.data()[k] < inputs + gates);
  nb::gil_scoped_release release;
  const CircuitGraph graph = simplify_circuit(inputs, gates, first.data(), second.data(), table.data(), std::int64_t(outputs.size()),
                                              outputs.data(), simplify);
  std::copy(graph.a.begin(), graph.a.end(), a.data());
  std::copy(graph.b.begin(), graph.b.end(), b.data());
  std::copy(graph.kind.begin(), graph.kind.end(), kind.data());
  std::copy(graph.outputs.begin(), graph.outputs.end(), literals.data());
  return std::int64_t(graph.a.size());
}

CircuitProgram build(std::int64_t inputs, Array<std::uint32_t> a, Array<std::uint32_t> b, Array<std::uint8_t> kind,
                     Array<std::uint32_t> literals, Array<std::int64_t> ends) {
  const std::size_t gates = a.size();
  check(inputs >= 0 && b.size() == gates && kind.size() == gates);
  const auto good = [&](std::uint32_t l, std::size_t g) { return (l >> 1) < 1 + std::size_t(inputs) + g; };
  for (std::size_t g = 0; g < gates; ++g) check(good(a.data()[g], g) && good(b.data()[g], g) && kind.data()[g] < 2);
  for (std::size_t k = 0; k < literals.size(); ++k) check(good(literals.data()[k], gates));
  std::int64_t before = 0;
  for (std::size_t k = 0; k < ends.size(); ++k) {
    check(ends.data()[k] >= before && ends.data()[k] <= std::int64_t(literals.size()));
    before = ends.data()[k];
  }
  CircuitGraph graph;
  graph.a.assign(a.data(), a.data() + gates);
  graph.b.assign(b.data(), b.data() + gates);
  graph.kind.assign(kind.data(), kind.data() + gates);
  graph.outputs.assign(literals.data(), literals.data() + literals.size());
  return schedule_circuit(inputs, graph, ends.data(), std::int64_t(ends.size()));
}

void run(const CircuitProgram& p, const CircuitSource& source, Out<std::int32_t>& scores, int threads) {
  check(scores.ndim() == 2 && std::int64_t(scores.shape(0)) == source.samples && std::int64_t(scores.shape(1)) == p.groups);
  const auto& kernel = ALGONETS_PICK(circuit);
  const std::int64_t chunks = (source.samples + 511) / 512;
  // A thread pays above about a millisecond.
  const double work = double(chunks) * double(p.operations + 10 * p.slots) * 2;
  const int count = std::max(1, std::min(threads, int(work / 1e6)));
  nb::gil_scoped_release release;
  parallel_for(chunks, count, [&](int, std::int64_t lo, std::int64_t hi) { kernel.run(p, source, scores.data(), lo, hi); });
}

void run_words(const CircuitProgram& p, Array<std::int64_t> x, std::int64_t samples, Out<std::int32_t> scores, int threads) {
  check(x.ndim() == 2 && std::int64_t(x.shape(0)) == p.inputs && samples >= 0 && std::int64_t(x.shape(1)) >= (samples + 63) / 64);
  run(p, {CircuitSource::kWords, x.data(), samples, p.inputs, 1, std::int64_t(x.shape(1)), nullptr, nullptr, nullptr}, scores, threads);
}

void run_bytes(const CircuitProgram& p, Array<std::uint8_t> x, Array<std::uint8_t> least, Array<std::int64_t> live,
               Out<std::int32_t> scores, int threads) {
  check(x.ndim() == 2 && least.ndim() == 2 && least.shape(1) == x.shape(1) && std::int64_t(least.size()) == p.inputs);
  check(live.ndim() == 2 && live.shape(0) == least.shape(0) && live.shape(1) == (x.shape(1) + 63) / 64);
  run(p, {CircuitSource::kBytes, x.data(), std::int64_t(x.shape(0)), std::int64_t(x.shape(1)), std::int64_t(least.shape(0)), 0, least.data(),
          reinterpret_cast<const std::uint64_t*>(live.data()), nullptr}, scores, threads);
}

void run_floats(const CircuitProgram& p, Array<float> x, Array<float> above, Out<std::int32_t> scores, int threads) {
  check(x.ndim() == 2 && above.ndim() == 2 && above.shape(1) == x.shape(1) && std::int64_t(above.size()) == p.inputs);
  run(p, {CircuitSource::kFloats, x.data(), std::int64_t(x.shape(0)), std::int64_t(x.shape(1)), std::int64_t(above.shape(0)), 0, nullptr,
          nullptr, above.data()}, scores, threads);
}

}  // namespace

void bind_circuit(nb::module_& m) {
  m.def("circuit_simplify", simplify, "inputs"_a, nb::arg("first").noconvert(), nb::arg("second").noconvert(), nb::arg("table").noconvert(),
        nb::arg("outputs").noconvert(), "simplify"_a, nb::arg("a").noconvert(), nb::arg("b").noconvert(), nb::arg("kind").noconvert(),
        nb::arg("literals").noconvert());
  nb::class_<CircuitProgram>(m, "CircuitProgram")
      .def("__init__", [](CircuitProgram* self, std::int64_t inputs, Array<std::uint32_t> a, Array<std::uint32_t> b, Array<std::uint8_t> kind,
                          Array<std::uint32_t> literals, Array<std::int64_t> ends) {
        new (self) CircuitProgram(build(inputs, a, b, kind, literals, ends));
      }, "inputs"_a, nb::arg("a").noconvert(), nb::arg("b").noconvert(), nb::arg("kind").noconvert(), nb::arg("literals").noconvert(),
         nb::arg("ends").noconvert())
      .def_ro("slots", &CircuitProgram::slots)
      .def_ro("depth", &CircuitProgram::depth)
      .def("run_words", run_words, nb::arg("x").noconvert(), "samples"_a, nb::arg("scores").noconvert(), "threads"_a)
      .def("run_bytes", run_bytes, nb::arg("x").noconvert(), nb::arg("at_least").noconvert(), nb::arg("live").noconvert(),
           nb::arg("scores").noconvert(), "threads"_a)
      .def("run_floats", run_floats, nb::arg("x").noconvert(), nb::arg("above").noconvert(), nb::arg("scores").noconvert(), "threads"_a);
}

}  // namespace algonets
