// Python bindings of the combinatorial solvers.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "bindings.h"
#include "graph.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;
using Index = In1<std::int64_t>;
using Flags = Out<std::uint8_t>;

template <class In> const GraphKernels<In>& kernels();
template <> const GraphKernels<float>& kernels() { return ALGONETS_PICK(graph_float); }
template <> const GraphKernels<double>& kernels() { return ALGONETS_PICK(graph_double); }

// Python makes these arrays itself; a mistake there must not become a wild write.
void check(bool good) {
  if (!good) throw nb::value_error("graph: the arrays must fit together");
}
template <class Array> bool has_shape(const Array& a, std::initializer_list<std::size_t> shape) {
  if (a.ndim() != shape.size()) return false;
  std::size_t k = 0;
  for (const std::size_t n : shape)
    if (a.shape(k++) != n) return false;
  return true;
}
bool within(const Index& a, std::int64_t low, std::int64_t high) {
  const std::int64_t* p = a.data();
  return std::all_of(p, p + a.size(), [&](std::int64_t x) { return x >= low && x < high; });
}

// Threads pay only above about a millisecond of work each.
int worth(int threads, double nanoseconds) { return std::max(1, std::min(threads, int(nanoseconds / 1e6))); }

template <class Call, class Kernel> void run(const Call& c, Kernel kernel, std::size_t batch, int threads, double each) {
  nb::gil_scoped_release release;
  parallel_for(std::int64_t(batch), worth(threads, double(batch) * each), [&](int, std::int64_t lo, std::int64_t hi) {
    kernel(c, ExampleRange{lo, hi});
  });
}

template <class In>
void grid_path(In1<In> costs, Index ends, Out<In> solution, Flags outcome, int neighbours, bool bellman_ford, int threads) {
  check(costs.ndim() == 3);
  const std::size_t batch = costs.shape(0), height = costs.shape(1), width = costs.shape(2);
  check(has_shape(ends, {batch, 2}) && has_shape(solution, {batch, height, width}) && has_shape(outcome, {batch}));
  check((height + 2) * (width + 2) < std::size_t(std::numeric_limits<std::int32_t>::max()));
  check(within(ends, 0, std::int64_t(height * width)) && (neighbours == 4 || neighbours == 8));
  const GridPathCall<In> c{costs.data(), ends.data(), solution.data(), outcome.data(), std::int64_t(height), std::int64_t(width),
                           neighbours, bellman_ford};
  run(c, kernels<In>().grid_path, batch, threads, double(height * width) * 30);
}

template <class In>
void shortest_path(In1<In> costs, Index ends, Index first, Index head, Index edge, std::optional<Index> order, Out<In> solution,
                   Flags outcome, bool bellman_ford, int threads) {
  check(costs.ndim() == 2 && first.ndim() == 1 && first.shape(0) >= 1);
  const std::size_t batch = costs.shape(0), edges = costs.shape(1), nodes = first.shape(0) - 1, arcs = head.size();
  check(has_shape(ends, {batch, 2}) && has_shape(head, {arcs}) && has_shape(edge, {arcs}) && has_shape(solution, {batch, edges}));
  check(has_shape(outcome, {batch}) && nodes < std::size_t(std::numeric_limits<std::int32_t>::max()));
  check(within(ends, 0, std::int64_t(nodes)) && within(head, 0, std::int64_t(nodes)) && within(edge, 0, std::int64_t(edges)));
  check(first.data()[0] == 0 && first.data()[nodes] == std::int64_t(arcs) && std::is_sorted(first.data(), first.data() + nodes + 1));
  check(!order || (has_shape(*order, {nodes}) && within(*order, 0, std::int64_t(nodes))));
  const ShortestPathCall<In> c{costs.data(), ends.data(), first.data(), head.data(), edge.data(), order ? order->data() : nullptr,
                               solution.data(), outcome.data(), std::int64_t(nodes), std::int64_t(edges), std::int64_t(arcs),
                               bellman_ford};
  run(c, kernels<In>().shortest_path, batch, threads, double(nodes + arcs) * 30);
}

