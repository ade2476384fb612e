"""Learning to rank the solutions of a pool as the true costs do."""

from typing import Any, Literal, final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets._core.errors import require
from algonets.losses._solver_loss import Reduction
from algonets.losses.contrastive import PoolLoss
from algonets.losses.solution_pool import SolutionPool

__all__ = ["LearningToRank"]


@final
class LearningToRank(PoolLoss):
    r"""Rank a pool of solutions as the true costs do; needs true **costs** as labels.

    With :math:`s_v = \langle\theta, v\rangle` and :math:`t_v = \langle c, v\rangle` for v in the pool (negated where
    the solver minimises):

    - ``"listwise"``: cross entropy of softmax(s / T) against softmax(t / T);
    - ``"pairwise"``: mean over the others of :math:`\max(0, s_v - s_b)`, b the best by t;
    - ``"pointwise"``: mean of :math:`(s_v - t_v)^2`.

    Args:
        pool: Of solutions; with its solver, which is called for a share ``grow`` of the batches.
        kind: See above.
        temperature: T of the listwise loss, in the unit of the costs.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(theta, cost, *, generator=None, return_solution=False, **instance)``: predicted theta and true
        cost ``(*batch, *event)``. Returns ``(*batch,)`` or a scalar, with ``return_solution`` a pair of it and the
        best solution in the pool by theta; float32 for half types.

    Raises:
        TypeError, ValueError: theta is no finite floating tensor; shapes do not fit; an unknown kind or reduction.

    Differentiability: any order in theta, piecewise linear for ``"pairwise"``.
    Cost: that of growing the pool, and two products ``(N, M)`` with its M solutions.
    References: Mandi, Bucarey, Mulamba, Guns 2022, Decision-Focused Learning: Through the Lens of Learning to Rank.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> pool = SolutionPool(argmax, torch.eye(2))
        >>> LearningToRank(pool, "pairwise")(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
        tensor(2.)
    """

    def __init__(
        self,
        pool: SolutionPool,
        kind: Literal["listwise", "pairwise", "pointwise"] = "listwise",
        temperature: float = 1.0,
        *,
        reduction: Reduction = "mean",
    ):
        super().__init__(pool, reduction=reduction)
        known = ("listwise", "pairwise", "pointwise")
        require(kind in known, "LearningToRank(kind)", f"must be one of {', '.join(known)}", kind)
        check_positive("LearningToRank(temperature)", temperature)
        self.kind, self.temperature = kind, temperature

    def forward(
        self,
        theta: Tensor,
        cost: Tensor,
        *,
        generator: torch.Generator | None = None,
        return_solution: bool = False,
        **instance: Any,
    ) -> Any:
        """Return the loss."""
        problem = self._problem(theta, instance)
        true = problem.other_costs("cost", cost)
        pool = self.pool.refresh(problem, generator)
        flat = pool.flatten(1).mT
        found, wanted = problem.scores.flatten(1) @ flat, true.flatten(1) @ flat
        best = pool[found.argmax(-1)] if len(found) else torch.zeros_like(true)
        loss = self._compare(found, wanted)
        return self._finish(problem, loss, None, best, return_solution)

    def _compare(self, found: Tensor, wanted: Tensor) -> Tensor:
        if self.kind == "listwise":
            target = (wanted / self.temperature).softmax(-1)
            return -(target * (found / self.temperature).log_softmax(-1)).sum(-1)
        if self.kind == "pairwise":
            first = found.gather(-1, wanted.argmax(-1, keepdim=True))
            return (found - first).relu().sum(-1) / max(found.shape[-1] - 1, 1)
        return (found - wanted).square().mean(-1)

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        shown = f"kind={self.kind!r}" + (f", temperature={self.temperature!r}" if self.temperature != 1 else "")
        return shown + (f", reduction={self.reduction!r}" if self.reduction != "mean" else "")
