"""Depths, colours, textures, lights; the exact z-buffer."""

import math

import pytest
import torch

from algonets.distributions import Gaussian, Logistic
from algonets.render import (
    AmbientLight,
    Camera,
    DirectionalLight,
    PointLight,
    Rasterizer,
    Texture,
    cube,
    icosphere,
    illuminate,
    pack,
    plane,
    torus,
)


def seen(mesh, elevation=25.0, azimuth=35.0, distance=4.0):
    return Camera.look_at(distance, elevation, azimuth).project(mesh.vertices.double())[..., mesh.faces, :]


def test_z_buffer_is_watertight(any_backend):
    """No hole inside a closed mesh, whose faces are not wider than a pixel; and pixels on shared edges are covered."""
    sphere = icosphere(4)
    nearest = Rasterizer(64).nearest((sphere.vertices * 0.9 + torch.tensor([0.0, 0.0, 3.0]))[sphere.faces])
    at = (2 * torch.arange(64) - 63) / 64
    radius = (at.square() + at.square()[:, None]).sqrt()
    assert (nearest[radius < 0.89] >= 0).all() and (nearest[radius > 0.9] < 0).all()
    # All pixels of the diagonal of a square lie on the edge that its two triangles share.
    flat = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])[torch.tensor([[0, 1, 2], [2, 3, 0]])]
    assert (Rasterizer(8).nearest(flat) >= 0).all()


def test_nearest_backends_agree():
    import algonets as an

    if not an.native_status()[0]:
        pytest.skip("the native kernels are not built here")
    faces = torch.stack([seen(torus(), azimuth=a) for a in (0.0, 50.0)])
    found = []
    for backend in ("native", "torch"):
        with an.backend(backend):
            found.append(Rasterizer((30, 20)).nearest(faces))
    assert torch.equal(*found) and (found[0] >= 0).any()


def test_depth_of_a_sphere(any_backend):
    """Straight ahead a unit sphere is one unit nearer than its middle."""
    depth = Rasterizer(33).depth(seen(icosphere(4), 0.0, 0.0))
    assert depth[16, 16].item() == pytest.approx(3.0, abs=0.01) and depth[0, 0] == math.inf
    soft = Rasterizer(33, Logistic(1e-4)).depth(seen(icosphere(4), 0.0, 0.0), gamma=1e-3)
    assert soft[16, 16].item() == pytest.approx(3.0, abs=0.01) and soft[0, 0] == math.inf


def test_perspective_is_right(any_backend):
    """The middle of a slanted edge on the image is not the middle in space: depth by hand."""
    camera = Camera.look_at(2.0, fov=90.0)
    world = torch.tensor([[-3.0, -3.0, -1.0], [3.0, -3.0, 2.0], [0.0, 6.0, 0.5]], dtype=torch.float64)
    faces = camera.project(world)[None]
    depth = Rasterizer(9).depth(faces)
    normal = torch.linalg.cross(world[1] - world[0], world[2] - world[0])
    for row, column in ((4, 4), (5, 4), (4, 5)):
        ray = torch.tensor([(2 * column - 8) / 9, (8 - 2 * row) / 9, 1.0], dtype=torch.float64)
        eye = torch.tensor([0.0, 0.0, -2.0], dtype=torch.float64)
        along = normal @ (world[0] - eye) / (normal @ ray)
        assert depth[row, column].item() == pytest.approx(float(along), abs=1e-9)


def test_hard_limit_of_shading(any_backend):
    mesh = cube()
    faces, colours = seen(mesh), torch.rand(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hard = Rasterizer(24).shade(faces, colours, gamma=None, background=0.5)
    soft = Rasterizer(24, Logistic(1e-9)).shade(faces, colours, gamma=1e-9, background=0.5)
    assert ((hard - soft).abs() > 1e-9).any(-1).sum() == 0
    nearest = Rasterizer(24).nearest(faces)
    assert torch.equal(hard[nearest >= 0], colours[nearest[nearest >= 0]]) and (hard[nearest < 0] == 0.5).all()


def test_gradients_of_shading(any_backend):
    generator = torch.Generator().manual_seed(1)
    faces = torch.rand(2, 3, 3, generator=generator, dtype=torch.float64) + torch.tensor([-0.5, -0.5, 1.0])
    colours = torch.rand(2, 3, 2, generator=generator, dtype=torch.float64)
    scale = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)

    def image(faces, colours, scale):
        return Rasterizer(4, Gaussian(scale)).shade(faces, colours, gamma=0.5, background=0.2)

    def hard(faces, colours):
        return Rasterizer(4).shade(faces, colours, gamma=None)

    given = faces.requires_grad_(), colours.requires_grad_()
    assert torch.autograd.gradcheck(image, (*given, scale), fast_mode=True)
    assert torch.autograd.gradcheck(hard, given, fast_mode=True)
    assert torch.autograd.gradcheck(lambda f: Rasterizer(4).depth(f).nan_to_num(posinf=0.0), given[0], fast_mode=True)


