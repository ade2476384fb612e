"""The mass of the running statement in each example: a product along the path that leads to it."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["DEAD", "Path", "both", "rest"]


class _Dead:
    def __repr__(self) -> str:
        return "DEAD"


DEAD: Any = _Dead()
"""The mass of a population that has left by a jump."""


def both(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of masses; ``None`` is 1."""
    return b if a is None else a if b is None else a * b


def rest(mass: Tensor) -> Tensor:
    """One minus a mass."""
    return ~mass if mass.dtype == torch.bool else 1 - mass


class Path:
    """One factor of the mass of the running statement; the product is made when it is asked for."""

    __slots__ = ("negated", "parent", "plain", "product")

    def __init__(self, parent: "Path | None", plain: Tensor, negated: bool = False):
        self.parent = parent
        self.plain = plain
        self.negated = negated
        self.product: Any = self

    @property
    def factor(self) -> Tensor:
        """The factor, or one minus it."""
        return rest(self.plain) if self.negated else self.plain

    def mass(self) -> Tensor | None:
        """The product of all factors, None for 1."""
        if self.product is self:
            self.product = both(self.parent.mass() if self.parent else None, self.factor)
        return self.product
