"""The operations of ``algonets.render``: lights and textures."""

import torch

from algonets import render
from algonets.distributions import Gaussian
from algonets.tconorms import Max
from tests.conformance.operations_render import CUBE
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

LIGHTS = [
    render.AmbientLight(0.3),
    render.DirectionalLight((1.0, -2.0, 0.5), (0.5, 0.6, 0.7)),
    render.PointLight((0.0, 3.0, 0.0)),
]


def lit(generator, dtype, batch):
    """Colours, places, and normals that see all lights."""
    colours, places = (torch.rand(*batch, 3, generator=generator, dtype=dtype) for _ in range(2))
    normals = torch.tensor([-0.2, 1.0, 0.1], dtype=dtype) + 0.1 * torch.rand(
        *batch, 3, generator=generator, dtype=dtype
    )
    return colours, places, torch.nn.functional.normalize(normals, dim=-1)


def light_oracle(colour, place, normal):
    """Lambert's law."""
    away = torch.tensor([-1.0, 2.0, -0.5], dtype=colour.dtype)
    to_point = torch.tensor([0.0, 3.0, 0.0], dtype=colour.dtype) - place
    sun = torch.tensor([0.5, 0.6, 0.7]).to(colour) * (normal @ away / away.norm())
    return colour * (float(torch.tensor(0.3)) + sun + normal @ to_point / to_point.norm())


register(
    Operation(
        name="render.illuminate",
        summary="Matt surfaces under lights",
        function=lambda c, p, n: render.illuminate(c, p, n, LIGHTS),
        arguments=tuple(
            Argument(f"illuminate({name})", nan="propagates") for name in ("colours", "positions", "normals")
        ),
        inputs=lit,
        differentiability="any order",
        oracle=light_oracle,
        tolerance=1e-7,
        cost="O(n)",
    )
)
IMAGE = torch.linspace(0, 1, 24).view(3, 4, 2)
exempt("render.Texture.sample", "of a texture's own image: tests/render/test_shading.py")
TRIANGLE = torch.tensor([[[-0.8, -0.8, 1.0], [0.8, -0.8, 1.0], [0.0, 0.8, 2.0]]])
for name, make, use in (
    (
        "Rasterizer",
        lambda: render.Rasterizer((4, 5), Gaussian(0.2), Max(), squared=True),
        lambda r: r.silhouette(TRIANGLE),
    ),
    ("Camera", lambda: render.Camera.look_at(2.0, 10.0, torch.tensor([0.0, 90.0])), lambda c: c.project(CUBE.vertices)),
    ("Mesh", lambda: render.icosphere(1), lambda m: m.triangles()),
    ("Texture", lambda: render.Texture(IMAGE, torch.zeros(1, 3, 2)), lambda t: t.sample(torch.ones(2) / 3)),
    ("AmbientLight", lambda: render.AmbientLight(0.5), lambda light: light.at(torch.ones(3), torch.ones(3))),
    (
        "DirectionalLight",
        lambda: render.DirectionalLight((1.0, 0.0, 0.0)),
        lambda light: light.at(torch.ones(3), -torch.ones(3)),
    ),
    ("PointLight", lambda: render.PointLight((1.0, 0.0, 0.0)), lambda light: light.at(torch.zeros(3), torch.ones(3))),
):
    register_object(PublicObject(name=f"render.{name}", make=make, use=use))

for name in ("Light", "Light.*", "*Light.at", "Mesh.*", "pack"):
    exempt(f"render.{name}", "tests/render")
for name in ("cube", "icosphere", "plane", "torus", "sample_surface"):
    exempt(f"render.{name}", "makes a mesh, or points of one: tests/render/test_mesh.py")
