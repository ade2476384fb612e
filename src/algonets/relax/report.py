"""What a relaxed call did: mass that is left, the gap to the hard result, how decided the branches were."""

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

__all__ = ["Decision", "Report"]


@dataclasses.dataclass
class Decision:
    """One comparison of the source, over all examples and all times it ran.

    Attributes:
        line: its line in the file.
        count: how often it was asked, over all examples.
        mean: mean probability.
        undecided: share of those with a probability between 0.05 and 0.95.
    """

    line: int
    count: int = 0
    mean: float = 0.0
    undecided: float = 0.0

    def add(self, p: Tensor) -> None:
        """Take more probabilities into account."""
        p = p.detach().to(torch.float64)
        count = self.count + p.numel()
        if p.numel():
            vague = ((p > 0.05) & (p < 0.95)).to(torch.float64)
            self.mean = (self.mean * self.count + float(p.sum())) / count
            self.undecided = (self.undecided * self.count + float(vague.sum())) / count
        self.count = count


@dataclasses.dataclass
class Report:
    """What ``report=True`` returns beside the result.

    Attributes:
        residual_mass: the largest mass of an example that was still inside a loop or recursion when it was cut.
        residuals: the same by line and cause.
        gap: for each result in order, ``|hard - soft|`` of each example (the largest one of an array).
        decisions: the comparisons, by line: where the program is undecided, the relaxation is far from the program.
        paths: how many paths were enumerated, with ``merge="paths"``.
    """

    residual_mass: float
    residuals: dict[tuple[int, str], float]
    gap: tuple[Tensor, ...]
    decisions: list[Decision]
    paths: int | None = None

    def __str__(self) -> str:
        lines = [f"residual mass {self.residual_mass:.3g}"]
        lines += [f"  line {line}: {what}: {mass:.3g}" for (line, what), mass in self.residuals.items()]
        for number, gap in enumerate(self.gap):
            if gap.numel():
                mean, most = float(gap.mean()), float(gap.max())
                lines.append(f"result {number}: |hard - soft| is {mean:.3g} on average, {most:.3g} at most")
        for d in self.decisions:
            lines.append(
                f"line {d.line}: {d.count} comparisons, mean {d.mean:.2f}, {100 * d.undecided:.0f} % undecided"
            )
        return "\n".join(lines)


def gaps(hard: Any, soft: Any, batch: int) -> tuple[Tensor, ...]:
    """Return ``|hard - soft|`` of each example for every tensor of a result."""
    found = []
    for a, b in zip(pytree.tree_leaves(hard), pytree.tree_leaves(soft), strict=True):
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            difference = (a.detach().to(torch.float64) - b.detach().to(torch.float64)).abs()
            flat = difference.reshape(batch, -1)
            found.append(flat.amax(1) if flat.shape[1] and batch else flat.sum(1))
    return tuple(found)
