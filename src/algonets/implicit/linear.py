"""Linear solvers: what Newton's method and the backward pass of ``Implicit`` solve with."""

import abc

from torch import Tensor

from algonets.implicit.linearise import Operator

__all__ = ["AbstractLinearSolver"]


class AbstractLinearSolver(abc.ABC):
    """A solver of ``M x = b`` for each row of ``b`` by itself."""

    @abc.abstractmethod
    def _solve(
        self, operator: Operator, b: Tensor, start: Tensor | None = None, tolerance: float | None = None
    ) -> Tensor:
        """Return ``x``, ``(B, D)``, to the tolerance ``|b - M x| <= tolerance |b|`` if it is iterative.

        It never raises: the caller checks the residual.
        """
