"""Other ways to merge: exact enumeration of paths, and samples of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.errors import UnreachedPathsError
from algonets.relax.values import Bool

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["PrunedPathError", "Replay", "Sampler", "enumerate_paths"]


class PrunedPathError(Exception):
    """The running path has no mass worth following."""


class Replay:
    """Decides the comparisons of one path: those of a prefix as told, all others by "true" first."""

    def __init__(self, prefix: list[bool]):
        self.decisions = list(prefix)
        self.position = 0
        self.weight: Tensor | None = None

    def __call__(self, rt: "Runtime", chance: Bool) -> Any:
        """Decide on one comparison, for all examples alike."""
        if chance.p.ndim > 1:
            return chance
        if self.position == len(self.decisions):
            self.decisions.append(True)
        held = self.decisions[self.position]
        self.position += 1
        factor = chance.p if held else 1 - chance.p
        self.weight = factor if self.weight is None else self.weight * factor
        if rt.negligible(self.weight):
            raise PrunedPathError
        return held

    def cut(self) -> None:
        """End the path at the bound of a loop."""
        raise PrunedPathError

    def following(self) -> list[bool] | None:
        """The prefix of the next path in the order of a depth-first search."""
        prefix = self.decisions[: self.position]
        while prefix and not prefix[-1]:
            prefix.pop()
        return [*prefix[:-1], False] if prefix else None


def enumerate_paths(run: Callable[[Replay], Any], most: int, name: str) -> tuple[list[Any], list[Tensor | None]]:
    """Run a program on every path; return the results with the mass of each."""
    results, weights = [], []
    prefix: list[bool] | None = []
    count = 0
    while prefix is not None:
        count += 1
        if count > most:
            raise UnreachedPathsError(
                f"{name}.soft(merge='paths') met more than max_paths={most} paths. "
                "Raise max_paths or epsilon, or use merge='mean' or merge='sample'."
            )
        replay = Replay(prefix)
        try:
            results.append(run(replay))
            weights.append(replay.weight)
        except PrunedPathError:
            pass
        prefix = replay.following()
    return results, weights


class Sampler:
    """Draws the outcome of every comparison in every example, and adds up the logarithms of their probabilities."""

    def __init__(self, generator: torch.Generator | None):
        self.generator = generator
        self.log_probability: Tensor | None = None

    def __call__(self, rt: "Runtime", chance: Bool) -> Any:
        """Decide on one comparison."""
        p = chance.p
        shape = (*p.shape[:-1], rt.batch)
        draw = torch.rand(shape, generator=self.generator, dtype=torch.float64, device=p.device)
        held = draw < p.detach()
        if p.requires_grad:
            tiny = torch.finfo(p.dtype).tiny
            chosen = torch.where(held, p, 1 - p).clamp_min(tiny).log()
            while chosen.ndim > 1:
                chosen = chosen.sum(0)
            mass = rt.mass()
            if mass is not None:
                chosen = torch.where(mass, chosen, torch.zeros_like(chosen))
            self.log_probability = chosen if self.log_probability is None else self.log_probability + chosen
        return Bool(rt, held)

    def cut(self) -> None:
        """A loop that is cut leaves its examples where they are."""

    def mean(self, value: Tensor, samples: int) -> Tensor:
        """Average ``(batch * samples, ...)``; the gradient has the score of the decisions."""
        value = value.reshape(-1, samples, *value.shape[1:])
        mean = value.mean(1)
        if self.log_probability is None or not samples:
            return mean
        score = self.log_probability.expand(value.shape[0] * samples).reshape(-1, samples)
        score = (score - score.detach()).reshape(*score.shape, *[1] * (value.ndim - 2))
        fixed = value.detach()
        others = (fixed.sum(1, keepdim=True) - fixed) / (samples - 1) if samples > 1 else torch.zeros_like(fixed)
        return mean + ((fixed - others) * score).mean(1)
