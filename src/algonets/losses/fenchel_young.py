"""Fenchel-Young losses: the loss that belongs to a regularised solver."""

from typing import Any, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type
from algonets.gradients import FrankWolfe, ImplicitMLE, Perturbed
from algonets.losses._solver_loss import Reduction, SolverLoss

__all__ = ["FenchelYoung"]


@final
class FenchelYoung(SolverLoss):
    r"""The loss that belongs to a regularised solver; convex in theta, needs **solutions** as labels.

    .. math:: \ell(\theta, y) = F(\theta) + \Omega(y) - \langle\theta, y\rangle, \qquad
        \nabla_\theta \ell = y_F(\theta) - y

    F is the regularised maximum of the layer and :math:`y_F = \nabla F` its solution. No Jacobian is needed, so neither
    are calls of the solver in the backward. With :class:`~algonets.gradients.FrankWolfe` it is the SparseMAP loss,
    non-negative, zero for the right mixture. With :class:`~algonets.gradients.Perturbed` and
    :class:`~algonets.gradients.ImplicitMLE`, :math:`\Omega(y)` has no closed form and is left out: the least value is
    not zero, the gradient is the same. An argmax under ``GumbelMax`` noise gives the cross entropy of a softmax.

    Args:
        layer: The regularised solver; its sense, samples and noise.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(theta, y, *, generator=None, return_solution=False, **instance)``: theta and y
        ``(*batch, *event)``, y a solution or a mean of solutions. Returns ``(*batch,)`` or a scalar, with
        ``return_solution`` a pair of it and :math:`y_F`; float32 for half types.

    Raises:
        TypeError: the layer has no regularised maximum (use :class:`Perceptron` with its solver), or theta is no
            floating tensor.
        ValueError: shapes do not fit, values are not finite, an unknown reduction.

    Differentiability: once in theta; exactly, for the draws of this call.
    Cost: that of the layer's forward.
    References: Blondel, Martins, Niculae 2020, Learning with Fenchel-Young Losses; Berthet et al. 2020, section 4.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> loss = FenchelYoung(FrankWolfe(argmax))
        >>> loss(torch.tensor([2.0, 0.0]), torch.tensor([1, 0])), loss(torch.tensor([0.0, 0.0]), torch.tensor([1, 0]))
        (tensor(0.), tensor(0.2500))
    """

    def __init__(self, layer: Perturbed | ImplicitMLE | FrankWolfe, *, reduction: Reduction = "mean"):
        if not isinstance(layer, Perturbed | ImplicitMLE | FrankWolfe):
            rule = "must be a layer with a regularised maximum: Perturbed, ImplicitMLE or FrankWolfe"
            reject_type("FenchelYoung(layer)", rule, layer, "For a plain solver use Perceptron(solver).")
        super().__init__(layer.solver, reduction, layer.event_dims, layer.keep_sign)
        self.layer = layer

    def forward(
        self,
        theta: Tensor,
        y: Tensor,
        *,
        generator: torch.Generator | None = None,
        return_solution: bool = False,
        **instance: Any,
    ) -> Any:
        """Return the loss."""
        problem = self._problem(theta, instance)
        right = problem.other("y", y)
        offset, mean, good = self.layer.potential(problem, generator)
        loss = problem.dot(problem.scores, mean - right) + (offset + self.layer.penalty(problem, right))
        return self._finish(problem, loss, good, mean, return_solution)

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        return f"reduction={self.reduction!r}" if self.reduction != "mean" else ""
