"""Solvers on graphs: paths, assignments, trees, tours, cuts, knapsacks."""

__all__: list[str] = []
