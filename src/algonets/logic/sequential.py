"""A sequence of modules in which runs of gate layers go through one kernel."""

import itertools

import torch
from torch import Tensor, nn

from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.logic._stack import coefficients16, stack
from algonets.logic.group_sum import GroupSum
from algonets.logic.layer import LogicLayer, check_features

__all__ = ["Sequential"]


class Sequential(nn.Sequential):
    """``torch.nn.Sequential`` that runs neighbouring logic layers, and the group sum behind them, as one.

    The result is that of the modules one after the other. Between fused layers nothing is stored: backward computes
    them again, block of samples by block, in the cache.

    Args:
        modules: :class:`LogicLayer`, :class:`GroupSum` and any others.

    Differentiability:
        As of the modules.

    Cost:
        As of the modules; memory of a run for backward is that of its input.

    Example:
        >>> net = Sequential(LogicLayer(4, 20), LogicLayer(20, 20), GroupSum(2))
        >>> net(torch.rand(3, 4)).shape
        torch.Size([3, 2])
    """

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the modules on ``x``; ``generator`` is that of the layers that sample."""
        for part in self._parts():
            if isinstance(part, list):
                x = _run(part, x, generator)
            elif (generator is not None and getattr(part, "sampling", "soft") == "gumbel") or (
                generator is not None and isinstance(part, Sequential)
            ):
                x = part(x, generator)
            else:
                x = part(x)
        return x

    def _parts(self) -> list[nn.Module | list[nn.Module]]:
        """The modules, those that run together in a list."""
        parts: list[nn.Module | list[nn.Module]] = []
        run: list[nn.Module] | None = None  # that the next module may join
        for module in self:
            if isinstance(module, LogicLayer) and module.fusable:
                if run is None:
                    run = []
                    parts.append(run)
                run.append(module)
            elif isinstance(module, GroupSum) and run is not None:
                run.append(module)
                run = None
            else:
                parts.append(module)
                run = None
        return parts


def _run(modules: list[nn.Module], x: Tensor, generator: torch.Generator | None) -> Tensor:
    layers = [module for module in modules if isinstance(module, LogicLayer)]
    check_features("LogicLayer(x)", x, layers[0].in_features)
    for before, after in itertools.pairwise(layers):
        fits = before.out_features == after.in_features
        require(fits, "LogicLayer(in_features)", f"must be {before.out_features} in this sequence", after.in_features)
    last = modules[-1]
    groups, scale = (last.classes, last.scale(layers[-1].out_features)) if isinstance(last, GroupSum) else (0, 1.0)
    joined = None
    if all(layer.plain_softmax for layer in layers):
        joined = coefficients16([layer.weights.to(x.dtype) for layer in layers])
    if joined is None:
        parts = [layer.coefficients(x.dtype, generator) for layer in layers]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
    widths = [layer.out_features for layer in layers]
    wiring = layers[0].wiring if len(layers) == 1 else torch.cat([layer.wiring for layer in layers], 1)
    y = stack(flatten_batch(x, 1), joined, wiring[0], wiring[1], widths, groups)
    return unflatten_batch(y / scale if groups else y, x.shape[:-1])
