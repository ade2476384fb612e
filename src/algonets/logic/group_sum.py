"""Scores of classes: how many gates of each group say yes."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_floating, check_positive
from algonets._core.errors import require

__all__ = ["GroupSum"]


class GroupSum(nn.Module):
    """Sums of equal consecutive groups of features, divided by a temperature.

    ``score_k = sum over group k of x / temperature``.

    Args:
        classes: Number of groups.
        temperature: Positive; ``auto`` is ``sqrt(n / 8)`` for groups of n, which is near the values that the
            papers tuned (10 for n = 800, 28 for n = 6400).

    Raises:
        ValueError: if the temperature is not positive, or the features do not divide into the groups.

    Differentiability:
        Any order; linear.

    Cost:
        O(n).

    References:
        F. Petersen et al. (2022), Deep Differentiable Logic Gate Networks, section 3.3.

    Example:
        >>> GroupSum(2, temperature=1.0)(torch.tensor([1.0, 0.0, 1.0, 1.0]))
        tensor([1., 2.])
    """

    def __init__(self, classes: int, temperature: float | Literal["auto"] = "auto"):
        super().__init__()
        self.classes = check_at_least("GroupSum(classes)", classes, 1)
        if temperature != "auto":
            check_positive("GroupSum(temperature)", temperature, "Or 'auto'.")
        self.temperature = temperature

    def scale(self, features: int) -> float:
        """Return the temperature for so many features."""
        fits = features % self.classes == 0 and features > 0
        require(fits, "GroupSum(x)", f"must have a multiple of {self.classes} features", features)
        return math.sqrt(features / self.classes / 8) if self.temperature == "auto" else float(self.temperature)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Sum ``(*batch, features)`` to ``(*batch, classes)``."""
        check_floating("GroupSum(x)", x)
        require(x.ndim >= 1, "GroupSum(x)", "must have a dimension of features", x)
        scale = self.scale(x.shape[-1])
        return x.unflatten(-1, (self.classes, x.shape[-1] // self.classes)).sum(-1) / scale

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"{self.classes}, temperature={self.temperature!r}"
