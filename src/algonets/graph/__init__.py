"""Solvers on graphs: paths, assignments, trees, tours, cuts, knapsacks.

A solver is called on costs or scores and returns the solution as 0/1 in their shape; ``sense`` tells whether it
minimises or maximises. An example without a solution is NaN, and :meth:`GraphSolver.solve` flags it. By itself a
solver is piecewise constant: ``algonets.gradients`` makes layers of solvers, ``algonets.losses`` losses.
"""

from algonets.graph.assignment import Assignment
from algonets.graph.floyd_warshall import floyd_warshall
from algonets.graph.grid_path import GridPath
from algonets.graph.knapsack import Knapsack
from algonets.graph.max_flow import MaxFlow, MinCut
from algonets.graph.shortest_path import ShortestPath
from algonets.graph.soft_shortest_path import SoftShortestPath
from algonets.graph.solver import GraphSolver, Solved
from algonets.graph.spanning_tree import SpanningTree
from algonets.graph.travelling_salesman import TravellingSalesman

__all__ = [
    "Assignment",
    "GraphSolver",
    "GridPath",
    "Knapsack",
    "MaxFlow",
    "MinCut",
    "ShortestPath",
    "SoftShortestPath",
    "Solved",
    "SpanningTree",
    "TravellingSalesman",
    "floyd_warshall",
]
