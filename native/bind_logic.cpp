// Python bindings of the soft logic gates.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "bindings.h"
#include "logic.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class C> const LogicKernels<C>& kernels();
template <> const LogicKernels<float>& kernels() { return ALGONETS_PICK(logic_float); }
template <> const LogicKernels<double>& kernels() { return ALGONETS_PICK(logic_double); }

void check(bool good) {
  if (!good) throw nb::value_error("logic: the arrays must fit together, and the wiring must name signals that are there");
}

// Threads pay only above about a millisecond of work each.
int worth(int threads, double nanoseconds) { return std::max(1, std::min(threads, int(nanoseconds / 1e6))); }

bool within(const std::int32_t* wires, std::int64_t count, std::int64_t signals) {
  bool good = true;
  for (std::int64_t i = 0; i < count; ++i) good &= wires[i] >= 0 && wires[i] < signals;
  return good;
}

template <class C> std::int64_t blocks_of(std::int64_t batch) {
  const std::int64_t lanes = 64 / std::int64_t(sizeof(C));
  return (batch + lanes - 1) / lanes;
}

// Call body(by_coefficients, blocks) on some threads, each with sums of its own, and add them up.
template <class C, class Body> void with_sums(std::int64_t blocks, int threads, C* sums, std::int64_t size, Body body) {
  std::fill(sums, sums + size, C(0));
  const int count = int(std::max<std::int64_t>(1, std::min<std::int64_t>(threads, blocks)));
  std::vector<std::vector<C>> own(count - 1);
  parallel_for(blocks, count, [&](int k, std::int64_t lo, std::int64_t hi) {
    if (k) own[k - 1].assign(size, C(0));
    body(k ? own[k - 1].data() : sums, BlockRange{lo, hi});
  });
  for (const auto& part : own)
    for (std::size_t i = 0; i < part.size(); ++i) sums[i] += part[i];
}

using Wires = In1<std::int32_t>;

template <class C>
GateStack<C> make_stack(const In1<C>& x, const In1<C>& q, const Wires& first, const Wires& second, const In1<std::int64_t>& widths, std::int64_t groups) {
  check(x.ndim() == 2 && q.ndim() == 2 && q.shape(1) == 4 && first.ndim() == 1 && second.ndim() == 1 && widths.ndim() == 1);
  const std::int64_t gates = q.shape(0), layers = widths.shape(0);
  check(layers > 0 && std::int64_t(first.shape(0)) == gates && std::int64_t(second.shape(0)) == gates && groups >= 0);
  std::int64_t start = 0, signals = x.shape(1);
  for (std::int64_t l = 0; l < layers; ++l) {
    const std::int64_t width = widths.data()[l];
    check(width > 0 && start + width <= gates);
    check(within(first.data() + start, width, signals) && within(second.data() + start, width, signals));
    start += width;
    signals = width;
  }
  check(start == gates && (!groups || signals % groups == 0));
  return {x.data(), q.data(), first.data(), second.data(), widths.data(), layers, std::int64_t(x.shape(0)), std::int64_t(x.shape(1)), groups};
}

template <class C> double stack_work(const GateStack<C>& c, std::size_t gates) { return double(c.batch) * double(gates) * 0.3; }

template <class C>
void stack(In1<C> x, In1<C> q, Wires first, Wires second, In1<std::int64_t> widths, std::int64_t groups, Out<C> out, int threads) {
  const GateStack<C> c = make_stack<C>(x, q, first, second, widths, groups);
  const std::int64_t last = groups ? groups : c.widths[c.layers - 1];
  check(out.ndim() == 2 && std::int64_t(out.shape(0)) == c.batch && std::int64_t(out.shape(1)) == last);
  const auto& kernel = kernels<C>();
  nb::gil_scoped_release release;
  parallel_for(blocks_of<C>(c.batch), worth(threads, stack_work(c, q.shape(0))), [&](int, std::int64_t lo, std::int64_t hi) {
    kernel.stack(c, out.data(), BlockRange{lo, hi});
  });
}

