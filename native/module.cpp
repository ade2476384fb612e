// The extension module: the choice of an instruction set, and the bindings of every kernel family.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bindings.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

const char* detect() {
#ifdef ALGONETS_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma"))
    return "avx512";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
#endif
  return "baseline";
}
std::string chosen = detect();

void select_isa(const std::string& name) {
  const std::string best = detect();
  const std::vector<std::string> order = {"baseline", "avx2", "avx512"};
  const auto rank = [&](const std::string& s) { return std::find(order.begin(), order.end(), s) - order.begin(); };
  if (rank(name) > rank(best))
    throw nb::value_error(("select_isa(name) must be an instruction set that this machine has (up to " + best + ")").c_str());
  chosen = name;
}

// An exponent of all ones carries into the sign when one is added.
template <class T, class Bits> bool all_finite(algonets::In1<T> array) {
  static_assert(sizeof(T) == sizeof(Bits));
  constexpr int mantissa = sizeof(T) == 4 ? 23 : 52, sign = 8 * sizeof(T) - 1;
  const T* data = array.data();
  Bits carried = 0;
  for (std::size_t i = 0, size = array.size(); i < size; ++i) {
    Bits bits;
    std::memcpy(&bits, data + i, sizeof(T));
    carried |= (bits & ~(Bits(1) << sign)) + (Bits(1) << mantissa);
  }
  return !(carried >> sign);
}

}  // namespace

const std::string& algonets::chosen_isa() { return chosen; }

NB_MODULE(_native, m) {
  m.doc() = "Native CPU kernels of algonets.";
  nb::set_leak_warnings(false);  // objects that live until the interpreter ends are no mistake
  m.def("isa", [] { return chosen; }, "The instruction set in use: baseline, avx2 or avx512.");
  m.def("select_isa", select_isa, "name"_a, "Use a lower instruction set than the machine has (for tests and benchmarks).");
  m.def("all_finite", all_finite<float, std::uint32_t>, nb::arg("array").noconvert(), "Whether no entry is NaN or infinite.");
  m.def("all_finite", all_finite<double, std::uint64_t>, nb::arg("array").noconvert());
  algonets::bind_chain(m);
  algonets::bind_network(m);
  algonets::bind_isotonic(m);
  algonets::bind_softsort(m);
  algonets::bind_hopfield(m);
  algonets::bind_logic(m);
  algonets::bind_circuit(m);
  algonets::bind_render(m);
  algonets::bind_graph(m);
  algonets::bind_sum_product(m);
  algonets::bind_lattice(m);
  algonets::bind_soft_dtw(m);
  algonets::bind_cky(m);
  algonets::bind_edit_distance(m);
}