template <class In>
void soft_path(In1<In> costs, Index first, Index head, Index edge, std::optional<Index> order, Out<In> value, Out<In> expected,
               Flags outcome, std::int64_t source, std::int64_t target, std::int64_t steps, double temperature, int threads) {
  check(costs.ndim() == 2 && first.ndim() == 1 && first.shape(0) >= 1);
  const std::size_t batch = costs.shape(0), edges = costs.shape(1), nodes = first.shape(0) - 1, arcs = head.size();
  check(has_shape(head, {arcs}) && has_shape(edge, {arcs}) && has_shape(expected, {batch, edges}) && has_shape(value, {batch}));
  check(has_shape(outcome, {batch}) && nodes < std::size_t(std::numeric_limits<std::int32_t>::max()) && steps >= 0 && temperature > 0);
  check(within(head, 0, std::int64_t(nodes)) && within(edge, 0, std::int64_t(edges)));
  check(source >= 0 && source < std::int64_t(nodes) && target >= 0 && target < std::int64_t(nodes));
  check(first.data()[0] == 0 && first.data()[nodes] == std::int64_t(arcs) && std::is_sorted(first.data(), first.data() + nodes + 1));
  check(!order || (has_shape(*order, {nodes}) && within(*order, 0, std::int64_t(nodes))));
  const SoftPathCall<In> c{costs.data(), first.data(), head.data(), edge.data(), order ? order->data() : nullptr, value.data(),
                           expected.data(), outcome.data(), std::int64_t(nodes), std::int64_t(edges), std::int64_t(arcs), source,
                           target, steps, temperature};
  run(c, kernels<In>().soft_path, batch, threads, double(arcs) * (order ? 20.0 : 20.0 + 3.0 * double(steps)));
}

template <class In> void assignment(In1<In> costs, Out<In> solution, Flags outcome, bool maximise, int threads) {
  check(costs.ndim() == 3);
  const std::size_t batch = costs.shape(0), rows = costs.shape(1), columns = costs.shape(2);
  check(rows <= columns && has_shape(solution, {batch, rows, columns}) && has_shape(outcome, {batch}));
  const AssignmentCall<In> c{costs.data(), solution.data(), outcome.data(), std::int64_t(rows), std::int64_t(columns),
                             maximise ? -1.0 : 1.0};
  run(c, kernels<In>().assignment, batch, threads, double(rows) * double(columns) * double(rows) * 0.05);
}

template <class In> void knapsack(In1<In> values, Index weights, std::int64_t capacity, Out<In> solution, int threads) {
  check(values.ndim() == 2);
  const std::size_t batch = values.shape(0), n = values.shape(1);
  check(has_shape(weights, {n}) && has_shape(solution, {batch, n}) && capacity >= 0);
  check(within(weights, 0, std::numeric_limits<std::int64_t>::max()));
  const KnapsackCall<In> c{values.data(), weights.data(), solution.data(), std::int64_t(n), capacity};
  run(c, kernels<In>().knapsack, batch, threads, double(n) * double(capacity));
}

template <class In> void spanning_tree(In1<In> costs, Index ends, std::int64_t nodes, Out<In> solution, Flags outcome, bool maximise, int threads) {
  check(costs.ndim() == 2);
  const std::size_t batch = costs.shape(0), edges = costs.shape(1);
  check(has_shape(ends, {edges, 2}) && has_shape(solution, {batch, edges}) && has_shape(outcome, {batch}) && within(ends, 0, nodes));
  const SpanningTreeCall<In> c{costs.data(), ends.data(), solution.data(), outcome.data(), nodes, std::int64_t(edges),
                               maximise ? -1.0 : 1.0};
  run(c, kernels<In>().spanning_tree, batch, threads, double(edges) * 50);
}

