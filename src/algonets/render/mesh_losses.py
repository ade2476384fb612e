"""What makes a mesh smooth: losses on its vertices."""

import torch
from torch import Tensor

from algonets.render.mesh import check_faces, check_vertices, edges_of, face_normals, neighbours_of

__all__ = ["edge_length_loss", "flattening_loss", "laplacian_loss", "normal_consistency_loss"]


def laplacian_loss(vertices: Tensor, faces: Tensor) -> Tensor:
    """How far vertices are from the middle of their neighbours.

    ``mean_i |v_i - mean_{j next to i} v_j|^2``; vertices without an edge count 0.

    Args:
        vertices: ``(*batch, V, 3)``.
        faces: ``(F, 3)``.

    Returns:
        ``(*batch,)``.

    Raises:
        TypeError: if ``vertices`` is not floating or ``faces`` are no integers.
        ValueError: if shapes do not fit.

    Differentiability: any order.
    Cost: O(V + F), the neighbours are sums over edges.
    References: Liu, Li, Chen, Li 2019, Soft Rasterizer, section 4.2.

    Example:
        >>> from algonets.render import icosphere
        >>> sphere = icosphere(2)
        >>> bool(laplacian_loss(sphere.vertices, sphere.faces) < 0.01)
        True
    """
    vertices, faces = _checked("laplacian_loss", vertices, faces)
    a, b = edges_of(faces).unbind(1)
    total = torch.zeros_like(vertices).index_add(-2, a, vertices[..., b, :]).index_add(-2, b, vertices[..., a, :])
    count = vertices.new_zeros(vertices.shape[-2])
    count = count.index_add(0, a, torch.ones_like(a, dtype=count.dtype)).index_add(
        0, b, torch.ones_like(b, dtype=count.dtype)
    )
    away = vertices * (count > 0)[:, None] - total / count.clamp_min(1)[:, None]
    return away.square().sum((-1, -2)) / max(vertices.shape[-2], 1)


def edge_length_loss(vertices: Tensor, faces: Tensor, target: float = 0.0) -> Tensor:
    """Mean square of how much edges are longer or shorter than ``target``; arguments as :func:`laplacian_loss`.

    Differentiability: any order for a target of 0, else where no edge has length 0 (there the derivative is 0).
    """
    vertices, faces = _checked("edge_length_loss", vertices, faces)
    a, b = edges_of(faces).unbind(1)
    squares = (vertices[..., a, :] - vertices[..., b, :]).square().sum(-1)
    if target != 0:
        some = squares > 0
        squares = (squares.where(some, 1.0).sqrt().where(some, 0.0) - target).square()
    return squares.sum(-1) / max(len(a), 1)


def normal_consistency_loss(vertices: Tensor, faces: Tensor) -> Tensor:
    """Mean of ``1 - cos`` of the angle between the normals of faces that share an edge.

    Arguments as :func:`laplacian_loss`. Differentiability: any order where no face is without area.
    """
    return (1 - _cosines("normal_consistency_loss", vertices, faces)).mean(-1).nan_to_num(0.0)


def flattening_loss(vertices: Tensor, faces: Tensor) -> Tensor:
    """Mean of ``(1 - cos)^2`` of the angle between the normals of faces that share an edge.

    It bends the strongest edges most. Arguments as :func:`laplacian_loss`. Differentiability: any order where no face
    is without area.

    References: Kato, Ushiku, Harada 2018, Neural 3D Mesh Renderer; Liu, Li, Chen, Li 2019, Soft Rasterizer.
    """
    return (1 - _cosines("flattening_loss", vertices, faces)).square().mean(-1).nan_to_num(0.0)


def _cosines(call: str, vertices: Tensor, faces: Tensor) -> Tensor:
    vertices, faces = _checked(call, vertices, faces)
    normals, (a, b) = face_normals(vertices, faces), neighbours_of(faces).unbind(1)
    return (normals[..., a, :] * normals[..., b, :]).sum(-1)


def _checked(call: str, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    vertices = check_vertices(f"{call}(vertices)", vertices)
    return vertices, check_faces(f"{call}(faces)", faces, vertices.shape[-2])
