"""How good decisions are that were made on predicted costs: regret, and how many are optimal."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from algonets.gradients._problem import Problem, both, event_dims_of

__all__ = ["normalised_regret", "optimality_ratio", "regret"]


def regret(
    solver: Callable[..., Tensor],
    theta: Tensor,
    cost: Tensor,
    y: Tensor | None = None,
    *,
    event_dims: int | None = None,
    **instance: Any,
) -> Tensor:
    r"""What a decision on predicted costs loses against the best one, in true costs.

    .. math:: r = \langle c, y^*(\hat c)\rangle - \langle c, y^*(c)\rangle \ge 0

    (for a minimum; negated for a solver that maximises.)

    Args:
        solver: Any solver, see :class:`algonets.gradients.Layer`.
        theta: Predicted costs (scores), ``(*batch, *event)``.
        cost: True costs (scores), of the same shape.
        y: Best solutions for ``cost``, if at hand; else they are found by the solver.
        event_dims: Over how many last dimensions one problem extends; by default what the solver says.
        **instance: Of the solver.

    Returns:
        ``(*batch,)``, NaN where the solver finds no solution; where ties leave several solutions, that of the one
        which the solver takes.

    Raises:
        TypeError, ValueError: theta is no finite floating tensor; shapes do not fit.

    Differentiability: none, the result is detached; train with :class:`SPOPlus` or another loss.
    Cost: two solver calls, one if y is given.
    References: Elmachtoub, Grigas 2022, Smart "Predict, then Optimize", definition 1.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> regret(argmax, torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.5]))
        tensor(0.5000)
    """
    lost, _ = _compare("regret", solver, theta, cost, y, event_dims, instance)
    return lost


def normalised_regret(
    solver: Callable[..., Tensor],
    theta: Tensor,
    cost: Tensor,
    y: Tensor | None = None,
    *,
    event_dims: int | None = None,
    **instance: Any,
) -> Tensor:
    r"""Sum of the regrets over the sum of the best values, a number without a unit.

    .. math:: \sum_i r_i \Big/ \sum_i |\langle c_i, y^*(c_i)\rangle|

    Args, Raises, Cost, References: as :func:`regret`.

    Returns:
        A scalar; 0 for an empty batch. Examples without a solution are left out.

    Differentiability: none, the result is detached.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> normalised_regret(argmax, torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.5]))
        tensor(0.2500)
    """
    lost, best = _compare("normalised_regret", solver, theta, cost, y, event_dims, instance)
    known = lost.isfinite()
    total = best.abs().masked_fill(~known, 0.0).sum()
    lost = lost.masked_fill(~known, 0.0).sum()
    return torch.where(total > 0, lost / torch.where(total > 0, total, 1.0), lost)


def optimality_ratio(
    solver: Callable[..., Tensor],
    theta: Tensor,
    cost: Tensor,
    y: Tensor | None = None,
    *,
    tolerance: float = 1e-5,
    event_dims: int | None = None,
    **instance: Any,
) -> Tensor:
    """Fraction of decisions that are optimal by cost: ties count as optimal, unlike by a comparison of solutions.

    Args, Raises, Cost: as :func:`regret`.
        tolerance: Relative to the best value.

    Returns:
        A scalar in [0, 1]; examples without a solution count as not optimal.

    Differentiability: none.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> optimality_ratio(argmax, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[2.0, 1.5], [1.0, 1.0]]))
        tensor(0.5000)
    """
    lost, best = _compare("optimality_ratio", solver, theta, cost, y, event_dims, instance)
    optimal = lost <= tolerance * best.abs()
    return optimal.to(lost.dtype).sum() / max(lost.numel(), 1)


def _compare(
    call: str,
    solver: Callable[..., Tensor],
    theta: Tensor,
    cost: Tensor,
    y: Tensor | None,
    event_dims: int | None,
    instance: dict[str, Any],
) -> tuple[Tensor, Tensor]:
    """Return regrets and best values, ``(*batch,)``."""
    problem = Problem(call, solver, theta, instance, event_dims_of(call, solver, event_dims))
    with torch.no_grad():
        true = problem.other_costs("cost", cost)
        best, known = problem.maximise(true) if y is None else (problem.other("y", y), None)
        found, good = problem.maximise(problem.scores)
        top, fine = problem.dot(true, best), both(good, known)
        lost = top - problem.dot(true, found)
        lost = lost if fine is None else torch.where(fine, lost, torch.nan)
    return problem.restore_values(lost), problem.restore_values(top)
