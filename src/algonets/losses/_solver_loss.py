"""What all losses around solvers share: the problem of one call, masks of what has no solution, reductions."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from algonets._core.errors import reject_type, require
from algonets._core.reductions import reduce_loss
from algonets.gradients._problem import Mask, Problem, event_dims_of, sense_of, solver_name

__all__ = ["Reduction", "SolverLoss"]

Reduction = Literal["none", "sum", "mean"]


class SolverLoss(torch.nn.Module):
    """A loss of predicted scores or costs theta; an example without a solution has loss 0 and no gradient."""

    def __init__(
        self,
        solver: Callable[..., Tensor],
        reduction: Reduction = "mean",
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__()
        name = type(self).__name__
        if not callable(solver):
            reject_type(f"{name}(solver)", "must be callable", solver)
        require(reduction in ("none", "sum", "mean"), f"{name}(reduction)", "must be one of none, sum, mean", reduction)
        sense_of(name, solver)
        self.solver, self.reduction = solver, reduction
        self.event_dims = event_dims_of(name, solver, event_dims)
        self.keep_sign = keep_sign

    def _problem(self, theta: Tensor, instance: dict[str, Any]) -> Problem:
        return Problem(type(self).__name__, self.solver, theta, instance, self.event_dims, self.keep_sign)

    def _finish(self, problem: Problem, loss: Tensor, good: Mask, y: Tensor, return_solution: bool) -> Any:
        """Mask, reduce, and add the solution if asked for."""
        value = problem.restore_values(problem.masked(loss, good))
        wanted = torch.promote_types(problem.dtype, torch.float32)
        reduced = reduce_loss(type(self).__name__, value.to(wanted), self.reduction)
        return (reduced, problem.restore(y)) if return_solution else reduced

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        shown = [] if isinstance(self.solver, torch.nn.Module) else [solver_name(self.solver)]
        shown += [f"{key}={value!r}" for key, value in self._settings().items()]
        shown += [f"reduction={self.reduction!r}"] if self.reduction != "mean" else []
        shown += [f"event_dims={self.event_dims}"] if self.event_dims != 1 else []
        return ", ".join(shown)

    def _settings(self) -> dict[str, Any]:
        return {}
