"""The structured hinge loss around any solver."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets._core.errors import reject_type, require
from algonets.gradients._problem import solver_name
from algonets.losses._solver_loss import Reduction, SolverLoss

__all__ = ["StructuredHinge"]


@final
class StructuredHinge(SolverLoss):
    r"""Structured hinge loss (maximum margin) of any solver; needs **solutions** as labels. The *pool* way.

    .. math:: \ell(\theta, y) = \max_{y'} \bigl[\langle\theta, y'\rangle + m\,\Delta(y, y')\bigr]
        - \langle\theta, y\rangle, \qquad \Delta(y, y') = \langle w(y), y'\rangle + c(y)

    The cost of a wrong solution is linear in it, so that the same solver finds the worst one: it is called on
    :math:`\theta + m w(y)` (costs: :math:`\theta - m w(y)`, which may be negative). (For a chain,
    :func:`structured_hinge` takes its scores directly.)

    Args:
        solver: Any solver, see :class:`algonets.gradients.Layer`.
        cost: ``cost(y) -> (w, c)`` with w ``(N, *event)`` and c ``(N,)``; by default the Hamming distance of 0/1
            solutions, ``w = 1 - 2 y`` and ``c = sum y``.
        margin: m, positive.
        reduction, event_dims: As of :class:`Perceptron`.

    Shape: As :class:`Perceptron`; the solution returned is the worst one, that of the margin.

    Raises:
        TypeError, ValueError: As :class:`Perceptron`; a margin that is not positive; a cost of wrong shape.

    Differentiability: piecewise linear; the gradient is the worst solution minus the label.
    Cost: one solver call.
    References: Tsochantaridis et al. 2005, Large Margin Methods for Structured and Interdependent Output Variables.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> StructuredHinge(argmax)(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0]))
        tensor(1.)
    """

    def __init__(
        self,
        solver: Callable[..., Tensor],
        cost: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        margin: float = 1.0,
        *,
        reduction: Reduction = "mean",
        event_dims: int | None = None,
    ):
        super().__init__(solver, reduction, event_dims)
        if cost is not None and not callable(cost):
            reject_type("StructuredHinge(cost)", "must be callable", cost)
        check_positive("StructuredHinge(margin)", margin, "Without a margin use Perceptron.")
        self.cost, self.margin = cost, margin

    def forward(self, theta: Tensor, y: Tensor, *, return_solution: bool = False, **instance: Any) -> Any:
        """Return the loss."""
        problem = self._problem(theta, instance)
        right = problem.other("y", y)
        if self.cost is None:
            weights, constant = 1 - 2 * right, right.sum(problem.events)
        else:
            weights, constant = (value.detach() for value in self.cost(right))
            fits = weights.shape == right.shape and constant.shape == right.shape[:1]
            rule = f"must return weights {tuple(right.shape)} and constants {tuple(right.shape[:1])}"
            require(fits, "StructuredHinge: cost", rule, weights)
        scores = problem.scores + self.margin * weights
        worst, good = problem.maximise(scores)
        loss = problem.dot(scores, worst) + self.margin * constant - problem.dot(problem.scores, right)
        return self._finish(problem, loss, good, worst, return_solution)

    def _settings(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"margin": self.margin}
        if self.cost is not None and not isinstance(self.cost, torch.nn.Module):
            shown["cost"] = solver_name(self.cost)
        return shown
