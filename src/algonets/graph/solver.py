"""What all solvers share: costs or scores in, a 0/1 solution in their shape out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from algonets._core.checks import check_floating, values_visible
from algonets._core.errors import reject
from algonets._core.shapes import flatten_batch

__all__ = ["GraphSolver", "Solved"]

_WIDE = (torch.float32, torch.float64)


class Solved(NamedTuple):
    """What :meth:`GraphSolver.solve` returns.

    Attributes:
        solution: 0/1, in the shape and dtype of theta; all 0 where nothing is feasible.
        value: ``(*batch,)``, ``<theta, solution>``; +inf (``sense="min"``) or -inf where nothing is feasible.
            Its gradient is the solution (Danskin): the pool way into a network.
        feasible: bool ``(*batch,)``.
    """

    solution: Tensor
    value: Tensor
    feasible: Tensor


class GraphSolver(nn.Module, ABC):
    """A combinatorial solver: ``y = argmin <theta, y>`` or ``argmax``, called as ``solver(theta)``.

    Solvers hold no parameters. They take and return plain tensors, so that anything that wraps a callable takes them:
    ``algonets.gradients`` makes layers of them, ``algonets.losses`` losses.

    Attributes:
        sense: ``"min"`` for costs, ``"max"`` for scores.
        event_dims: over how many last dimensions of theta one problem extends.
    """

    sense: Literal["min", "max"]
    event_dims: ClassVar[int]
    _argument: ClassVar[str]

    @abstractmethod
    def _check(self, call: str, theta: Tensor) -> None:
        """Refuse wrong shapes and, where they may be read, wrong values."""

    @abstractmethod
    def _solve(self, theta: Tensor, **instance: Any) -> tuple[Tensor, Tensor]:
        """Solve ``(B, *event)`` in float32 or float64: solution, and whether there is one."""

    def forward(self, theta: Tensor, **instance: Any) -> Tensor:
        """Solve, and return the solution alone; see :meth:`solve`.

        An example without a solution is all NaN, which layers and losses take for "none": no gradient comes from it.

        Differentiability: piecewise constant: use a gradient from ``algonets.gradients``.
        """
        solution, feasible = self._run(theta, **instance)
        if values_visible(feasible) and bool(feasible.all()):
            return solution
        found = feasible.reshape(*feasible.shape, *[1] * self.event_dims)
        return torch.where(found, solution, math.nan)

    def solve(self, theta: Tensor, **instance: Any) -> Solved:
        """Solve, and tell value and feasibility.

        Returns:
            :class:`Solved`.

        Differentiability: ``value`` is piecewise linear, its gradient is the solution.
        """
        solution, feasible = self._run(theta, **instance)
        dims = tuple(range(-self.event_dims, 0))
        # Chosen entries only: 0 times a forbidden inf would be NaN.
        value = torch.where(solution > 0, theta, torch.zeros_like(theta)).sum(dims)
        worst = math.inf if self.sense == "min" else -math.inf
        return Solved(solution, torch.where(feasible, value, worst), feasible)

    def _run(self, theta: Tensor, solve: Callable | None = None, **instance: Any) -> tuple[Tensor, Tensor]:
        call = f"{type(self).__name__}({self._argument})"
        check_floating(call, theta)
        if theta.ndim < self.event_dims:
            reject(call, f"must have at least {self.event_dims} dimensions", theta)
        self._check(call, theta)
        batch = theta.shape[: theta.ndim - self.event_dims]
        flat = flatten_batch(theta.detach(), self.event_dims)
        if flat.dtype not in _WIDE:
            flat = flat.float()
        solution, feasible = (solve or self._solve)(flat, **instance)
        return solution.reshape(theta.shape).to(theta.dtype), feasible.reshape(batch)


def least(theta: Tensor) -> float | None:
    """Return the least entry, NaN if any is; None where there is none or values may not be read."""
    return theta.detach().amin().item() if theta.numel() and values_visible(theta) else None


def refuse(call: str, theta: Tensor, bad: Tensor, rule: str, what: str, remedy: str = "") -> None:
    """Raise if any entry of ``bad`` is set and values may be read."""
    if theta.numel() and values_visible(theta) and bool(bad.any()):
        reject(call, rule, what, remedy)


def ends_of(call: str, name: str, value: Any, batch: tuple[int, ...], like: Tensor) -> Tensor:
    """Nodes given as integers or an integer tensor that broadcasts to the batch, as int64 ``(B,)``."""
    node = torch.as_tensor(value, device=like.device)
    if node.dtype.is_floating_point or node.dtype.is_complex or node.dtype == torch.bool:
        raise TypeError(f"{call}({name}) must hold integers, got {node.dtype}.")
    try:
        return node.to(torch.int64).expand(batch).reshape(-1)
    except RuntimeError:
        return reject(f"{call}({name})", f"must broadcast to the batch shape {batch}", node)
