"""Solvers on graphs: paths, assignments, trees, tours, cuts, knapsacks.

A solver is called on costs or scores and returns the solution as 0/1 in their shape; ``sense`` tells whether it
minimises or maximises; an example without a solution is NaN, and :meth:`GraphSolver.solve` flags it. By itself it is piecewise constant: ``algonets.gradients`` makes layers of solvers,
``algonets.losses`` losses.
"""

from algonets.graph.assignment import Assignment
from algonets.graph.grid_path import GridPath
from algonets.graph.knapsack import Knapsack
from algonets.graph.shortest_path import ShortestPath
from algonets.graph.soft_shortest_path import SoftShortestPath
from algonets.graph.solver import GraphSolver, Solved

__all__ = ["Assignment", "GraphSolver", "GridPath", "Knapsack", "ShortestPath", "SoftShortestPath", "Solved"]
