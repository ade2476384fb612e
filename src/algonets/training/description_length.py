"""How many bits a network takes: a two-part code of rounded weights."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from algonets._core.checks import check_finite, check_floating, check_positive

__all__ = ["Description", "description_length", "round_weights"]


class Description(NamedTuple):
    """A code length in bits: ``values`` for the symbols of all weights, ``tables`` for what each symbol means."""

    values: float
    tables: float
    weights: int

    @property
    def bits(self) -> float:
        """The whole length."""
        return self.values + self.tables


def description_length(network: nn.Module | Iterable[Tensor], step: float = 2**-6) -> Description:
    r"""Bits that describe a network whose weights are rounded to multiples of ``step``.

    .. math:: \sum_{\text{tensors}} \Big[ -\sum_v c_v \log_2 \frac{c_v}{n} + \sum_{v: c_v > 0}
        \big(\log_2(2 m + 1) + \log_2(n + 1)\big) \Big] + \text{the ranges } m

    An arithmetic code of the symbols by their frequencies, and a table with each symbol and its count; ``m`` is the
    largest multiple in the tensor. Zeros of pruned weights are one frequent symbol and cost little by themselves. A
    tensor that occurs several times (tied weights) is stored once.

    Args:
        network: A module, whose parameters are coded, effective weights where ``torch.nn.utils.prune`` masks them;
            or tensors.
        step: The grid, positive. Measure accuracy on rounded weights, :func:`round_weights`.

    Returns:
        The length and its parts.

    Raises:
        TypeError: if a tensor is not floating.
        ValueError: if ``step`` is not positive.

    Differentiability: none.
    Cost: a sort of the weights.
    References: Rissanen 1978, Modeling by Shortest Data Description; Hinton, van Camp 1993, Keeping Neural Networks
        Simple by Minimizing the Description Length of the Weights.

    Example:
        >>> many = torch.zeros(1000)
        >>> many[:10] = 1.0
        >>> round(description_length([many], step=1.0).values)
        81
    """
    check_positive("description_length(step)", step)
    tensors = _weights(network) if isinstance(network, nn.Module) else list(network)
    seen: set[tuple[int, tuple[int, ...]]] = set()
    values = tables = 0.0
    count = 0
    for tensor in tensors:
        check_floating("description_length(network)", tensor)
        check_finite("description_length(network)", tensor)
        key = (tensor.data_ptr(), tuple(tensor.shape))
        if key in seen or not tensor.numel():
            continue
        seen.add(key)
        symbols, counts = torch.unique((tensor.detach().double() / step).round(), return_counts=True)
        n, c = tensor.numel(), counts.double()
        largest = float(symbols.abs().amax())
        values += float(-(c * (c / n).log2()).sum())
        tables += len(symbols) * (math.log2(2 * largest + 1) + math.log2(n + 1)) + _universal(largest)
        count += n
    return Description(values, tables, count)


def round_weights(network: nn.Module, step: float = 2**-6) -> nn.Module:
    """Round all parameters to multiples of ``step``, in place; returns the network."""
    check_positive("round_weights(step)", step)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter / step).round() * step)
    return network


def _weights(network: nn.Module) -> list[Tensor]:
    found = []
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            mask = module._buffers.get(name.removesuffix("_orig") + "_mask") if name.endswith("_orig") else None
            found.append(parameter if mask is None else parameter * mask)
    return found


def _universal(integer: float) -> float:
    """Elias' gamma code of ``integer + 1``."""
    return 2 * math.floor(math.log2(integer + 1)) + 1