def test_packed_meshes(any_backend):
    parts = [seen(cube()), seen(icosphere(1))]
    faces, offsets = pack(parts)
    colours = torch.linspace(0, 1, len(faces), dtype=torch.float64)[:, None].expand(-1, 3)
    for gamma in (None, 0.1):
        images = Rasterizer((8, 9), Logistic(0.05)).shade(faces, colours, offsets, gamma=gamma)
        for k in range(2):
            own = slice(int(offsets[k]), int(offsets[k + 1]))
            single = Rasterizer((8, 9), Logistic(0.05)).shade(faces[own], colours[own], gamma=gamma)
            torch.testing.assert_close(images[k], single)


def test_texture_by_hand():
    image = torch.linspace(0, 1, 24, dtype=torch.float64).square().view(3, 4, 2)
    texture = Texture(image, torch.zeros(1, 3, 2))
    for u, v in ((0.3, 0.6), (0.0, 1.0), (0.99, 0.01), (-1.0, 3.0), (0.5, 0.5)):
        x, y = min(max(u * 4 - 0.5, 0), 3), min(max((1 - v) * 3 - 0.5, 0), 2)
        i, j = min(int(x), 2), min(int(y), 1)
        s, t = x - i, y - j
        top = (1 - s) * image[j, i] + s * image[j, i + 1]
        low = (1 - s) * image[j + 1, i] + s * image[j + 1, i + 1]
        found = texture.sample(torch.tensor([u, v], dtype=torch.float64))
        torch.testing.assert_close(found, (1 - t) * top + t * low)


def test_textured_plane_shows_the_picture(any_backend):
    """Seen from above, a picture is itself; its gradient reaches every texel."""
    picture = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mesh = plane(2.0)
    vertices = torch.stack([mesh.vertices[:, 0], -mesh.vertices[:, 2], torch.ones(4)], -1)
    image = Rasterizer(8).shade(vertices[mesh.faces], Texture(picture, mesh.uv), gamma=None)
    torch.testing.assert_close(image, picture, atol=1e-5, rtol=0)
    assert (torch.autograd.grad(image.sum(), picture)[0] > 0.99).all()


def test_lights():
    up, down = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, -1.0, 0.0])
    sun, lamp = DirectionalLight((0.0, -1.0, -1.0)), PointLight((0.0, 2.0, 0.0), (1.0, 0.5, 0.0))
    white = torch.ones(3)
    assert illuminate(white, up, up, [sun])[0].item() == pytest.approx(math.sqrt(0.5))
    assert (illuminate(white, up, down, [sun, lamp]) == 0).all()
    torch.testing.assert_close(illuminate(white, up, up, [lamp]), torch.tensor([1.0, 0.5, 0.0]))
    torch.testing.assert_close(illuminate(white * 0.5, up, down, [AmbientLight(0.4)]), white * 0.2)
    assert (illuminate(white, up, up, []) == 0).all()


@pytest.mark.parametrize(
    ("colours", "text"),
    [(torch.zeros(3, 3), "must fit the faces"), (torch.zeros(3), "must be"), (torch.zeros(2, 3, 1, 1), "must be")],
)
def test_bad_colours(colours, text):
    with pytest.raises(ValueError, match=text):
        Rasterizer(4).shade(torch.ones(2, 3, 3), colours)


def test_bad_gamma():
    with pytest.raises(ValueError, match="gamma"):
        Rasterizer(4).shade(torch.ones(2, 3, 3), torch.ones(2, 1), gamma=0.0)
