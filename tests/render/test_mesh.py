"""Meshes: generators, files, losses, cameras, voxels, metrics."""

import math

import pytest
import torch

from algonets.render import (
    Camera,
    Mesh,
    chamfer,
    cube,
    edge_length_loss,
    icosphere,
    iou,
    laplacian_loss,
    pack,
    plane,
    sample_surface,
    torus,
    voxelise,
)

CLOSED = [icosphere(0), icosphere(2), torus(), cube()]


def volume(mesh):
    a, b, c = mesh.triangles().double().unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("mesh", CLOSED, ids=["icosahedron", "sphere", "torus", "cube"])
def test_closed_and_turned_outwards(mesh):
    sides = torch.cat([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    assert len(torch.unique(sides, dim=0)) == len(sides) == 2 * len(mesh.edges)
    assert {tuple(s) for s in sides.tolist()} == {tuple(s) for s in sides.flip(1).tolist()}
    assert volume(mesh) > 0
    assert len(mesh.vertices) - len(mesh.edges) + len(mesh.faces) == (0 if mesh is CLOSED[2] else 2)


def test_shapes_are_what_they_are_called():
    assert volume(icosphere(4)) == pytest.approx(4 / 3 * math.pi, rel=0.01)
    assert volume(torus(0.7, 0.3, 64, 64)) == pytest.approx(2 * math.pi**2 * 0.7 * 0.09, rel=0.01)
    assert volume(cube(2.0)) == pytest.approx(8.0)
    assert torch.allclose(icosphere(3).vertices.norm(dim=1), torch.ones(642))
    flat = plane(2.0, 3)
    assert len(flat.faces) == 18 and torch.allclose(flat.face_normals(), torch.tensor([0.0, 1.0, 0.0]))
    assert torch.allclose(icosphere(3).vertex_normals(), icosphere(3).vertices, atol=0.03)
    moved = Mesh(cube().vertices * 7 + 3, cube().faces).normalised(0.5)
    assert moved.vertices.norm(dim=1).max().item() == pytest.approx(0.5)


@pytest.mark.parametrize("suffix", ["obj", "off", "ply"])
def test_files(suffix, tmp_path):
    if suffix != "obj":
        pytest.importorskip("trimesh")
    path = tmp_path / f"shape.{suffix}"
    torus(rings=5, sides=4).write(path)
    again = Mesh.read(path)
    assert torch.equal(again.faces, torus(rings=5, sides=4).faces)
    torch.testing.assert_close(again.vertices, torus(rings=5, sides=4).vertices, atol=1e-6, rtol=0)


def test_obj(tmp_path):
    """Polygons, negative numbers, texture coordinates, colours, what is skipped."""
    path = tmp_path / "a.obj"
    path.write_text("# hi\nmtllib x.mtl\nv 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 1 1 0 0 0 1\nv 0 1 0 1 1 1\n"
                    "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\nf 1/1/1 2/2/1 3/3/1 -1/-1/1\n")  # fmt: skip
    mesh = Mesh.read(path)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]] and mesh.colours.shape == (4, 3)
    assert mesh.uv.tolist() == [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]]
    mesh.write(tmp_path / "b.obj")
    again = Mesh.read(tmp_path / "b.obj")
    assert torch.equal(again.uv, mesh.uv) and torch.equal(again.colours, mesh.colours)
    for text in ("v 0 0\nf 1 1 1\n", "v 0 0 0\nf 1 2 3\n", "v 0 0 x\n", "v 0 0 0\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match="must"):
            Mesh.read(path)


@pytest.mark.parametrize(
    ("vertices", "faces", "error"),
    [
        (torch.zeros(3, 2), torch.zeros(1, 3).long(), ValueError),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 3]]), ValueError),
        (torch.zeros(3, 3), torch.tensor([[0, 1, -1]]), ValueError),
        (torch.zeros(3, 3), torch.zeros(1, 3), TypeError),
        (torch.zeros(3, 3).long(), torch.zeros(1, 3).long(), TypeError),
        (torch.full((3, 3), math.nan), torch.zeros(1, 3).long(), ValueError),
    ],
)
def test_bad_meshes(vertices, faces, error):
    with pytest.raises(error, match=r"Mesh\((vertices|faces)\)"):
        Mesh(vertices, faces)


def test_losses_of_regular_shapes():
    flat = plane(1.0, 4)
    assert edge_length_loss(cube().vertices, cube().faces).item() == pytest.approx((12 + 6 * 2) / 18)
    inner = laplacian_loss(flat.vertices, flat.faces)
    moved = flat.vertices.clone()
    moved[12, 1] += 1.0
    assert laplacian_loss(moved, flat.faces) > inner


