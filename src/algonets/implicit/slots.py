"""Memory of past iterates: a slot is overwritten in place where that is safe, else in a copy."""

import torch
from torch import Tensor

from algonets.implicit.tracing import transformed

__all__ = ["write"]


def write(memory: Tensor, slot: int, value: Tensor, dim: int = 1) -> Tensor:
    """Return ``memory`` with ``value`` in a slot of ``dim``.

    Autograd needs the old values, and under ``vmap`` the memory may lack the batch of the value: both take a copy.
    """
    if torch.is_grad_enabled() or transformed():
        return memory.select_scatter(value, dim, slot)
    memory.select(dim, slot).copy_(value)
    return memory
