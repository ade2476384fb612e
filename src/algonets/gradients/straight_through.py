"""The exact solution forward, a soft relative of it backward."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type, require
from algonets.gradients._problem import Problem, both, solver_name
from algonets.gradients.layer import Layer

__all__ = ["StraightThrough"]


@final
class StraightThrough(Layer):
    r"""The exact solution, with the gradient of a differentiable one.

    .. math:: y = y^*(\theta) + \bigl(\tilde y(\theta) - \mathrm{stop}(\tilde y(\theta))\bigr)

    Args:
        solver: See :class:`Layer`.
        soft: Its relative, ``soft(theta, **instance)`` of the shape of theta: a softmax, a :class:`FrankWolfe`, a
            soft sort; it gets theta as it was given.
        event_dims, keep_sign: See :class:`Layer`.

    Shape: See :class:`Layer`; ``generator`` goes to ``soft`` if that is a :class:`Layer`.

    Raises:
        TypeError, ValueError: See :class:`Layer`; ``soft`` cannot be called, or returns another shape.

    Differentiability: that of ``soft``.
    Cost: one solver call, and ``soft``.
    References: Bengio, Leonard, Courville 2013, Estimating or Propagating Gradients Through Stochastic Neurons; Jang,
        Gu, Poole 2017 (straight-through Gumbel-softmax).

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> def softmax(theta):
        ...     return theta.softmax(-1)
        >>> theta = torch.zeros(2, requires_grad=True)
        >>> y = StraightThrough(argmax, softmax)(theta)
        >>> y[0].backward()
        >>> y.tolist(), theta.grad.tolist()
        ([1.0, 0.0], [0.25, -0.25])
    """

    def __init__(
        self,
        solver: Callable[..., Tensor],
        soft: Callable[..., Tensor],
        *,
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__(solver, event_dims=event_dims, keep_sign=keep_sign)
        if not callable(soft):
            reject_type("StraightThrough(soft)", "must be callable", soft)
        self.soft = soft

    def forward(self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any) -> Tensor:
        """Return the solution of each example."""
        problem = self.problem(theta, instance)
        y, good = problem.maximise(problem.scores)
        extra = {"generator": generator} if isinstance(self.soft, Layer) else {}
        soft = self.soft(theta, **extra, **instance)
        require(soft.shape == theta.shape, "StraightThrough: soft", "must return the shape of theta", soft)
        # What is forbidden may be infinite in the relative, too, and infinity minus itself is no number.
        fine = both(None if good is None else problem.spread(good), None if problem.closed is None else ~problem.closed)
        if fine is not None:
            soft = torch.where(fine.expand_as(problem.scores).reshape(theta.shape), soft, 0.0)
        return problem.restore(y) + (soft - soft.detach())

    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        return problem.maximise(problem.scores)[0]

    def _settings(self) -> dict[str, Any]:
        return {} if isinstance(self.soft, torch.nn.Module) else {"soft": _Shown(solver_name(self.soft))}


class _Shown(str):
    """Text that stands for itself in a ``repr``."""

    def __repr__(self) -> str:
        return str(self)