def test_pack_rejects():
    for bad in ([], [torch.zeros(3, 3)]):
        with pytest.raises(ValueError, match="pack"):
            pack(bad)


def test_camera_conventions():
    """At azimuth 0 it stands at -z; +x is to the right; turning it by 90 degrees brings it to +x."""
    points = torch.eye(3, dtype=torch.float64)
    front = Camera.look_at(3.0).project(points)
    assert front[0, 0] > 0.5 and front[1, 1] > 0.5 and front[2, 2].item() == pytest.approx(4.0)
    side = Camera.look_at(3.0, azimuth=90.0).project(points)
    assert side[0, 2].item() == pytest.approx(2.0)
    above = Camera.look_at(3.0, elevation=60.0).project(torch.tensor([[0.0, 0.5, 0.0]]))
    assert above[0, 2] < 3.0
    straight = Camera.look_at(3.0, fov=None, width=4.0).project(points)
    torch.testing.assert_close(straight[:, :2], points[:, :2] / 2)


def test_camera_of_intrinsics():
    """OpenCV's pixels: the principal point, and one unit to the right and down."""
    matrix = torch.tensor([[50.0, 0, 32], [0, 60.0, 24], [0, 0, 1]])
    camera = Camera.from_intrinsics(matrix, (48, 64))
    found = camera.project(torch.tensor([[0.0, 0, 2], [0.4, -0.2, 2]]))
    torch.testing.assert_close(found[0], torch.tensor([0.0, 0.0, 2.0]))
    x, y = 50 * 0.2 + 32, 60 * 0.1 + 24
    torch.testing.assert_close(found[1, :2], torch.tensor([(2 * x - 64) / 48, (48 - 2 * y) / 48]))


def test_gradient_to_the_pose():
    angles = torch.tensor([20.0, 30.0, 3.0], dtype=torch.float64, requires_grad=True)
    project = lambda a: Camera.look_at(a[2], a[0], a[1]).project(cube().vertices.double())  # noqa: E731
    assert torch.autograd.gradcheck(project, (angles,))
    assert torch.autograd.gradgradcheck(project, (angles,))


def test_cameras_in_a_batch():
    angles = torch.tensor([[0.0, 30.0, 60.0], [5.0, 10.0, 15.0]])
    cameras = Camera.look_at(3.0, angles, angles)
    found = cameras.project(cube().vertices)
    assert found.shape == (2, 3, 8, 3)
    torch.testing.assert_close(found[1, 2], Camera.look_at(3.0, 15.0, 15.0).project(cube().vertices))
    with pytest.raises(ValueError, match="broadcast to the batch"):
        cameras.project(torch.zeros(4, 8, 3))


def test_voxels_of_known_shapes():
    n = 24
    at = (2 * torch.arange(n) + 1 - n) / n
    radius = (at.square()[:, None, None] + at.square()[:, None] + at.square()).sqrt()
    sphere = icosphere(4)
    wrong = voxelise(sphere.vertices * 0.8, sphere.faces, n) != (radius < 0.8)
    assert wrong.sum() <= 0.01 * (radius < 0.8).sum()
    # Two closed parts that overlap are their union.
    box = cube()
    both = torch.cat([box.vertices, box.vertices + 0.25])
    faces = torch.cat([box.faces, box.faces + 8])
    union = voxelise(both, faces, n)
    single = voxelise(torch.stack([box.vertices, box.vertices + 0.25]), box.faces, n)
    assert torch.equal(union, single[0] | single[1]) and voxelise(box.vertices, box.faces, n, 0.5).all()


def test_metrics():
    a = torch.tensor([[True, True], [False, False]]).float()
    assert iou(a, a).item() == 1 and iou(a, 1 - a).item() == 0 and iou(0 * a, 0 * a).item() == 1
    points = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    assert chamfer(points, points).item() == 0
    with pytest.raises(ValueError, match="at least one"):
        chamfer(points, points[:0])


def test_samples_lie_on_the_surface():
    """Uniform: as many on each side of a cube as its area says, at two sample sizes."""
    for count, slack in ((600, 0.5), (6000, 0.15)):
        points = sample_surface(cube(), count, torch.Generator().manual_seed(0))
        assert torch.allclose(points.abs().amax(1), torch.full((count,), 0.5))
        top = (points[:, 1] > 0.4999).sum().item()
        assert abs(top / (count / 6) - 1) < slack


@pytest.mark.parametrize("distance", [0.0, -1.0, torch.tensor([2.0, -1.0]), float("nan")])
def test_a_camera_stands_off(distance):
    with pytest.raises(ValueError, match=r"look_at\(distance\) must be positive"):
        Camera.look_at(distance)
