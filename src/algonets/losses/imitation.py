"""Imitation: the distance between the solution of a layer and the label."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type, require
from algonets.gradients import Layer
from algonets.gradients._problem import solver_name
from algonets.losses._solver_loss import Reduction, SolverLoss

__all__ = ["Imitation"]


@final
class Imitation(SolverLoss):
    r"""Distance between the solution of a layer and the label; needs **solutions** as labels.

    .. math:: \ell(\theta, y) = d\bigl(y_{\text{layer}}(\theta), y\bigr)

    Args:
        layer: Any layer of :mod:`algonets.gradients`: its backward carries the gradient.
        distance: ``d(y_layer, y)`` of ``(N, *event)`` tensors to ``(N,)``; by default half the squared Euclidean one.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(theta, y, *, generator=None, return_solution=False, **instance)``: theta and y
        ``(*batch, *event)``. Returns ``(*batch,)`` or a scalar, with ``return_solution`` a pair of it and the layer's
        solution; float32 for half types.

    Raises:
        TypeError: ``layer`` is no layer, or theta no floating tensor.
        ValueError: shapes do not fit, values are not finite, an unknown reduction.

    Differentiability: that of the layer.
    Cost: that of the layer, forward and backward.
    References: Vlastelica et al. 2020 (Hamming loss); Dalle et al. 2022, section 4.2.

    Example:
        >>> from algonets.gradients import Identity
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> Imitation(Identity(argmax))(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
        tensor(1.)
    """

    def __init__(
        self,
        layer: Layer,
        distance: Callable[[Tensor, Tensor], Tensor] | None = None,
        *,
        reduction: Reduction = "mean",
    ):
        if not isinstance(layer, Layer):
            reject_type("Imitation(layer)", "must be a layer of algonets.gradients", layer)
        super().__init__(layer.solver, reduction, layer.event_dims, layer.keep_sign)
        if distance is not None and not callable(distance):
            reject_type("Imitation(distance)", "must be callable", distance)
        self.layer, self.distance = layer, distance

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
        found = self.layer(theta, generator=generator, **instance).reshape(right.shape).to(right.dtype)
        if self.distance is None:
            loss = 0.5 * (found - right).square().sum(problem.events)
        else:
            loss = self.distance(found, right)
            rule = f"must return a value an example, {tuple(right.shape[:1])}"
            require(loss.shape == right.shape[:1], "Imitation: distance", rule, loss)
        return self._finish(problem, loss, None, found, return_solution)

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        shown = [] if self.distance is None else [f"distance={solver_name(self.distance)}"]
        return ", ".join(shown + ([f"reduction={self.reduction!r}"] if self.reduction != "mean" else []))
