// Combinatorial solvers on graphs; each in its own header.

#include "graph.h"

#include "graph/assignment.h"
#include "graph/edges.h"
#include "graph/flow.h"
#include "graph/grid.h"
#include "graph/knapsack.h"
#include "graph/soft.h"
#include "graph/tour.h"
#include "graph/tree.h"

namespace algonets {
namespace ALGONETS_ISA {

extern const GraphKernels<float> graph_float;
extern const GraphKernels<double> graph_double;
const GraphKernels<float> graph_float = {grid_path<float>, shortest_path<float>, soft_path<float>, assignment<float>,
                                         knapsack<float>,  spanning_tree<float>, max_flow<float>,  tour<float>};
const GraphKernels<double> graph_double = {grid_path<double>, shortest_path<double>, soft_path<double>, assignment<double>,
                                           knapsack<double>,  spanning_tree<double>, max_flow<double>,  tour<double>};

}  // namespace ALGONETS_ISA
}  // namespace algonets