template <class C>
void stack_backward(In1<C> x, In1<C> q, Wires first, Wires second, In1<std::int64_t> widths, std::int64_t groups, In1<C> by_out,
                    std::optional<Out<C>> by_x, Out<C> by_q, int threads) {
  const GateStack<C> c = make_stack<C>(x, q, first, second, widths, groups);
  const std::int64_t last = groups ? groups : c.widths[c.layers - 1];
  check(by_out.ndim() == 2 && std::int64_t(by_out.shape(0)) == c.batch && std::int64_t(by_out.shape(1)) == last);
  check(by_q.size() == q.size() && (!by_x || by_x->size() == x.size()));
  const auto& kernel = kernels<C>();
  C* to_x = by_x ? by_x->data() : nullptr;
  nb::gil_scoped_release release;
  with_sums(blocks_of<C>(c.batch), worth(threads, 3 * stack_work(c, q.shape(0))), by_q.data(), std::int64_t(q.size()),
            [&](C* sums, BlockRange range) { kernel.stack_backward(c, by_out.data(), to_x, sums, range); });
}

template <class C>
GateTrees<C> make_trees(const In1<C>& x, const Wires& leaves, const In1<C>& q, std::int64_t rows, std::int64_t columns, std::int64_t pool) {
  check(x.ndim() == 4 && leaves.ndim() == 2 && q.ndim() == 3 && q.shape(2) == 4);
  const std::int64_t kernels = leaves.shape(0), width = x.shape(3), image = std::int64_t(x.shape(1) * x.shape(2)) * width;
  std::int64_t depth = 0;
  while ((std::size_t(1) << depth) < leaves.shape(1)) ++depth;
  check(depth >= 1 && depth <= 4 && (std::size_t(1) << depth) == leaves.shape(1));
  check(std::int64_t(q.shape(0)) == kernels && q.shape(1) + 1 == leaves.shape(1));
  check(pool >= 1 && pool <= 15 && rows >= pool && columns >= pool && columns <= width);
  check(within(leaves.data(), std::int64_t(leaves.size()), image - (rows - 1) * width - (columns - 1)));
  return {x.data(), q.data(), leaves.data(), std::int64_t(x.shape(0)), image, kernels, depth, rows, columns, width, pool};
}

template <class C> double trees_work(const GateTrees<C>& c) {
  return double(c.batch) * double(c.kernels) * double(c.rows * c.columns) * double(1 << c.depth) * 0.2;
}

template <class C> std::int64_t winners_of(const GateTrees<C>& c) {
  return c.pool == 1 ? 0 : blocks_of<C>(c.batch) * std::int64_t(64 / sizeof(C)) * c.kernels * (c.rows / c.pool) * (c.columns / c.pool);
}

template <class C>
void trees(In1<C> x, Wires leaves, In1<C> q, std::int64_t rows, std::int64_t columns, std::int64_t pool, Out<C> out, Out<std::uint8_t> winners, int threads) {
  const GateTrees<C> c = make_trees<C>(x, leaves, q, rows, columns, pool);
  check(std::int64_t(out.size()) == c.batch * c.kernels * (rows / pool) * (columns / pool));
  check(std::int64_t(winners.size()) == winners_of(c));
  std::uint8_t* const to = winners.size() ? winners.data() : nullptr;
  const auto& kernel = kernels<C>();
  nb::gil_scoped_release release;
  parallel_for(blocks_of<C>(c.batch), worth(threads, trees_work(c)), [&](int, std::int64_t lo, std::int64_t hi) {
    kernel.trees(c, out.data(), to, BlockRange{lo, hi});
  });
}

