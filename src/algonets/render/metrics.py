"""How alike two shapes are."""

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating, check_same_kind
from algonets._core.errors import require
from algonets.render.mesh import Mesh

__all__ = ["chamfer", "iou", "sample_surface"]


def iou(a: Tensor, b: Tensor, dims: int = 2) -> Tensor:
    """Intersection over union, ``sum a b / sum (a + b - a b)``; 1 for two empty sets.

    Args:
        a: values in [0, 1] ``(*batch, ...)``, for example soft silhouettes.
        b: of the same shape.
        dims: how many last dimensions make one set: 2 for images, 3 for voxels.

    Returns:
        ``(*batch,)``.

    Raises:
        TypeError: if one is not floating.
        ValueError: if shapes differ.

    Differentiability: any order.

    Example:
        >>> iou(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 1.0]]))
        tensor(0.5000)
    """
    a, b = check_floating("iou(a)", a), check_floating("iou(b)", b)
    check_same_kind("iou(b)", b, a, "a")
    require(a.shape == b.shape, "iou(b)", f"must have the shape of a {tuple(a.shape)}", b)
    dims = check_at_least("iou(dims=...)", dims, 1)
    require(a.ndim >= dims, "iou(a)", f"must have at least {dims} dimensions", a)
    over = tuple(range(a.ndim - dims, a.ndim))
    both, one = (a * b).sum(over), (a + b - a * b).sum(over)
    empty = one == 0
    return torch.where(empty, 1.0, both / one.masked_fill(empty, 1.0))


def chamfer(a: Tensor, b: Tensor) -> Tensor:
    """Chamfer distance: mean square distance to the nearest point, both ways, summed.

    Args:
        a: points ``(*batch, N, d)``.
        b: points ``(*batch, M, d)``.

    Returns:
        ``(*batch,)``.

    Raises:
        TypeError: if one is not floating.
        ValueError: if dimensions differ or there are no points.

    Differentiability: piecewise any order; where two points are equally near, the derivative is that of one.
    Cost: O(N M) time and memory.

    Example:
        >>> chamfer(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0]]))
        tensor(0.5000)
    """
    a, b = check_floating("chamfer(a)", a), check_floating("chamfer(b)", b)
    check_same_kind("chamfer(b)", b, a, "a")
    good = a.ndim >= 2 and b.ndim >= 2 and a.shape[-1] == b.shape[-1] and a.shape[-2] > 0 and b.shape[-2] > 0
    require(good, "chamfer(b)", f"must be points of the dimension of a {tuple(a.shape)}, at least one", b)
    squares = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1)
    return squares.min(-1).values.mean(-1) + squares.min(-2).values.mean(-1)


def sample_surface(mesh: Mesh, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Points ``(count, 3)`` drawn uniformly from the surface of a mesh without a batch."""
    count = check_at_least("sample_surface(count)", count, 0)
    corners = mesh.triangles()
    require(corners.ndim == 3, "sample_surface(mesh)", "must have no batch", mesh)
    areas = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=-1)
    which = torch.multinomial(areas.detach(), count, replacement=True, generator=generator)
    u, v = torch.rand(2, count, 1, generator=generator, dtype=corners.dtype)
    root = u.sqrt()
    a, b, c = corners[which].unbind(1)
    return (1 - root) * a + root * (1 - v) * b + root * v * c
