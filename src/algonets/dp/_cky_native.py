"""Trees over spans by their own kernel, in scaled probability space: far less work than the general circuit."""

from typing import Any

import torch

from algonets._core.backend import get_num_threads, native

__all__ = ["grammar", "spans"]

Shapes = tuple[tuple[int, ...], ...]


def spans(scores: torch.Tensor, goal: torch.Tensor, shapes: Shapes, value: torch.Tensor, marginals: Any) -> bool:
    """Write log-sums over trees with labelled spans, and marginals; false where their range is too wide."""
    ((n, _, labels),) = shapes
    return native().cky(scores, goal, n, labels, value, marginals, get_num_threads())


def grammar(scores: torch.Tensor, goal: torch.Tensor, shapes: Shapes, value: torch.Tensor, marginals: Any) -> bool:
    """Do the same for the derivations of a grammar."""
    (n, words), _, (count,) = shapes
    return native().pcfg(scores, goal, n, words, count, value, marginals, get_num_threads())
