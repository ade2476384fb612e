"""The choices of a call: law, mode, merge, loops and their bounds."""

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any, Literal

import torch

from algonets._core.checks import check_at_least
from algonets._core.errors import reject_type, require
from algonets.distributions import Distribution, Logistic
from algonets.tconorms import Probabilistic, TConorm

__all__ = ["BatchDims", "Options"]

BatchDims = int | None | Mapping[str, int | None] | tuple[int | None, ...]
_CHOICES = {
    "mode": ("soft", "hard", "straight_through"),
    "merge": ("mean", "paths", "sample"),
    "loops": ("dynamic", "static"),
}
_BOUNDS = {"max_iterations": 0, "max_depth": 1, "max_paths": 1, "samples": 1}


@dataclasses.dataclass(frozen=True)
class Options:
    """What a call can choose; the fields are documented at :meth:`Relaxed.soft`."""

    distribution: Distribution = dataclasses.field(default_factory=lambda: Logistic(0.1))
    conjunction: TConorm = dataclasses.field(default_factory=Probabilistic)
    mode: Literal["soft", "hard", "straight_through"] = "soft"
    merge: Literal["mean", "paths", "sample"] = "mean"
    loops: Literal["dynamic", "static"] = "dynamic"
    epsilon: float = 1e-5
    max_iterations: int = 1024
    max_depth: int = 64
    max_paths: int = 4096
    samples: int = 16
    generator: torch.Generator | None = None
    batch_dims: Any = 1
    report: bool = False

    def checked(self, call: str) -> "Options":
        """Return itself, or raise what is wrong, naming ``call``."""
        if not isinstance(self.distribution, Distribution):
            reject_type(f"{call}(distribution=...)", "must be a law of algonets.distributions", self.distribution, _LAW)
        if not isinstance(self.conjunction, TConorm):
            reject_type(f"{call}(conjunction=...)", "must be a t-conorm of algonets.tconorms", self.conjunction)
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            require(value in known, f"{call}({name}=...)", f"must be one of {', '.join(known)}", value)
        for name, least in _BOUNDS.items():
            check_at_least(f"{call}({name}=...)", getattr(self, name), least)
        real = isinstance(self.epsilon, numbers.Real) and not isinstance(self.epsilon, bool)
        require(real and 0 <= self.epsilon < 1, f"{call}(epsilon=...)", "must be in [0, 1)", self.epsilon)
        dims = self.batch_dims
        values = dims.values() if isinstance(dims, Mapping) else dims if isinstance(dims, tuple | list) else (dims,)
        for value in values:
            if value is not None:
                check_at_least(f"{call}(batch_dims=...)", value, 0)
        if self.generator is not None and not isinstance(self.generator, torch.Generator):
            reject_type(f"{call}(generator=...)", "must be a torch.Generator or None", self.generator)
        return self


_LAW = "Write an object: distribution=Logistic(0.1)."
NAMES = tuple(field.name for field in dataclasses.fields(Options))
"""Keywords of ``soft`` that a user's parameter may not be called."""
