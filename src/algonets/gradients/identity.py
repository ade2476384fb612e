"""The identity as the Jacobian of a solver, with projections that take away what the solver does not see."""

from collections.abc import Callable
from typing import Any, Literal, final

import torch
from torch import Tensor

from algonets._core.errors import require
from algonets.gradients._estimate import attach
from algonets.gradients._problem import Problem
from algonets.gradients.layer import Layer

__all__ = ["Identity"]


@final
class Identity(Layer):
    r"""The exact solution, with the incoming gradient handed on as it is: of cost zero, and without a parameter.

    .. math:: \nabla_\theta L = \pm\, J_P^\top \nabla_y L, \qquad y = y^*(P(\theta))

    Args:
        solver: See :class:`Layer`.
        projection: P, before the solver: ``"none"``; ``"mean"`` subtracts the mean, for solvers whose solutions all
            have the same sum (one-hot, k of n, permutations), as otherwise the gradient drifts along directions that
            do not matter; ``"norm"`` divides by the norm, so that scores cannot grow without limit;
            ``"standardise"`` does both. By default ``"norm"`` where the solver minimises: less their mean, costs become
            negative, which shortest paths refuse or count as 0; and ``"standardise"`` where it maximises.
        event_dims, keep_sign: See :class:`Layer`.

    Shape: See :class:`Layer`.

    Raises:
        TypeError, ValueError: See :class:`Layer`; an unknown projection.

    Differentiability: once through the solver (as the identity).
    Cost: one solver call forward, none backward. No noise: ``generator`` is not used.
    References: Sahoo, Paulus, Vlastelica, Musil, Kuleshov, Martius 2023, Backpropagation through Combinatorial
        Algorithms: Identity with Projection Works.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> theta = torch.tensor([1.0, 0.5, 0.0], requires_grad=True)
        >>> Identity(argmax, "mean")(theta)[0].backward()
        >>> theta.grad
        tensor([ 0.6667, -0.3333, -0.3333])
    """

    def __init__(
        self,
        solver: Callable[..., Tensor],
        projection: Literal["none", "mean", "norm", "standardise"] | None = None,
        *,
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__(solver, event_dims=event_dims, keep_sign=keep_sign)
        if projection is None:
            projection = "norm" if self.sense == "min" else "standardise"
        known = ("none", "mean", "norm", "standardise")
        require(projection in known, "Identity(projection)", f"must be one of {', '.join(known)}", projection)
        self.projection = projection

    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        scores = problem.scores
        if self.projection in ("mean", "standardise"):
            scores = scores - self._mean(problem)
        if self.projection in ("norm", "standardise"):
            size = scores.square().sum(problem.events, keepdim=True)
            known = size > 0
            if self.projection == "standardise":
                size = size / max(problem.event.numel(), 1)
            scores = scores * torch.where(known, size, 1.0).rsqrt()
        y, good = problem.maximise(scores)
        return attach(scores, y, lambda grad: problem.kept(grad, good))

    def _mean(self, problem: Problem) -> Tensor:
        """Mean of what is not forbidden, ``(N, *ones)``."""
        if problem.closed is None:
            return problem.scores.mean(problem.events, keepdim=True)
        count = (~problem.closed).sum(problem.events, keepdim=True).clamp_min(1)
        return problem.scores.sum(problem.events, keepdim=True) / count

    def _settings(self) -> dict[str, Any]:
        return {"projection": self.projection}
