"""A growing pool of solutions, which stands for the set of all."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import values_visible
from algonets._core.errors import reject_type, require
from algonets.gradients._problem import Problem, event_dims_of, sense_of, solver_name

__all__ = ["SolutionPool"]


@final
class SolutionPool(torch.nn.Module):
    """Distinct solutions, ``(M, *event)``, that serve as the wrong answers of contrastive and ranking losses.

    All examples must have the same feasible solutions, as one pool serves all.

    Args:
        solver: Finds new solutions, see :class:`algonets.gradients.Layer`.
        solutions: The first ones, ``(M, *event)`` with M >= 1, such as those of the training set.
        grow: Probability that a batch is solved on its predictions and the solutions are added, in [0, 1].
        event_dims: Over how many last dimensions one problem extends; by default what the solver says.

    Raises:
        TypeError: the solver cannot be called, or the solutions are no tensor.
        ValueError: no solutions; a probability outside [0, 1].

    Cost: ``grow`` solver calls an example on average; memory of the pool.
    References: Mulamba et al. 2021, Contrastive Losses and Solution Caching for Predict-and-Optimize.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> pool = SolutionPool(argmax, torch.eye(3)[:1])
        >>> pool.add(torch.eye(3)[:2])
        >>> pool.solutions
        tensor([[0., 1., 0.],
                [1., 0., 0.]])
    """

    solutions: Tensor

    def __init__(
        self,
        solver: Callable[..., Tensor],
        solutions: Tensor,
        grow: float = 1.0,
        *,
        event_dims: int | None = None,
    ):
        super().__init__()
        if not callable(solver):
            reject_type("SolutionPool(solver)", "must be callable", solver)
        sense_of("SolutionPool", solver)
        self.solver = solver
        self.event_dims = event_dims_of("SolutionPool", solver, event_dims)
        if not isinstance(solutions, Tensor):
            reject_type("SolutionPool(solutions)", "must be a torch.Tensor", solutions)
        rule = f"must be (M, *event) with M >= 1 and an event of {self.event_dims} dimensions"
        fits = solutions.ndim == 1 + self.event_dims and len(solutions) > 0
        require(fits, "SolutionPool(solutions)", rule, solutions)
        require(0 <= grow <= 1, "SolutionPool(grow)", "must be a probability", grow)
        self.grow = grow
        start = solutions.detach()
        start = start if start.dtype.is_floating_point else start.float()
        self.register_buffer("solutions", start.unique(dim=0))

    def add(self, y: Tensor) -> None:
        """Add what is new of ``y (*batch, *event)``."""
        require(
            y.shape[y.ndim - self.event_dims :] == self.solutions.shape[1:],
            "SolutionPool.add(y)",
            f"must be solutions of shape {tuple(self.solutions.shape[1:])}",
            y,
        )
        rows = y.detach().reshape(-1, *self.solutions.shape[1:]).to(self.solutions)
        self.solutions = torch.cat([self.solutions, rows]).unique(dim=0)

    def refresh(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        """Solve the batch and add its solutions, or not, by chance; returns the pool in the dtype of the scores."""
        require(
            problem.event == self.solutions.shape[1:],
            f"{problem.call}(theta)",
            f"must have the shape of the pool, {tuple(self.solutions.shape[1:])}, in its last dimensions",
            problem.scores,
        )
        chance = 1.0 if self.grow == 1 else float(torch.rand((), generator=generator)) if self.grow > 0 else 2.0
        if self.grow == 1 or chance < self.grow:
            y, good = problem.maximise(problem.scores)
            self.add(y if good is None else y[good])
        solutions = self.solutions.to(problem.scores)
        if problem.closed is not None:
            used = solutions.flatten(1) @ problem.closed.flatten(1).to(solutions).mT
            rule = "must not forbid what a solution of the pool uses, as one pool serves all examples"
            require(
                not values_visible(used) or not bool(used.any()), f"{problem.call}(theta)", rule, "an infinity there"
            )
        return solutions

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        shown = "" if isinstance(self.solver, torch.nn.Module) else f"{solver_name(self.solver)}, "
        return f"{shown}{len(self.solutions)} solutions, grow={self.grow!r}"

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: object) -> None:
        saved = state_dict.get(f"{prefix}solutions")
        if isinstance(saved, Tensor) and saved.shape[1:] == self.solutions.shape[1:]:  # pools grow
            self.solutions = torch.zeros_like(self.solutions[:1]).expand_as(saved).clone()
        super()._load_from_state_dict(state_dict, prefix, *rest)  # pyright: ignore[reportArgumentType]
