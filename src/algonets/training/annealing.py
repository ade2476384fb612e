"""Annealing: temperatures and scales of the algorithms in a model, found by type, changed by a schedule."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from algonets._core.errors import reject, reject_type, require
from algonets.training.algorithms import find_algorithms

__all__ = ["KNOBS", "Annealing", "knob_of"]

KNOBS = ("scale", "temperature", "strength", "beta", "sigma")
"""Names of attributes that soften an algorithm, in the order in which they are looked for."""


def knob_of(algorithm: Any) -> str | None:
    """The name of the attribute that softens an algorithm, or ``None``."""
    return next((name for name in KNOBS if isinstance(getattr(algorithm, name, None), float | Tensor)), None)


class Annealing:
    """Change temperatures and scales of all algorithms of a type in a model, as training goes on.

    Args:
        model: A module, or any object; what is in it is found once, now.
        kind: A class or several, for example ``distributions.Distribution``, ``sort.NeuralSort``, ``GradientReversal``.
        schedule: The part of training that is over, 0 to 1, to a value; see :class:`GeometricSchedule`. With
            ``relative`` the value multiplies what the object had.
        attribute: Which attribute; by default the first of ``scale``, ``temperature``, ``strength``, ``beta``,
            ``sigma`` that it has.
        relative: Multiply instead of set.

    Raises:
        TypeError: if ``schedule`` is not callable.
        ValueError: if nothing of the type is there, or it has no such attribute, or the attribute is learnt.

    Differentiability: none; values are set.
    Cost: that of setting some numbers. As a Lightning callback: ``algonets.training.callbacks.Anneal``.

    Example:
        >>> from algonets import distributions, sort
        >>> from algonets.training import GeometricSchedule
        >>> layer = sort.Sort(sort.Bitonic(distributions.Cauchy(1.0)))
        >>> annealing = Annealing(layer, distributions.Distribution, GeometricSchedule(1.0, 0.01))
        >>> annealing.set(0.5)
        {'method.distribution.scale': 0.1}
        >>> round(layer.method.distribution.scale, 6)
        0.1
    """

    def __init__(
        self,
        model: Any,
        kind: type | tuple[type, ...],
        schedule: Callable[[float], float],
        attribute: str | None = None,
        relative: bool = False,
    ):
        if not callable(schedule):
            reject_type(
                "Annealing(schedule)", "must be a function of the progress", schedule, "Take GeometricSchedule(1, 0.1)."
            )
        found = find_algorithms(model, kind)
        require(bool(found), "Annealing(model)", f"must contain a {_names(kind)}", type(model).__name__)
        self.schedule, self.relative = schedule, relative
        self._targets: list[tuple[str, Any, str, float]] = []
        for path, value in found:
            name = attribute or knob_of(value)
            if name is None or not hasattr(value, name):
                remedy = f"Give attribute=...; looked for {', '.join(KNOBS)}."
                reject("Annealing(kind)", "must have something to anneal", type(value).__name__, remedy)
            start = getattr(value, name)
            learnt = isinstance(start, nn.Parameter) or (isinstance(start, Tensor) and start.requires_grad)
            require(
                not learnt, f"Annealing({path})", "must not be learnt", name, "Give a number instead of a Parameter."
            )
            single = not isinstance(start, Tensor) or start.numel() == 1
            require(single, f"Annealing({path})", "must be one number", name)
            self._targets.append((f"{path}.{name}" if path else name, value, name, float(start)))

    def set(self, progress: float) -> dict[str, float]:
        """Set all values for a part of training, 0 to 1; returns them by path."""
        value = float(self.schedule(progress))
        done = {}
        for path, owner, name, start in self._targets:
            new = value * start if self.relative else value
            old = getattr(owner, name)
            if isinstance(old, Tensor):
                with torch.no_grad():
                    old.fill_(new)
            else:
                object.__setattr__(owner, name, new)  # frozen dataclasses, too
            done[path] = new
        return done

    def __repr__(self) -> str:
        return f"Annealing({', '.join(path for path, *_ in self._targets)}, schedule={self.schedule!r})"


def _names(kind: type | tuple[type, ...]) -> str:
    return " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
