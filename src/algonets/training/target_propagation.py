"""Two problems instead of one: a solver moves the outputs to better targets, the network is fitted to these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_floating, check_positive
from algonets._core.errors import reject, reject_type
from algonets._core.reductions import reduce_loss
from algonets.training._objective import Bound, Objective, Quadratic

__all__ = ["GradientStep", "TargetPropagation"]

Reduction = Literal["none", "sum", "mean"]
Step = Callable[[Objective, Tensor], Tensor]


@final
@dataclass(frozen=True)
class GradientStep:
    """Gradient descent on the outputs themselves: ``z <- z - rate grad l(z)``, some times.

    Args:
        rate: Positive; of single examples, never divided by their number.
        steps: How many, at least 1. One step of rate 1 gives back the ordinary gradient.

    Raises:
        ValueError: if ``rate`` is not positive or ``steps`` is below 1.

    Differentiability: none, targets are constants.
    Cost: a backward pass of the loss a step.

    Example:
        >>> GradientStep(rate=0.25)(lambda z: z.square().sum(-1), torch.tensor([[2.0, 4.0]]))
        tensor([[1., 2.]])
    """

    rate: float = 1.0
    steps: int = 1

    def __post_init__(self) -> None:
        check_positive("GradientStep(rate=...)", self.rate)
        check_at_least("GradientStep(steps=...)", self.steps, 1)

    def __call__(self, objective: Objective, outputs: Tensor) -> Tensor:
        """Targets for ``outputs (*batch, *event)`` of ``objective``, which returns ``(*batch)``."""
        z = outputs.detach()
        for _ in range(self.steps):
            gradient = Quadratic("GradientStep", objective, z, second=False).gradient
            z = z - self.rate * gradient.reshape(z.shape).to(z.dtype)
        return z


class TargetPropagation(nn.Module):
    r"""Split training into a solver that improves the outputs, and a network that is fitted to what it found.

    .. math:: \tfrac12 |z - z^\star|^2, \qquad z^\star = \mathrm{step}(\ell, z) \text{ held constant}

    The general form of gradient descent (``step=GradientStep()``), of Newton losses (``step=NewtonStep(...)``), and of
    proximal or combinatorial targets (a step of one's own). The loss may have curvature of any kind, the problem that
    the network sees is least squares.

    Args:
        loss: ``loss(outputs, *args, **kwargs)`` to one value an example, ``(*batch, *event)`` to ``(*batch)``.
        step: ``step(objective, outputs) -> targets``, ``objective`` being the loss as a function of the outputs alone;
            targets have the shape of the outputs.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(outputs, *args, **kwargs)`` gives ``(*batch)`` or a scalar.

    Raises:
        TypeError: if ``outputs`` is not a floating tensor, or loss and step are not callable.
        ValueError: if the loss returns something else than a value an example, targets have another shape, or the
            reduction is unknown.

    Differentiability: once in the outputs, with the gradient ``z - z*``.
    Cost: that of the step.
    References: Petersen et al. 2024, Newton Losses, section 3 (the splitting); Lee et al. 2015, Difference Target
        Propagation (targets instead of gradients).

    Example:
        >>> loss = TargetPropagation(lambda z: z.abs().sum(-1), GradientStep(rate=0.5))
        >>> z = torch.tensor([[1.0, -3.0]], requires_grad=True)
        >>> loss(z).backward()
        >>> z.grad
        tensor([[ 0.5000, -0.5000]])
    """

    def __init__(self, loss: Callable[..., Tensor], step: Step, *, reduction: Reduction = "mean"):
        super().__init__()
        for name, value in (("loss", loss), ("step", step)):
            if not callable(value):
                reject_type(f"{type(self).__name__}({name})", "must be callable", value)
        reduce_loss(type(self).__name__, torch.zeros(0), reduction)
        self.loss, self.step, self.reduction = loss, step, reduction

    def targets(self, outputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The constant targets ``z*`` of the shape of ``outputs``."""
        return self._targets(Bound(type(self).__name__, self.loss, args, kwargs), outputs)

    def forward(self, outputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Half the squared distance to the targets."""
        call = type(self).__name__
        objective = Bound(call, self.loss, args, kwargs)
        targets = self._targets(objective, outputs)
        wide = outputs if outputs.dtype.itemsize >= 4 else outputs.float()
        squares = 0.5 * (wide - targets.to(wide.dtype)).square()
        dims = tuple(range(objective.batch_dims(outputs), outputs.ndim))
        return reduce_loss(call, squares.sum(dims) if dims else squares, self.reduction)

    def _targets(self, objective: Bound, outputs: Tensor) -> Tensor:
        call = type(self).__name__
        check_floating(f"{call}(outputs)", outputs)
        if not outputs.numel():
            return outputs.detach().clone()
        found = self.step(objective, outputs)
        if found.shape != outputs.shape:
            reject(f"{call}(step)", f"must return the shape of the outputs {tuple(outputs.shape)}", found)
        return found.detach()

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        name = getattr(self.loss, "__name__", type(self.loss).__name__)
        own = "" if isinstance(self.loss, nn.Module) else f"loss={name}, "
        return f"{own}step={self.step!r}, reduction={self.reduction!r}"