template <class In>
void max_flow(In1<In> capacities, Index ends, std::int64_t nodes, std::int64_t source, std::int64_t target, bool directed,
              Out<In> flow, Out<In> cut, int threads) {
  check(capacities.ndim() == 2);
  const std::size_t batch = capacities.shape(0), edges = capacities.shape(1);
  check(has_shape(ends, {edges, 2}) && has_shape(flow, {batch, edges}) && has_shape(cut, {batch, edges}) && within(ends, 0, nodes));
  check(source >= 0 && source < nodes && target >= 0 && target < nodes && source != target);
  const MaxFlowCall<In> c{capacities.data(), ends.data(), flow.data(), cut.data(), nodes, std::int64_t(edges), source, target, directed};
  run(c, kernels<In>().max_flow, batch, threads, double(edges) * 500);
}

template <class In> void tour(In1<In> costs, Out<In> solution, bool exact, bool symmetric, int threads) {
  check(costs.ndim() == 3);
  const std::size_t batch = costs.shape(0), nodes = costs.shape(1);
  check(nodes >= 2 && costs.shape(2) == nodes && has_shape(solution, {batch, nodes, nodes}) && (!exact || nodes <= 20));
  const TourCall<In> c{costs.data(), solution.data(), std::int64_t(nodes), exact, symmetric};
  const double n = double(nodes);
  run(c, kernels<In>().tour, batch, threads, exact ? double(std::int64_t(1) << (nodes - 1)) * n * n : n * n * n * 10);
}

template <class In> void bind(nb::module_& m) {
  m.def("graph_grid_path", grid_path<In>, nb::arg("costs").noconvert(), nb::arg("ends").noconvert(), nb::arg("solution").noconvert(),
        nb::arg("outcome").noconvert(), "neighbours"_a, "bellman_ford"_a, "threads"_a);
  m.def("graph_shortest_path", shortest_path<In>, nb::arg("costs").noconvert(), nb::arg("ends").noconvert(),
        nb::arg("first").noconvert(), nb::arg("head").noconvert(), nb::arg("edge").noconvert(), nb::arg("order").noconvert().none(),
        nb::arg("solution").noconvert(), nb::arg("outcome").noconvert(), "bellman_ford"_a, "threads"_a);
  m.def("graph_soft_path", soft_path<In>, nb::arg("costs").noconvert(), nb::arg("first").noconvert(), nb::arg("head").noconvert(),
        nb::arg("edge").noconvert(), nb::arg("order").noconvert().none(), nb::arg("value").noconvert(), nb::arg("expected").noconvert(),
        nb::arg("outcome").noconvert(), "source"_a, "target"_a, "steps"_a, "temperature"_a, "threads"_a);
  m.def("graph_assignment", assignment<In>, nb::arg("costs").noconvert(), nb::arg("solution").noconvert(),
        nb::arg("outcome").noconvert(), "maximise"_a, "threads"_a);
  m.def("graph_knapsack", knapsack<In>, nb::arg("values").noconvert(), nb::arg("weights").noconvert(), "capacity"_a,
        nb::arg("solution").noconvert(), "threads"_a);
  m.def("graph_spanning_tree", spanning_tree<In>, nb::arg("costs").noconvert(), nb::arg("ends").noconvert(), "nodes"_a,
        nb::arg("solution").noconvert(), nb::arg("outcome").noconvert(), "maximise"_a, "threads"_a);
  m.def("graph_max_flow", max_flow<In>, nb::arg("capacities").noconvert(), nb::arg("ends").noconvert(), "nodes"_a, "source"_a,
        "target"_a, "directed"_a, nb::arg("flow").noconvert(), nb::arg("cut").noconvert(), "threads"_a);
  m.def("graph_tour", tour<In>, nb::arg("costs").noconvert(), nb::arg("solution").noconvert(), "exact"_a, "symmetric"_a, "threads"_a);
}

}  // namespace

void bind_graph(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
