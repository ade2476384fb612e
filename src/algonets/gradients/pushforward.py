"""The expected cost of a random solution, for costs that have no gradient themselves."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type, require
from algonets.gradients._problem import solver_name
from algonets.gradients.frank_wolfe import FrankWolfe
from algonets.gradients.perturbed import Perturbed

__all__ = ["Pushforward"]


@final
class Pushforward(torch.nn.Module):
    r"""The mean of a cost over the solutions of a layer, instead of the cost of their mean.

    .. math:: \mathbb{E}\, c(Y) = \sum_k w_k(\theta)\, c(y_k)

    The cost sees exact solutions only, so it may be anything: the length of a tour after repairs, a simulator. The
    gradient flows through the weights.

    Args:
        layer: ``Perturbed(gradient="score")`` or :class:`FrankWolfe`: layers that are distributions over solutions.
        cost: ``cost(y)`` of solutions ``(K, *batch, *event)``, to ``(K, *batch)``, or to more dimensions; further
            arguments are bound beforehand (``functools.partial``). If it is differentiable in other tensors, they get
            their gradients.

    Shape: ``forward(theta, *, generator=None, **instance)`` as the layer; returns ``(*batch, ...)``.

    Raises:
        TypeError: another layer; a cost that cannot be called.
        ValueError: the cost does not keep the leading dimensions.

    Differentiability: first order in theta through a perturbed layer, unbiased; through the mixture of FrankWolfe
        almost everywhere.
    Cost: that of the layer, and one call of the cost on all solutions.
    References: Dalle, Baty, Bouvier, Parmentier 2022, Learning with Combinatorial Optimization Layers: a Probabilistic
        Approach, section 3.3.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> price = torch.tensor([3.0, 1.0])
        >>> theta = torch.tensor([0.25, -0.25], requires_grad=True)
        >>> expected = Pushforward(FrankWolfe(argmax), lambda y: (y @ price).square())(theta)
        >>> expected.item()
        7.0
    """

    def __init__(self, layer: Perturbed | FrankWolfe, cost: Callable[[Tensor], Tensor]):
        super().__init__()
        remedy = "For other layers write cost(layer(theta)) with a differentiable cost."
        if not isinstance(layer, Perturbed | FrankWolfe):
            reject_type("Pushforward(layer)", "must be a Perturbed or FrankWolfe layer", layer, remedy)
        if isinstance(layer, Perturbed) and layer.gradient != "score":
            raise ValueError(
                f"Pushforward(layer) must be differentiated by scores, got {layer!r}. Use gradient='score'."
            )
        if not callable(cost):
            reject_type("Pushforward(cost)", "must be callable", cost)
        self.layer, self.cost = layer, cost

    def forward(self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any) -> Tensor:
        """Return the expected cost of each example."""
        y, weights = self.layer.atoms(theta, generator=generator, **instance)
        costs = self.cost(y)
        same = isinstance(costs, Tensor) and costs.shape[: weights.ndim] == weights.shape
        require(same, "Pushforward: cost", f"must return a tensor of shape {tuple(weights.shape)} or more", costs)
        return (weights.reshape(*weights.shape, *(1,) * (costs.ndim - weights.ndim)) * costs).sum(0)

    def extra_repr(self) -> str:
        """Return the cost, for the ``repr``."""
        return "" if isinstance(self.cost, torch.nn.Module) else f"cost={solver_name(self.cost)}"
