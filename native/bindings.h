// What the bindings of all kernel families share: array types, the chosen instruction set, storage.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstddef>
#include <new>
#include <string>

namespace algonets {

namespace nb = nanobind;

template <class T> using In1 = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T> using Out = nb::ndarray<T, nb::c_contig, nb::device::cpu>;

// The instruction set in use: "avx512", "avx2" or "baseline".
const std::string& chosen_isa();

#ifdef ALGONETS_X86
#define ALGONETS_PICK(table) (chosen_isa() == "avx512" ? avx512::table : chosen_isa() == "avx2" ? avx2::table : baseline::table)
#else
#define ALGONETS_PICK(table) baseline::table
#endif

// Aligned storage for what a whole call shares.
struct Aligned {
  void* data = nullptr;
  void allocate(std::size_t bytes) { data = ::operator new(bytes + 64, std::align_val_t(64)); }
  ~Aligned() { if (data) ::operator delete(data, std::align_val_t(64)); }
};

// One for each kernel family, in bind_<family>.cpp. Every array is `noconvert`: a tensor of another dtype is refused,
// never silently copied.
void bind_chain(nb::module_& m);
void bind_network(nb::module_& m);
void bind_isotonic(nb::module_& m);
void bind_softsort(nb::module_& m);
void bind_hopfield(nb::module_& m);
void bind_logic(nb::module_& m);
void bind_circuit(nb::module_& m);
void bind_render(nb::module_& m);
void bind_graph(nb::module_& m);
void bind_sum_product(nb::module_& m);
void bind_lattice(nb::module_& m);
void bind_soft_dtw(nb::module_& m);
void bind_edit_distance(nb::module_& m);
void bind_cky(nb::module_& m);

}  // namespace algonets
