"""Newton losses: a second-order step on the few outputs of a network, first order on its many parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final, get_args

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import require
from algonets.training._conjugate_gradients import conjugate_gradients
from algonets.training._objective import Objective, Quadratic
from algonets.training.target_propagation import Reduction, TargetPropagation

__all__ = ["NewtonLoss", "NewtonStep"]

Mode = Literal["hessian", "fisher"]
Per = Literal["batch", "example"]
Negative = Literal["absolute", "clamp", "keep"]
Solver = Literal["auto", "dense", "cg"]

_DENSE = 256  # outputs an example up to which "auto" builds the Hessian


@final
@dataclass(frozen=True)
class NewtonStep:
    r"""A regularised Newton step on outputs: what :class:`NewtonLoss` takes as its target.

    .. math:: z^\star = z - (C + \lambda I)^{-1} \nabla \ell(z)

    ``C`` is the Hessian of the loss (``mode="hessian"``) or the second moment of its gradients (``mode="fisher"``).

    Args:
        mode: ``"hessian"`` or ``"fisher"``.
        damping: :math:`\lambda`, positive. Gradients here are of single examples, never divided by their number.
        per: ``"batch"``: one ``C``, the mean over the examples (Definitions 1 and 2 of the paper); ``"example"``: each
            example has its own.
        negative: What becomes of negative eigenvalues of ``C``: their ``"absolute"`` value, ``"clamp"`` to 0, or
            ``"keep"`` the plain formula, which may then go uphill.
        solver: ``"dense"`` builds ``C``; ``"cg"`` uses products with Hessians only; ``"auto"`` is dense up to 256
            outputs an example. Conjugate gradients stop at a direction of negative curvature.
        max_iterations: Of conjugate gradients.
        tolerance: Relative residual at which they stop.

    Raises:
        ValueError: an unknown option, or a damping that is not positive.

    Differentiability: none, targets are constants. ``"hessian"`` needs a twice differentiable loss.
    Cost: dense Hessian m backward passes of the loss and O(N m^2 + m^3); Fisher O(N m min(N, m)); CG one backward
        pass an iteration, or N for a mean Hessian.
    References: Petersen, Borgelt, Sutter, Kuehne, Deussen, Ermon 2024, Newton Losses, Definitions 1 and 2;
        Dauphin et al. 2014, Identifying and Attacking the Saddle Point Problem (absolute eigenvalues).

    Example:
        >>> step = NewtonStep(damping=1e-6)
        >>> step(lambda z: (2 * z.square()).sum(-1), torch.tensor([[3.0, -1.0]])).abs().max() < 1e-5
        tensor(True)
    """

    mode: Mode = "hessian"
    damping: float = 1.0
    per: Per = "batch"
    negative: Negative = "absolute"
    solver: Solver = "auto"
    max_iterations: int = 100
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        for name, kinds in (("mode", Mode), ("per", Per), ("negative", Negative), ("solver", Solver)):
            value, known = getattr(self, name), get_args(kinds)
            require(value in known, f"NewtonStep({name}=...)", f"must be one of {', '.join(known)}", value)
        check_positive("NewtonStep(damping=...)", self.damping)
        check_at_least("NewtonStep(max_iterations=...)", self.max_iterations, 1)
        check_positive("NewtonStep(tolerance=...)", self.tolerance)

    def __call__(self, objective: Objective, outputs: Tensor) -> Tensor:
        """Targets for ``outputs (*batch, *event)`` of ``objective``, which returns ``(*batch)``."""
        local = Quadratic("NewtonStep", objective, outputs, self.mode == "hessian")
        good = local.finite()
        step = torch.full_like(local.gradient, torch.nan)  # a bad example shows, and spoils no other
        if bool(good.any()) and local.size:
            step[good] = self._fisher(local.gradient[good]) if self.mode == "fisher" else self._hessian(local, good)
        return outputs.detach() - step.reshape(outputs.shape).to(outputs.dtype)

    def _fisher(self, g: Tensor) -> Tensor:
        if self.per == "example":  # (g g^T + lambda)^-1 g
            return g / (self.damping + g.square().sum(-1, keepdim=True))
        n, m = g.shape
        wide = g.double()  # squares: gradients that explode would overflow, or drown the damping
        if n < m:  # Woodbury: g (G^T G / n + lambda)^-1 = n (G G^T + n lambda)^-1 G, row by row
            values, vectors = torch.linalg.eigh(wide @ wide.mT / n)
            step = vectors @ ((vectors.mT @ wide) / (_raised(values) + self.damping).unsqueeze(-1))
        else:
            values, vectors = torch.linalg.eigh(wide.mT @ wide / n)
            step = ((wide @ vectors) / (_raised(values) + self.damping)) @ vectors.mT
        return step.to(g.dtype)

    def _hessian(self, local: Quadratic, good: Tensor) -> Tensor:
        dense = self.solver == "dense" or (self.solver == "auto" and local.size <= _DENSE)
        if not dense:
            return self._by_products(local, good)
        if self.per == "example":
            hessian = local.hessian()[good]
        else:  # column by column: no (N, m, m) in memory
            mean = torch.stack([column[good].mean(0) for column in local.columns()], -1)
            hessian = 0.5 * (mean + mean.mT)
        g = local.gradient[good]
        finite = hessian.isfinite().all(-1).all(-1)
        step = torch.full_like(g, torch.nan)
        if hessian.ndim == 2:
            return self._solve(hessian, g) if bool(finite) else step
        if bool(finite.any()):
            step[finite] = self._solve(hessian[finite], g[finite].unsqueeze(-2)).squeeze(-2)
        return step

    def _solve(self, hessian: Tensor, g: Tensor) -> Tensor:
        """``(H + lambda)^-1`` applied to the rows of ``g``."""
        if self.negative == "keep":
            found, failed = torch.linalg.solve_ex(hessian + self.damping * _eye(hessian), g, left=False)
            return found.masked_fill((failed != 0)[..., None, None], torch.nan)  # singular: this example, no other
        values, vectors = torch.linalg.eigh(hessian)
        values = values.abs() if self.negative == "absolute" else values.clamp_min(0)
        return ((g @ vectors) / (values + self.damping).unsqueeze(-2)) @ vectors.mT

    def _by_products(self, local: Quadratic, good: Tensor) -> Tensor:
        def own(v: Tensor) -> Tensor:
            full = torch.zeros_like(local.gradient)
            full[good] = v
            return local.product(full)[good] + self.damping * v

        def mean(v: Tensor) -> Tensor:
            rows = [local.product(row.expand_as(local.gradient))[good].mean(0) for row in v]
            return torch.stack(rows) + self.damping * v

        product: Callable[[Tensor], Tensor] = own if self.per == "example" else mean
        return conjugate_gradients(product, local.gradient[good], self.max_iterations, self.tolerance).x


class NewtonLoss(TargetPropagation):
    r"""Train the outputs of a network towards a Newton step of a loss that is hard to optimise.

    .. math:: \tfrac12 |z - z^\star|^2, \qquad z^\star = z - (C + \lambda I)^{-1} \nabla \ell(z)

    with :math:`z^\star` held constant, so that the gradient with respect to the outputs is the Newton step. Losses of
    algorithms are small problems (few outputs) with bad scaling: curvature is cheap there, and repairs gradients
    that vanish or explode; the network itself is trained as ever.

    Args:
        loss: ``loss(outputs, *args, **kwargs)`` to **one value an example**: outputs ``(*batch, *event)``, values
            ``(*batch)``, no example depending on another. Parameters of the loss itself get no gradient.
        mode: ``"hessian"`` or ``"fisher"``, see :class:`NewtonStep`.
        damping: :math:`\lambda`, positive: towards 0 the Newton step, when large the gradient divided by
            :math:`\lambda`. Search 1e-3 to 1e3, together with the learning rate.
        per: As in :class:`NewtonStep`.
        negative: As in :class:`NewtonStep`.
        solver: As in :class:`NewtonStep`.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``; it scales the value and the gradient, never
            the curvature.

    Shape: ``forward(outputs, *args, **kwargs)`` gives ``(*batch)`` or a scalar; ``targets(...)`` the constant
        :math:`z^\star`.

    Raises:
        TypeError: if ``outputs`` is not a floating tensor.
        ValueError: if the loss returns something else than a value an example, or is not twice differentiable in
            ``mode="hessian"``; an unknown option.

    Differentiability: once, with the Newton step as the gradient; it is not the derivative of the value.
    Cost: that of :class:`NewtonStep`.
    References: Petersen, Borgelt, Sutter, Kuehne, Deussen, Ermon 2024, Newton Losses: Using Curvature Information for
        Learning with Differentiable Algorithms.

    Example:
        >>> from torch.nn.functional import cross_entropy
        >>> loss = NewtonLoss(lambda z, y: cross_entropy(z, y, reduction="none"), damping=0.1)
        >>> logits = torch.zeros(2, 3, requires_grad=True)
        >>> loss(logits, torch.tensor([0, 2])).backward()
        >>> logits.grad
        tensor([[-0.7692,  0.3846,  0.3846],
                [ 0.3846,  0.3846, -0.7692]])
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        mode: Mode = "hessian",
        damping: float = 1.0,
        *,
        per: Per = "batch",
        negative: Negative = "absolute",
        solver: Solver = "auto",
        reduction: Reduction = "mean",
    ):
        super().__init__(loss, NewtonStep(mode, damping, per, negative, solver), reduction=reduction)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _raised(values: Tensor) -> Tensor:
    """Eigenvalues, ascending and not negative, at least what rounding makes of zeros beside the largest."""
    floor = len(values) * torch.finfo(values.dtype).eps * values[-1].clamp_min(0)
    return values.maximum(floor)
