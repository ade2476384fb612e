// Combinatorial solvers on graphs, one example of a batch after the other.
#pragma once

#include <cstdint>

namespace algonets {

// What became of an example.
enum Outcome : std::uint8_t { kFound = 0, kInfeasible = 1, kNegativeCycle = 2, kOutOfRange = 3 };

struct ExampleRange {
  std::int64_t begin, end;
};

// Cheapest path over the cells of a grid; the cost of every cell on it counts, both ends included.
template <class In> struct GridPathCall {
  const In* costs;            // (B, height, width); inf is a wall
  const std::int64_t* ends;   // (B, 2): start and goal, cells row by row
  In* solution;               // (B, height, width), zero before the call
  std::uint8_t* outcome;      // (B)
  std::int64_t height, width;
  int neighbours;             // 4 or 8
  bool bellman_ford;          // costs may be negative
};

// Cheapest path over the arcs of a graph in compressed sparse rows.
template <class In> struct ShortestPathCall {
  const In* costs;            // (B, edges); inf is a closed edge
  const std::int64_t* ends;   // (B, 2): source and target
  const std::int64_t* first;  // (nodes + 1): where the arcs of a node begin
  const std::int64_t* head;   // (arcs)
  const std::int64_t* edge;   // (arcs): its edge; two arcs share one where edges have no direction
  const std::int64_t* order;  // (nodes), topological, or null where the graph has a cycle
  In* solution;               // (B, edges), zero before the call
  std::uint8_t* outcome;      // (B)
  std::int64_t nodes, edges, arcs;
  bool bellman_ford;
};

// All walks from source to target at once, of at most so many steps; over arcs as above.
template <class In> struct SoftPathCall {
  const In* costs;            // (B, edges); inf is closed; not negative where there is no order
  const std::int64_t* first;  // as of ShortestPathCall
  const std::int64_t* head;
  const std::int64_t* edge;
  const std::int64_t* order;  // or null
  In* value;                  // (B): soft least cost
  In* expected;               // (B, edges): how often an edge is on a walk, zero before the call
  std::uint8_t* outcome;      // (B)
  std::int64_t nodes, edges, arcs, source, target, steps;
  double temperature;
};

// Cheapest matching that covers all rows; rows <= columns.
template <class In> struct AssignmentCall {
  const In* costs;            // (B, rows, columns); an infinity forbids
  In* solution;               // (B, rows, columns), zero before the call
  std::uint8_t* outcome;      // (B)
  std::int64_t rows, columns;
  double sign;                // -1: the dearest
};

// Most valuable choice of items whose whole weights add up to no more than the capacity.
template <class In> struct KnapsackCall {
  const In* values;             // (B, n)
  const std::int64_t* weights;  // (n), >= 0
  In* solution;                 // (B, n), zero before the call
  std::int64_t n, capacity;
};

// Cheapest spanning tree by Kruskal.
template <class In> struct SpanningTreeCall {
  const In* costs;            // (B, edges); an infinity closes an edge
  const std::int64_t* ends;   // (edges, 2)
  In* solution;               // (B, edges), zero before the call
  std::uint8_t* outcome;      // (B)
  std::int64_t nodes, edges;
  double sign;                // -1: the dearest
};

// Largest flow from source to target, and the cut that bounds it.
template <class In> struct MaxFlowCall {
  const In* capacities;       // (B, edges), >= 0
  const std::int64_t* ends;   // (edges, 2)
  In* flow;                   // (B, edges); backwards along an edge without direction it is negative
  In* cut;                    // (B, edges), zero before the call
  std::int64_t nodes, edges, source, target;
  bool directed;
};

// Cheapest round trip; costs of going from row to column.
template <class In> struct TourCall {
  const In* costs;            // (B, nodes, nodes)
  In* solution;               // (B, nodes, nodes), zero before the call
  std::int64_t nodes;
  bool exact, symmetric;      // Held-Karp, else local search; 2-opt reverses parts, which needs symmetry
};

template <class In> struct GraphKernels {
  void (*grid_path)(const GridPathCall<In>&, ExampleRange);
  void (*shortest_path)(const ShortestPathCall<In>&, ExampleRange);
  void (*soft_path)(const SoftPathCall<In>&, ExampleRange);
  void (*assignment)(const AssignmentCall<In>&, ExampleRange);
  void (*knapsack)(const KnapsackCall<In>&, ExampleRange);
  void (*spanning_tree)(const SpanningTreeCall<In>&, ExampleRange);
  void (*max_flow)(const MaxFlowCall<In>&, ExampleRange);
  void (*tour)(const TourCall<In>&, ExampleRange);
};

#define ALGONETS_DECLARE(isa)                          \
  namespace isa {                                      \
  extern const GraphKernels<float> graph_float;        \
  extern const GraphKernels<double> graph_double;      \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
