"""Blackbox differentiation: the gradient of a piecewise linear interpolation of the solver."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets.gradients._estimate import attach
from algonets.gradients._problem import Mask, Problem, both
from algonets.gradients.layer import Layer

__all__ = ["Interpolated"]


@final
class Interpolated(Layer):
    r"""The exact solution, with the gradient of an interpolation over a distance ``lam``.

    .. math:: \nabla_\theta L = \frac{1}{\lambda}\bigl(y^*(\theta) - y^*(\theta - \lambda g)\bigr), \qquad
        g = \nabla_y L

    (for a maximum; for a minimum :math:`(y^*(\theta + \lambda g) - y^*(\theta)) / \lambda`.)

    Args:
        solver: See :class:`Layer`.
        lam: How far to look along the gradient, in units of theta over those of g: large enough that the solution
            changes. It has to follow the scales of the scores and of the loss; ``relative`` does it by itself.
        relative: Take the step ``lam * norm(theta) / norm(g)`` instead, for each example.
        symmetric: Look in both directions, ``(y(theta + step) - y(theta - step)) / 2 lam``: two calls, less bias.
        event_dims, keep_sign: See :class:`Layer`. With ``keep_sign`` a step never makes a cost negative.

    Shape: See :class:`Layer`.

    Raises:
        TypeError, ValueError: See :class:`Layer`; ``lam`` is not positive.

    Differentiability: first order only; the gradient is that of the interpolation.
    Cost: one solver call forward, one backward (two if ``symmetric``). No noise: ``generator`` is not used.
    References: Vlastelica, Paulus, Musil, Martius, Rolinek 2020, Differentiation of Blackbox Combinatorial Solvers,
        algorithm 1.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> theta = torch.tensor([1.0, 0.5, 0.0], requires_grad=True)
        >>> y = Interpolated(argmax, lam=2.0)(theta)
        >>> (y * torch.tensor([1.0, 0.0, 0.0])).sum().backward()
        >>> y, theta.grad
        (tensor([1., 0., 0.], grad_fn=<ViewBackward0>), tensor([ 0.5000, -0.5000,  0.0000]))
    """

    def __init__(
        self,
        solver: Callable[..., Tensor],
        lam: float = 10.0,
        *,
        relative: bool = False,
        symmetric: bool = False,
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__(solver, event_dims=event_dims, keep_sign=keep_sign)
        check_positive("Interpolated(lam)", lam)
        self.lam, self.relative, self.symmetric = lam, relative, symmetric

    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        y, good = problem.maximise(problem.scores)
        return attach(problem.scores, y, lambda grad: self._interpolate(problem, y, good, grad))

    def _interpolate(self, problem: Problem, y: Tensor, good: Mask, grad: Tensor) -> Tensor:
        lam = step_length(problem, grad, self.lam) if self.relative else self.lam
        shift = lam * grad
        if self.symmetric:
            ends, fine = problem.maximise(problem.scores + torch.stack([shift, -shift]))
            slope, fine = (ends[0] - ends[1]) / (2 * lam), None if fine is None else fine.all(0)
        else:
            low, fine = problem.maximise(problem.scores - shift)
            slope = (y - low) / lam
        return problem.kept(slope, both(fine, good))

    def _settings(self) -> dict[str, Any]:
        return {"lam": self.lam} | {key: True for key in ("relative", "symmetric") if getattr(self, key)}


def step_length(problem: Problem, grad: Tensor, alpha: float | Tensor) -> Tensor:
    """Return ``alpha * norm(scores) / norm(grad)`` for each example, positive even where one of them is 0."""
    scores = problem.scores.detach()
    size = scores.square().sum(problem.events, keepdim=True).sqrt()
    pull = grad.square().sum(problem.events, keepdim=True).sqrt()
    length = alpha * torch.where(size > 0, size, 1.0) / torch.where(pull > 0, pull, 1.0)
    return length
