"""Patterns of +1 and -1: checks, overlap, noise, and packing into bits."""

from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_floating, values_visible
from algonets._core.errors import reject, reject_type, require

__all__ = ["as_signs", "check_patterns", "flip", "hamming_distance", "occlude", "overlap"]


def as_signs(bits: Tensor) -> Tensor:
    """Turn booleans into +1 (True) and -1 (False), float32.

    Args:
        bits: boolean tensor, any shape.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if ``bits`` is not boolean.

    Differentiability: none.
    Cost: O(size).

    Example:
        >>> as_signs(torch.tensor([True, False]))
        tensor([ 1., -1.])
    """
    if not isinstance(bits, Tensor) or bits.dtype != torch.bool:
        reject_type("as_signs(bits)", "must be a boolean tensor", bits, "For grey values write image > 0.5.")
    return bits.to(torch.float32) * 2 - 1


def check_patterns(call: str, value: Any, n: int | None = None) -> Tensor:
    """Require a tensor of signs ``(..., n)``."""
    check_floating(call, value)
    require(value.ndim >= 1, call, "must have at least one dimension", value)
    if n is not None:
        require(value.shape[-1] == n, call, f"must have {n} units in the last dimension", value)
    if values_visible(value) and not bool((value.detach().abs() == 1).all()):
        reject(call, "must hold only +1 and -1", value, "See algonets.memory.as_signs.")
    return value


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Overlap ``a . b / n`` of patterns: 1 for equal ones, -1 for opposite ones, near 0 for unrelated ones.

    Args:
        a: ``(*batch, n)``.
        b: ``(*batch, n)``, broadcast against ``a``.

    Returns:
        ``(*batch)``.

    Raises:
        TypeError: if an argument is not a floating tensor.
        ValueError: if the last dimensions differ.

    Differentiability: linear in each.
    Cost: O(size).

    Example:
        >>> overlap(torch.tensor([1.0, 1.0, -1.0, -1.0]), torch.tensor([1.0, -1.0, -1.0, -1.0]))
        tensor(0.5000)
    """
    check_floating("overlap(a)", a)
    check_floating("overlap(b)", b)
    require(a.shape[-1:] == b.shape[-1:], "overlap(b)", f"must have the last dimension of a {tuple(a.shape[-1:])}", b)
    return (a * b).mean(-1)


def hamming_distance(a: Tensor, b: Tensor) -> Tensor:
    """Number of places in which patterns of signs differ: ``(n - a . b) / 2``, by one matrix product.

    Args:
        a: ``(*batch, A, n)``, signs.
        b: ``(*batch, B, n)``, signs.

    Returns:
        ``(*batch, A, B)``.

    Raises:
        TypeError: if an argument is not a floating tensor.
        ValueError: if the last dimensions differ.

    Differentiability: none intended; it is the linear extension of the count.
    Cost: O(A B n).

    Example:
        >>> hamming_distance(torch.tensor([[1.0, 1.0, -1.0]]), torch.tensor([[1.0, -1.0, 1.0]]))
        tensor([[2.]])
    """
    check_floating("hamming_distance(a)", a)
    check_floating("hamming_distance(b)", b)
    same = a.shape[-1:] == b.shape[-1:] and a.ndim >= 2 and b.ndim >= 2
    require(same, "hamming_distance(b)", f"must be (*batch, B, n) beside a of shape {tuple(a.shape)}", b)
    return (a.shape[-1] - a @ b.mT) / 2


def flip(patterns: Tensor, fraction: float, generator: torch.Generator | None = None) -> Tensor:
    """Flip a fraction of the units of each pattern, exactly ``round(fraction n)`` of them.

    Args:
        patterns: ``(*batch, n)``.
        fraction: from 0 to 1.
        generator: source of the choice.

    Returns:
        ``(*batch, n)``.

    Raises:
        TypeError: if ``patterns`` is not a floating tensor.
        ValueError: if ``fraction`` is not in [0, 1].

    Differentiability: linear.
    Cost: O(n log n) each.

    Example:
        >>> flip(torch.ones(10), 0.3).sum()
        tensor(4.)
    """
    check_floating("flip(patterns)", patterns)
    require(0 <= fraction <= 1, "flip(fraction)", "must be in [0, 1]", fraction)
    chance = torch.rand(patterns.shape, generator=generator, device=patterns.device)
    chosen = chance.argsort(-1).argsort(-1) < round(fraction * patterns.shape[-1])
    return torch.where(chosen, -patterns, patterns)


def occlude(patterns: Tensor, fraction: float, value: float = -1.0) -> Tensor:
    """Cover the last ``round(fraction n)`` units, for example the lower part of an image.

    Args:
        patterns: ``(*batch, n)``.
        fraction: from 0 to 1.
        value: what covers them.

    Returns:
        ``(*batch, n)``.

    Raises:
        TypeError: if ``patterns`` is not a floating tensor.
        ValueError: if ``fraction`` is not in [0, 1].

    Differentiability: linear.
    Cost: O(n) each.

    Example:
        >>> occlude(torch.ones(4), 0.5)
        tensor([ 1.,  1., -1., -1.])
    """
    check_floating("occlude(patterns)", patterns)
    require(0 <= fraction <= 1, "occlude(fraction)", "must be in [0, 1]", fraction)
    n = patterns.shape[-1]
    kept = torch.arange(n, device=patterns.device) < n - round(fraction * n)
    return torch.where(kept, patterns, value)
