"""Dynamic time warping in plain torch, in any semiring, by diagonals."""

import torch

from algonets.dp._scan import wavefront
from algonets.semirings import Log, MaxPlus, Semiring

__all__ = ["curvature", "inside", "solve", "value"]


def inside(semiring: Semiring, scores: torch.Tensor) -> torch.Tensor:
    """Return (B, n * m) elements: all paths from the first cell to each."""

    def cell(above, left, corner, scores):
        return (semiring.times(semiring.plus(torch.stack([corner[0], above[0], left[0]], 2), 2), scores),)

    return wavefront(semiring, cell, (scores[:, 0, 0],), scores)[0].flatten(1, 2)


def value(distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float) -> torch.Tensor:
    """(B,) soft minima; hard ones at temperature 0."""
    scale = temperature or 1.0
    semiring = Log() if temperature else MaxPlus()
    table = inside(semiring, -distances / scale)
    goal = (rows - 1) * distances.shape[2] + columns - 1
    return -scale * semiring.plus(table.gather(1, goal.unsqueeze(1)), 1)  # plus: no gradient where nothing is allowed


def solve(
    distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) soft minima and (B, n, m) expected paths."""

    def total(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = value(x, rows, columns, temperature)
        return found.sum(), found

    path, found = torch.func.grad(total, has_aux=True)(distances)
    return found, path


def curvature(
    distances: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    temperature: float,
    direction: torch.Tensor,
) -> torch.Tensor:
    """Product of the Hessian of the soft minimum with a direction, differentiable further."""
    keep_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        x = (
            distances.view_as(distances)
            if keep_graph and distances.requires_grad
            else distances.detach().requires_grad_()
        )
        total = value(x, rows, columns, temperature)
        (first,) = torch.autograd.grad(total.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first, x, direction, create_graph=keep_graph, allow_unused=True)
    return torch.zeros_like(distances) if second is None else second
