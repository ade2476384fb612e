"""Differentiable rendering of triangle meshes, with every law and every t-conorm.

:class:`Rasterizer` makes images of triangles: soft silhouettes, depths, colours, or exact ones. The law says how a
face fades across its border, the t-conorm how faces join. :class:`Mesh` and :class:`Camera` make the triangles:
``camera.project(mesh.vertices)[..., mesh.faces, :]``.
"""

from algonets.render.camera import Camera
from algonets.render.lights import AmbientLight, DirectionalLight, Light, PointLight, illuminate
from algonets.render.mesh import Mesh, pack
from algonets.render.mesh_losses import edge_length_loss, flattening_loss, laplacian_loss, normal_consistency_loss
from algonets.render.metrics import chamfer, iou, sample_surface
from algonets.render.primitives import cube, icosphere, plane, torus
from algonets.render.rasterizer import Rasterizer
from algonets.render.textures import Texture
from algonets.render.voxels import voxelise

__all__ = [
    "AmbientLight",
    "Camera",
    "DirectionalLight",
    "Light",
    "Mesh",
    "PointLight",
    "Rasterizer",
    "Texture",
    "chamfer",
    "cube",
    "edge_length_loss",
    "flattening_loss",
    "icosphere",
    "illuminate",
    "iou",
    "laplacian_loss",
    "normal_consistency_loss",
    "pack",
    "plane",
    "sample_surface",
    "torus",
    "voxelise",
]
