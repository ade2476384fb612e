"""What ``torch.func`` changes: whether a transform is active, and reading booleans through its wrappers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]
from torch.autograd import forward_ad

__all__ = ["holds_anywhere", "transformed", "untracked", "visible_items"]


def transformed() -> bool:
    """Tell whether a transform of ``torch.func``, or forward-mode differentiation, is active."""
    return functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0


def visible_items(x: Tensor) -> Tensor:
    """Return the values below every wrapper: under ``vmap`` those of all its examples at once."""
    while functorch.is_functorch_wrapped_tensor(x):
        x = functorch.get_unwrapped(x)
    return x.detach()


def holds_anywhere(mask: Tensor) -> bool:
    """Tell whether a mask holds for any example, those of an enclosing ``vmap`` included.

    An iteration ends when no example needs it; examples that need less are frozen by masks, not by this.
    """
    return bool(visible_items(mask).any())


@contextmanager
def untracked() -> Iterator[None]:
    """Run without any differentiation, reverse or forward."""
    with torch.no_grad(), forward_ad._set_fwd_grad_enabled(False):
        yield
