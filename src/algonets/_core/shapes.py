"""Batch shapes: every operation works on its last dimensions; all before them is ``*batch``."""

import math

import torch

from algonets._core.errors import reject

__all__ = ["broadcast_batch", "flatten_batch", "unflatten_batch"]


def flatten_batch(tensor: torch.Tensor, event_dims: int) -> torch.Tensor:
    """Reshape ``(*batch, *event)`` to ``(prod(batch), *event)``; no batch becomes a batch of one.

    >>> flatten_batch(torch.zeros(2, 3, 4, 5), 2).shape
    torch.Size([6, 4, 5])
    >>> flatten_batch(torch.zeros(0, 3, 4), 1).shape
    torch.Size([0, 4])
    """
    split = tensor.ndim - event_dims
    return tensor.reshape(math.prod(tensor.shape[:split]), *tensor.shape[split:])


def unflatten_batch(tensor: torch.Tensor, batch_shape: torch.Size, dim: int = 0) -> torch.Tensor:
    """Undo :func:`flatten_batch` in dimension ``dim``."""
    return tensor.reshape((*tensor.shape[:dim], *batch_shape, *tensor.shape[dim + 1 :]))


def broadcast_batch(call: str, tensor: torch.Tensor, batch_shape: torch.Size, event_dims: int) -> torch.Tensor:
    """Expand the leading dimensions of ``tensor`` to ``batch_shape``, or say why they do not fit."""
    event = tensor.shape[tensor.ndim - event_dims :]
    try:
        return tensor.expand((*batch_shape, *event))
    except RuntimeError:
        rule = f"must have leading dimensions that broadcast to the batch shape {tuple(batch_shape)}"
        return reject(call, rule, tensor)
