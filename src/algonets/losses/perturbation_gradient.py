"""The perturbation gradient loss: the decision's true cost as a directional derivative of the optimal value."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets.losses._solver_loss import Reduction, SolverLoss

__all__ = ["PerturbationGradient"]


@final
class PerturbationGradient(SolverLoss):
    r"""The true cost of the decision, as a finite difference of optimal values; needs true **costs** as labels.

    .. math:: \langle c, y^*(\hat c)\rangle = \frac{d}{dh} V(\hat c + h c) \Big|_0 \approx
        \frac{1}{2h}\bigl(V(\hat c + h c) - V(\hat c - h c)\bigr), \qquad V(c) = \min_y \langle c, y\rangle

    (for a minimum; for a maximum the value is negated, so that small is good.) The value is Lipschitz in theta and its
    error against the true cost shrinks with h; unlike SPO+ it needs no best solutions, and is not convex.

    Args:
        solver: Any solver, see :class:`algonets.gradients.Layer`; it meets ``theta +- h cost``.
        step: h, positive.
        symmetric: Differences on both sides; else ``(V(theta) - V(theta - h cost)) / h``.
        reduction, event_dims: As of :class:`SPOPlus`.

    Shape: ``forward(theta, cost, *, return_solution=False, **instance)``: predicted theta and true cost
        ``(*batch, *event)``. Returns ``(*batch,)`` or a scalar, with ``return_solution`` a pair of it and the solution
        at the upper end; float32 for half types.

    Raises:
        TypeError, ValueError: As :class:`SPOPlus`; a step that is not positive.

    Differentiability: piecewise linear in theta.
    Cost: two solver calls.
    References: Huang, Gupta 2024, Decision-Focused Learning with Directional Gradients.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> PerturbationGradient(argmax)(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0]))
        tensor(-3.0000)
    """

    def __init__(
        self,
        solver: Callable[..., Tensor],
        step: float = 0.1,
        *,
        symmetric: bool = True,
        reduction: Reduction = "mean",
        event_dims: int | None = None,
    ):
        super().__init__(solver, reduction, event_dims)
        check_positive("PerturbationGradient(step)", step)
        self.step, self.symmetric = step, symmetric

    def forward(self, theta: Tensor, cost: Tensor, *, return_solution: bool = False, **instance: Any) -> Any:
        """Return the loss."""
        problem = self._problem(theta, instance)
        shift = self.step * problem.other_costs("cost", cost)
        # More of the true scores is better, and the loss is less.
        high = problem.scores + shift if self.symmetric else problem.scores
        ends = torch.stack([high, problem.scores - shift])
        y, good = problem.maximise(ends)
        width = 2 * self.step if self.symmetric else self.step
        values = problem.dot(ends, y)
        fine = None if good is None else good.all(0)
        return self._finish(problem, (values[1] - values[0]) / width, fine, y[0], return_solution)

    def _settings(self) -> dict[str, Any]:
        return {"step": self.step} | ({} if self.symmetric else {"symmetric": False})
