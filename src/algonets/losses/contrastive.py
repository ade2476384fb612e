"""Contrastive losses: the label against a pool of other solutions."""

from typing import Any, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type
from algonets.losses._solver_loss import Reduction, SolverLoss
from algonets.losses.solution_pool import SolutionPool

__all__ = ["MAPContrastive", "NoiseContrastive"]


class PoolLoss(SolverLoss):
    """A loss against a pool of solutions."""

    def __init__(self, pool: SolutionPool, *, reduction: Reduction = "mean"):
        if not isinstance(pool, SolutionPool):
            reject_type(f"{type(self).__name__}(pool)", "must be a SolutionPool", pool)
        super().__init__(pool.solver, reduction, pool.event_dims)
        self.pool = pool

    def _contrast(
        self, theta: Tensor, y: Tensor, generator: torch.Generator | None, return_solution: bool, instance: dict
    ) -> Any:
        problem = self._problem(theta, instance)
        right = problem.other("y", y)
        others = self.pool.refresh(problem, generator)
        scores = problem.scores.flatten(1) @ others.flatten(1).mT
        loss = self._of(scores) - problem.dot(problem.scores, right)
        best = others[scores.argmax(-1)] if len(scores) else torch.zeros_like(right)
        return self._finish(problem, loss, None, best, return_solution)

    def _of(self, scores: Tensor) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        return f"reduction={self.reduction!r}" if self.reduction != "mean" else ""


@final
class NoiseContrastive(PoolLoss):
    r"""Noise contrastive loss: the label against the mean of a pool; needs **solutions** as labels.

    .. math:: \ell(\theta, y) = \frac{1}{|P|} \sum_{v \in P} \langle\theta, v\rangle - \langle\theta, y\rangle

    Linear in theta, so without a lower bound: for models whose scores cannot grow, or with weight decay and few steps.

    Args:
        pool: Of other solutions; with its solver, which is called for a share ``grow`` of the batches.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(theta, y, *, generator=None, return_solution=False, **instance)``: theta and y
        ``(*batch, *event)``. Returns ``(*batch,)`` or a scalar, with ``return_solution`` a pair of it and the best
        solution in the pool; float32 for half types.

    Raises:
        TypeError, ValueError: theta is no finite floating tensor; shapes do not fit; an unknown reduction.

    Differentiability: linear in theta.
    Cost: that of growing the pool, and a product ``(N, M)`` with its M solutions.
    References: Mulamba et al. 2021, Contrastive Losses and Solution Caching for Predict-and-Optimize, equation 5.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> pool = SolutionPool(argmax, torch.eye(2))
        >>> NoiseContrastive(pool)(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
        tensor(1.)
    """

    def forward(
        self,
        theta: Tensor,
        y: Tensor,
        *,
        generator: torch.Generator | None = None,
        return_solution: bool = False,
        **instance: Any,
    ) -> Any:
        """Return the loss."""
        return self._contrast(theta, y, generator, return_solution, instance)

    def _of(self, scores: Tensor) -> Tensor:
        return scores.mean(-1)


@final
class MAPContrastive(PoolLoss):
    r"""Contrastive loss against the best solution of a pool; needs **solutions** as labels.

    .. math:: \ell(\theta, y) = \max_{v \in P} \langle\theta, v\rangle - \langle\theta, y\rangle

    With a pool that holds all solutions it is :class:`Perceptron`.

    Args, Shape, Raises, Cost, References: as :class:`NoiseContrastive`.

    Differentiability: piecewise linear in theta.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> pool = SolutionPool(argmax, torch.eye(2))
        >>> MAPContrastive(pool)(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
        tensor(2.)
    """

    def forward(
        self,
        theta: Tensor,
        y: Tensor,
        *,
        generator: torch.Generator | None = None,
        return_solution: bool = False,
        **instance: Any,
    ) -> Any:
        """Return the loss."""
        return self._contrast(theta, y, generator, return_solution, instance)

    def _of(self, scores: Tensor) -> Tensor:
        return scores.amax(-1)
