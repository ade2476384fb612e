"""Removing weights: by magnitude or at random, a little at a time with training in between."""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from algonets._core.checks import check_at_least
from algonets._core.errors import require

__all__ = ["gradual_pruning", "make_permanent", "prune_magnitude", "prune_random", "sparsity"]

Scope = Literal["global", "layer"]


def prune_magnitude(model: nn.Module, amount: float, scope: Scope = "global") -> nn.Module:
    """Mask the smallest weights of all layers, so that a fraction ``amount`` of all is gone in the end.

    It uses ``torch.nn.utils.prune``: weights become ``weight_orig * weight_mask``, gone ones stay gone, and training
    goes on with the rest. Calling it again counts what is gone already.

    Args:
        model: Its ``weight`` parameters of two and more dimensions are pruned, biases are not.
        amount: In [0, 1).
        scope: ``"global"`` compares weights of all layers; ``"layer"`` prunes each to the same fraction.

    Returns:
        The model.

    Raises:
        ValueError: if ``amount`` or ``scope`` is out of range, or there is nothing to prune.

    Differentiability: gone weights get no gradient.
    Cost: a sort of all weights.
    References: Han, Pool, Tran, Dally 2015, Learning both Weights and Connections for Efficient Neural Networks.

    Example:
        >>> layer = nn.Linear(2, 2, bias=False)
        >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -4.0], [2.0, 3.0]]))
        >>> prune_magnitude(layer, 0.5).weight.tolist()
        [[0.0, -4.0], [0.0, 3.0]]
    """
    return _prune("prune_magnitude", model, amount, scope, lambda weight: weight.detach().abs())


def prune_random(
    model: nn.Module, amount: float, scope: Scope = "global", generator: torch.Generator | None = None
) -> nn.Module:
    """Mask weights at random: the control that says what magnitudes are worth.

    Args:
        model: As :func:`prune_magnitude`.
        amount: As :func:`prune_magnitude`.
        scope: As :func:`prune_magnitude`.
        generator: Of the choice.

    Returns:
        The model.

    Raises:
        ValueError: as :func:`prune_magnitude`.

    Differentiability: gone weights get no gradient.
    Cost: a sort of all weights.

    Example:
        >>> sparsity(prune_random(nn.Linear(10, 10), 0.3))
        0.30000000000000004
    """

    def scores(weight: Tensor) -> Tensor:
        return torch.rand(weight.shape, generator=generator, device=weight.device)

    return _prune("prune_random", model, amount, scope, scores)


def gradual_pruning(model: nn.Module, amount: float, steps: int, scope: Scope = "global") -> Iterator[float]:
    """Prune by magnitude in steps; train between them.

    The fraction after step i of n is ``amount (1 - (1 - i/n)^3)``: fast at first, when much is superfluous.

    Args:
        model: As :func:`prune_magnitude`.
        amount: In the end, in [0, 1).
        steps: How many, at least 1.
        scope: As :func:`prune_magnitude`.

    Yields:
        The fraction that is gone, after each step: fine-tune then.

    Raises:
        ValueError: as :func:`prune_magnitude`, or if ``steps`` is below 1.

    Differentiability: gone weights get no gradient.
    Cost: a sort of all weights a step.
    References: Zhu, Gupta 2017, To Prune, or Not to Prune, eq. 1.

    Example:
        >>> [round(gone, 2) for gone in gradual_pruning(nn.Linear(10, 10), 0.9, 3)]
        [0.63, 0.87, 0.9]
    """
    check_at_least("gradual_pruning(steps)", steps, 1)
    for step in range(1, steps + 1):
        prune_magnitude(model, amount * (1 - (1 - step / steps) ** 3), scope)
        yield sparsity(model)


def make_permanent(model: nn.Module) -> nn.Module:
    """Write the zeros into the weights and remove the masks."""
    for layer in _layers(model):
        if hasattr(layer, "weight_mask"):
            torch_prune.remove(layer, "weight")
    return model


def sparsity(model: nn.Module) -> float:
    """The fraction of zeros among the weights that could be pruned."""
    weights = [layer.weight.detach() for layer in _layers(model)]
    total = sum(weight.numel() for weight in weights)
    return 1 - sum(int(weight.count_nonzero()) for weight in weights) / max(total, 1)


def _layers(model: nn.Module) -> list:
    def weight(layer: nn.Module) -> Tensor | None:
        found = layer._parameters.get("weight")
        return layer._parameters.get("weight_orig") if found is None else found

    return [layer for layer in model.modules() if (own := weight(layer)) is not None and own.ndim >= 2]


def _prune(call: str, model: nn.Module, amount: float, scope: str, scores: Callable[[Tensor], Tensor]) -> nn.Module:
    require(0 <= amount < 1, f"{call}(amount)", "must be in [0, 1)", amount)
    require(scope in ("global", "layer"), f"{call}(scope)", "must be 'global' or 'layer'", scope)
    layers = _layers(model)
    require(bool(layers), f"{call}(model)", "must have a weight of two or more dimensions", model)
    found = []
    for layer in layers:
        own = scores(layer.weight)
        if hasattr(layer, "weight_mask"):  # gone stays gone
            own = torch.where(layer.weight_mask == 0, torch.full_like(own, -1.0), own)
        found.append(own.flatten())
    groups = [torch.cat(found)] if scope == "global" else found
    masks = []
    for group in groups:
        mask = torch.ones_like(group)
        mask[group.argsort(stable=True)[: round(amount * len(group))]] = 0
        masks.append(torch.where(group < 0, torch.zeros_like(mask), mask))
    split = masks[0].split([len(own) for own in found]) if scope == "global" else masks
    for layer, mask in zip(layers, split, strict=True):
        if hasattr(layer, "weight_mask"):
            layer.weight_mask.copy_(mask.view_as(layer.weight_mask))
            layer.weight = layer.weight_orig * layer.weight_mask
        else:
            torch_prune.custom_from_mask(layer, "weight", mask.view_as(layer.weight))
    return model
