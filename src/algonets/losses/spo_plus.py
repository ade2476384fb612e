"""The SPO+ loss: a convex bound of the regret of a decision."""

from typing import Any, final

from torch import Tensor

from algonets.gradients._problem import both
from algonets.losses._solver_loss import SolverLoss

__all__ = ["SPOPlus"]


@final
class SPOPlus(SolverLoss):
    r"""The SPO+ loss, a convex upper bound of the regret; needs true **costs** as labels, best solutions if at hand.

    .. math:: \ell(\hat c, c) = -\min_y \langle 2\hat c - c, y\rangle + 2\langle\hat c, y^*(c)\rangle
        - \langle c, y^*(c)\rangle

    (for a minimum; a solver that maximises enters by negative costs.)

    Args:
        solver: Any solver, see :class:`algonets.gradients.Layer`; it meets ``2 theta - cost``, which may be negative.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.
        event_dims: Over how many last dimensions of theta one problem extends; by default what the solver says.

    Shape: ``forward(theta, cost, y=None, *, return_solution=False, **instance)``: predicted theta, true cost and,
        optionally, y = y*(cost), all ``(*batch, *event)``. Returns ``(*batch,)`` or a scalar, with
        ``return_solution`` a pair of it and ``y*(2 theta - cost)``; float32 for half types.

    Raises:
        TypeError, ValueError: theta is no finite floating tensor; shapes do not fit; an unknown reduction.

    Differentiability: piecewise linear in theta, gradient ``2 (y*(c) - y*(2 c' - c))``.
    Cost: one solver call, two without y.
    References: Elmachtoub, Grigas 2022, Smart "Predict, then Optimize", definition 3.

    Example:
        >>> import torch
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> SPOPlus(argmax)(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.0]))
        tensor(3.)
    """

    def forward(
        self, theta: Tensor, cost: Tensor, y: Tensor | None = None, *, return_solution: bool = False, **instance: Any
    ) -> Any:
        """Return the loss."""
        problem = self._problem(theta, instance)
        true = problem.other_costs("cost", cost)
        best, known = problem.maximise(true) if y is None else (problem.other("y", y), None)
        scores = 2 * problem.scores - true
        far, good = problem.maximise(scores)
        loss = problem.dot(scores, far - best)
        return self._finish(problem, loss, both(good, known), far, return_solution)
