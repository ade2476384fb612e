"""The contract of a semiring, on batched tensors."""

from abc import ABC, abstractmethod

import torch

__all__ = ["Semiring"]


class Semiring(ABC):
    r"""Two operations that turn one dynamic program into many algorithms.

    A dynamic program combines scores along a structure by :math:`\otimes` and over alternatives by
    :math:`\oplus`. Replacing the pair changes what is computed: the best structure, all of them summed,
    their number, the k best, and so on.

    An *element* is a tensor whose last ``event_dims`` dimensions belong to the semiring (none for the usual
    ones, one for ``KMax`` and ``Entropy``); every method broadcasts over the dimensions before them.

    Attributes:
        zero: Neutral for ``plus``, absorbing for ``times``; a number, or one number an event entry.
        one: Neutral for ``times``.
        event_dims: How many trailing dimensions an element has.

    References:
        J. Goodman, *Semiring Parsing*, Computational Linguistics 25(4), 1999.
    """

    zero: float | tuple[float, ...]
    one: float | tuple[float, ...]
    event_dims: int = 0

    @abstractmethod
    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        r"""Reduce ``x`` by :math:`\oplus` over ``dim`` (negative: counted before the event dimensions)."""

    @abstractmethod
    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        r"""Combine two elements by :math:`\otimes`, broadcasting."""

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """Turn scores into elements; a forbidden score (-inf) becomes ``zero``."""
        return scores

    def lower(self, x: torch.Tensor) -> torch.Tensor:
        """Turn an element into the result that a user wants."""
        return x

    def full(self, element: float | tuple[float, ...], shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Return a tensor of ``shape`` elements, each ``element`` (``zero`` or ``one``)."""
        value = torch.as_tensor(element, dtype=like.dtype, device=like.device)
        return value.expand((*shape, *value.shape))

    def where(self, mask: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Choose elements by a mask that has no event dimensions."""
        return torch.where(mask.reshape(*mask.shape, *[1] * self.event_dims), a, b)

    def _dim(self, dim: int) -> int:
        return dim if dim >= 0 else dim - self.event_dims

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({arguments})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(repr(self))