template <class C>
void trees_backward(In1<C> x, Wires leaves, In1<C> q, std::int64_t rows, std::int64_t columns, std::int64_t pool,
                    In1<std::uint8_t> winners, In1<C> by_out, std::optional<Out<C>> by_x, Out<C> by_q, int threads) {
  const GateTrees<C> c = make_trees<C>(x, leaves, q, rows, columns, pool);
  check(std::int64_t(by_out.size()) == c.batch * c.kernels * (rows / pool) * (columns / pool));
  check(by_q.size() == q.size() && (!by_x || by_x->size() == x.size()) && std::int64_t(winners.size()) == winners_of(c));
  const auto& kernel = kernels<C>();
  C* to_x = by_x ? by_x->data() : nullptr;
  nb::gil_scoped_release release;
  with_sums(blocks_of<C>(c.batch), worth(threads, 4 * trees_work(c)), by_q.data(), std::int64_t(q.size()),
            [&](C* sums, BlockRange range) { kernel.trees_backward(c, winners.data(), by_out.data(), to_x, sums, range); });
}

template <class C> void coefficients16(In1<C> weights, Out<C> out, int threads) {
  const std::int64_t gates = weights.shape(0);
  check(weights.ndim() == 2 && weights.shape(1) == 16 && std::int64_t(out.size()) == 4 * gates);
  const auto& kernel = kernels<C>();
  nb::gil_scoped_release release;
  parallel_for(gates, worth(threads, double(gates) * 20), [&](int, std::int64_t lo, std::int64_t hi) {
    kernel.coefficients16(weights.data(), out.data(), BlockRange{lo, hi});
  });
}

template <class C> void coefficients16_backward(In1<C> weights, In1<C> by_out, Out<C> by_weights, int threads) {
  const std::int64_t gates = weights.shape(0);
  check(weights.ndim() == 2 && weights.shape(1) == 16 && std::int64_t(by_out.size()) == 4 * gates && by_weights.size() == weights.size());
  const auto& kernel = kernels<C>();
  nb::gil_scoped_release release;
  parallel_for(gates, worth(threads, double(gates) * 20), [&](int, std::int64_t lo, std::int64_t hi) {
    kernel.coefficients16_backward(weights.data(), by_out.data(), by_weights.data(), BlockRange{lo, hi});
  });
}

template <class C> void bind(nb::module_& m) {
#define ALGONETS_STACK nb::arg("x").noconvert(), nb::arg("coefficients").noconvert(), nb::arg("first").noconvert(), \
    nb::arg("second").noconvert(), nb::arg("widths").noconvert(), "groups"_a
  m.def("logic_stack", stack<C>, ALGONETS_STACK, nb::arg("out").noconvert(), "threads"_a);
  m.def("logic_stack_backward", stack_backward<C>, ALGONETS_STACK, nb::arg("by_out").noconvert(), nb::arg("by_x").noconvert().none(),
        nb::arg("by_coefficients").noconvert(), "threads"_a);
#undef ALGONETS_STACK
#define ALGONETS_TREES nb::arg("x").noconvert(), nb::arg("leaves").noconvert(), nb::arg("coefficients").noconvert(), "rows"_a, "columns"_a, "pool"_a
  m.def("logic_trees", trees<C>, ALGONETS_TREES, nb::arg("out").noconvert(), nb::arg("winners").noconvert(), "threads"_a);
  m.def("logic_trees_backward", trees_backward<C>, ALGONETS_TREES, nb::arg("winners").noconvert(), nb::arg("by_out").noconvert(), nb::arg("by_x").noconvert().none(),
        nb::arg("by_coefficients").noconvert(), "threads"_a);
#undef ALGONETS_TREES
  m.def("logic_coefficients16", coefficients16<C>, nb::arg("weights").noconvert(), nb::arg("out").noconvert(), "threads"_a);
  m.def("logic_coefficients16_backward", coefficients16_backward<C>, nb::arg("weights").noconvert(), nb::arg("by_out").noconvert(),
        nb::arg("by_weights").noconvert(), "threads"_a);
}

}  // namespace

void bind_logic(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
