"""The base of all layers around solvers."""

import abc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from algonets._core.errors import reject_type
from algonets.gradients._problem import Problem, event_dims_of, sense_of, solver_name

__all__ = ["Layer"]


class Layer(torch.nn.Module, abc.ABC):
    """A solver with a gradient: ``layer(theta, **instance) -> y``.

    The solver is any callable: ``solver(theta, **instance)`` gets ``theta (N, *event)`` and returns ``y`` of the same
    shape that maximises ``<theta, y>``, or minimises it if the attribute ``sense`` of the solver is ``"min"``. Rows
    of NaN mean "no solution": such an example yields zeros and a zero gradient, with a :class:`SolverWarning`.
    In all layers noise is added to scores, so it is subtracted from costs. A cost of +inf, or a score of -inf, forbids:
    the solver meets it as it is, and it gets no gradient. NaN and the other infinity are refused.

    Args:
        solver: The callable.
        event_dims: Over how many last dimensions of theta one problem extends; by default the attribute
            ``event_dims`` of the solver, else 1.
        keep_sign: Clip perturbed entries at zero, where they would change sign against theta: for solvers that refuse
            negative costs.

    Shape: ``forward(theta, *, generator=None, **instance)``: theta ``(*batch, *event)``, floating; tensors of the
        instance ``(*batch, ...)``; returns y ``(*batch, *event)`` in the dtype of theta.
    """

    def __init__(self, solver: Callable[..., Tensor], *, event_dims: int | None = None, keep_sign: bool = False):
        super().__init__()
        name = type(self).__name__
        if not callable(solver):
            reject_type(f"{name}(solver)", "must be callable", solver)
        sense_of(name, solver)
        self.solver = solver
        self.event_dims = event_dims_of(name, solver, event_dims)
        self.keep_sign = keep_sign

    @property
    def sense(self) -> str:
        """``"max"`` or ``"min"``: that of the solver, so that a layer is a solver."""
        return getattr(self.solver, "sense", "max")

    def problem(self, theta: Tensor, instance: dict[str, Any]) -> Problem:
        """Check and flatten the arguments of one call."""
        return Problem(type(self).__name__, self.solver, theta, instance, self.event_dims, self.keep_sign)

    def forward(self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any) -> Tensor:
        """Return the solution, or the mean solution, of each example."""
        problem = self.problem(theta, instance)
        return problem.restore(self._solve(problem, generator))

    @abc.abstractmethod
    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        """Return ``(N, *event)`` with a gradient with respect to ``problem.scores``."""

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        shown = [solver_name(self.solver)] if not isinstance(self.solver, torch.nn.Module) else []
        shown += [f"{key}={value!r}" for key, value in self._settings().items()]
        shown += [f"event_dims={self.event_dims}"] if self.event_dims != 1 else []
        shown += ["keep_sign=True"] if self.keep_sign else []
        return ", ".join(shown)

    def _settings(self) -> dict[str, Any]:
        return {}
