"""Every method of ``algonets.sort`` as the shared contract tests see it; a new method adds one line."""

from collections.abc import Callable
from dataclasses import dataclass

from algonets import sort
from algonets.sort import SortMethod

__all__ = ["CASES", "MethodCase", "having"]


@dataclass(frozen=True)
class MethodCase:
    """A method at any scale.

    Attributes:
        name: Shown by pytest.
        make: Build it from a scale, temperature or strength: the smaller, the harder.
        sharp: A scale at which items that differ by 1/4 or more are sorted exactly in float64.
        limit: Absolute error that remains at ``sharp``.
        gradients: Whether gradcheck holds at generic points: ``"twice"``, ``"once"``.
        flat_ties: Whether equal items share ranks evenly in the limit.
    """

    name: str
    make: Callable[[float], SortMethod]
    sharp: float = 1e-3
    limit: float = 1e-9
    gradients: str = "twice"
    flat_ties: bool = True


CASES: tuple[MethodCase, ...] = (
    MethodCase("NeuralSort", sort.NeuralSort),
    MethodCase("LapSum", sort.LapSum),
)


def having(ability: str) -> list[MethodCase]:
    """The cases whose method has an ability."""
    return [case for case in CASES if ability in case.make(1.0).abilities]
