"""Backtracking line search: shorten a step until the loss falls as much as its slope promised."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from algonets._core.checks import check_at_least
from algonets._core.errors import require

__all__ = ["Backtracking"]


@final
@dataclass(frozen=True)
class Backtracking:
    """Armijo's rule: the first of ``1, shrink, shrink^2, ...`` with ``f(t) <= f(0) + sufficient * t * slope``.

    Args:
        sufficient: The part of the promised decrease that is asked for, in (0, 1).
        shrink: Factor, in (0, 1).
        max_trials: Evaluations, at least 1.

    Raises:
        ValueError: an argument out of range.

    Differentiability: none.
    Cost: an evaluation a trial.
    References: Armijo 1966, Minimization of Functions Having Lipschitz Continuous First Partial Derivatives; Nocedal,
        Wright 2006, Numerical Optimization, algorithm 3.1.

    Example:
        >>> Backtracking()(lambda t: (1 - 4 * t) ** 2, value=1.0, slope=-8.0)
        0.25
    """

    sufficient: float = 1e-4
    shrink: float = 0.5
    max_trials: int = 20

    def __post_init__(self) -> None:
        for name in ("sufficient", "shrink"):
            value = getattr(self, name)
            require(0 < value < 1, f"Backtracking({name}=...)", "must be between 0 and 1", value)
        check_at_least("Backtracking(max_trials=...)", self.max_trials, 1)

    def __call__(self, function: Callable[[float], float], value: float, slope: float) -> float:
        """Find a step.

        Args:
            function: ``t`` to the loss after a step of size ``t``; it may be infinite or NaN.
            value: The loss at 0.
            slope: Its derivative at 0, negative.

        Returns:
            The size, or 0.0 where no trial was good enough.

        Raises:
            ValueError: if ``slope`` is not negative.
        """
        require(slope < 0, "Backtracking(slope)", "must be negative: the direction must go downhill", slope)
        size = 1.0
        for _ in range(self.max_trials):
            found = function(size)
            if math.isfinite(found) and found <= value + self.sufficient * size * slope:
                return size
            size *= self.shrink
        return 0.0
