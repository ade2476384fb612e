"""Schedules: how a temperature, a scale or a strength changes while training."""

import math
from dataclasses import dataclass
from typing import final

from algonets._core.checks import check_positive
from algonets._core.errors import require

__all__ = ["CosineSchedule", "GeometricSchedule", "LinearSchedule", "RampSchedule"]


def _part(call: str, progress: float) -> float:
    require(progress >= 0, f"{call}(progress)", "must not be negative", progress)
    return min(float(progress), 1.0)


@final
@dataclass(frozen=True)
class LinearSchedule:
    """``start + (end - start) t``, ``t`` the part of training that is over, 0 to 1.

    Args:
        start: Value at 0.
        end: Value at 1 and beyond.

    Example:
        >>> LinearSchedule(1.0, 0.0)(0.25)
        0.75
    """

    start: float
    end: float

    def __call__(self, progress: float) -> float:
        """The value."""
        return self.start + (self.end - self.start) * _part("LinearSchedule", progress)


@final
@dataclass(frozen=True)
class GeometricSchedule:
    """``start (end / start)^t``: the same factor in each step, the usual choice for temperatures.

    Args:
        start: Value at 0, positive.
        end: Value at 1 and beyond, positive.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> round(GeometricSchedule(1.0, 0.01)(0.5), 6)
        0.1
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        check_positive("GeometricSchedule(start)", self.start)
        check_positive("GeometricSchedule(end)", self.end)

    def __call__(self, progress: float) -> float:
        """The value."""
        return self.start * (self.end / self.start) ** _part("GeometricSchedule", progress)


@final
@dataclass(frozen=True)
class CosineSchedule:
    """From ``start`` to ``end`` along half a cosine: slow, fast, slow.

    Args:
        start: Value at 0.
        end: Value at 1 and beyond.

    Example:
        >>> round(CosineSchedule(1.0, 0.0)(0.5), 6)
        0.5
    """

    start: float
    end: float

    def __call__(self, progress: float) -> float:
        """The value."""
        return self.end + (self.start - self.end) * 0.5 * (1 + math.cos(math.pi * _part("CosineSchedule", progress)))


@final
@dataclass(frozen=True)
class RampSchedule:
    """``end (2 / (1 + exp(-steepness t)) - 1)``: from 0, fast at first; the usual strength of a domain adversary.

    Args:
        end: Where it tends to.
        steepness: Positive.

    Raises:
        ValueError: if ``steepness`` is not positive.

    References:
        Ganin et al. 2016, Domain-Adversarial Training of Neural Networks, section 5.2.2.

    Example:
        >>> [round(RampSchedule()(t), 2) for t in (0.0, 0.1, 1.0)]
        [0.0, 0.46, 1.0]
    """

    end: float = 1.0
    steepness: float = 10.0

    def __post_init__(self) -> None:
        check_positive("RampSchedule(steepness)", self.steepness)

    def __call__(self, progress: float) -> float:
        """The value."""
        return self.end * (2 / (1 + math.exp(-self.steepness * _part("RampSchedule", progress))) - 1)
