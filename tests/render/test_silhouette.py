"""Soft silhouettes: laws, t-conorms, conventions, odd faces; the kernel beside the reference."""

import itertools

import pytest
import torch

import algonets as an
from algonets import distributions, tconorms
from algonets.distributions import Cauchy, Gaussian, Logistic, Uniform
from algonets.render import Camera, Rasterizer, cube, icosphere, pack
from algonets.tconorms import Hamacher, Max, Probabilistic, Yager
from tests.conformance.cases import needs_native

FOLDS = (
    tconorms.Probabilistic(),
    tconorms.Einstein(),
    tconorms.Hamacher(0.5),
    tconorms.Frank(3.0),
    tconorms.Yager(2.0),
    tconorms.AczelAlsina(2.0),
    tconorms.Dombi(2.0),
    tconorms.SchweizerSklar(-2.0),
    tconorms.Max(),
)
PAIRS = [
    pytest.param(law, fold, id=f"{law.__name__}-{type(fold).__name__}")
    for law, fold in itertools.product(distributions.ALL, FOLDS)
]


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def distance_by_hand(p, triangle):
    """Signed distance of one point, by trying points of the boundary."""
    along = torch.linspace(0, 1, 20001, dtype=torch.float64)[:, None]
    a, b, c = triangle
    rim = torch.cat([a + along * (b - a), b + along * (c - b), c + along * (a - c)])
    size = (rim - p).norm(dim=1).min()
    cross = [(v[0] - u[0]) * (p[1] - u[1]) - (v[1] - u[1]) * (p[0] - u[0]) for u, v in ((a, b), (b, c), (c, a))]
    inside = all(x > 0 for x in cross) or all(x < 0 for x in cross)
    return size if inside else -size


@pytest.mark.parametrize("squared", [False, True])
def test_by_hand(squared, any_backend):
    faces, law = draw(2, 3, 2, seed=1), Gaussian(0.3)
    image = Rasterizer((3, 4), law, squared=squared, cutoff=0).silhouette(faces)
    for row, column in itertools.product(range(3), range(4)):
        p = torch.tensor([(2 * column + 1 - 4) / 3, (3 - 1 - 2 * row) / 3], dtype=torch.float64)
        rest = 1.0
        for face in faces:
            d = distance_by_hand(p, face)
            rest = rest * (1 - law.cdf(d.sign() * d.square() if squared else d))
        assert float(image[row, column]) == pytest.approx(1 - float(rest), abs=1e-6)


@needs_native
@pytest.mark.parametrize(("law", "fold"), PAIRS)
def test_every_law_with_every_fold(law, fold):
    """The kernel: equal to the reference, and its gradients right, for coordinates and scales."""
    faces, scale = draw(2, 4, 3, 2), torch.tensor([0.2, 0.3], dtype=torch.float64, requires_grad=True)
    for squared in (False, True):

        def image(faces, scale, squared=squared):
            return Rasterizer((5, 4), law(scale), fold, squared=squared).silhouette(faces)

        found = []
        for backend in ("native", "torch"):
            given = faces.clone().requires_grad_()
            with an.backend(backend):
                value = image(given, scale)
                weights = torch.linspace(-1, 1, value.numel(), dtype=value.dtype).view_as(value)
                found.append([value.detach(), *torch.autograd.grad((value * weights).sum(), (given, scale))])
        torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-10)
        with an.backend("native"):
            assert torch.autograd.gradcheck(image, (faces.requires_grad_(), scale), fast_mode=True)


@needs_native
@pytest.mark.parametrize(
    "fold",
    [tconorms.Hamacher(0.0), tconorms.Frank(0.2), tconorms.Yager(0.5), tconorms.Dombi(0.5), tconorms.AczelAlsina(1.0)],
)
def test_more_parameters(fold):
    faces = draw(6, 3, 2, seed=3).requires_grad_()
    results = []
    for backend in ("native", "torch"):
        with an.backend(backend):
            image = Rasterizer(6, Logistic(0.1), fold).silhouette(faces)
            results.append([image.detach(), *torch.autograd.grad(image.square().sum(), faces)])
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-10)


@needs_native
@pytest.mark.parametrize("fold", FOLDS, ids=lambda fold: type(fold).__name__)
def test_float32(fold):
    """As near to float64 as float32 allows, on a sphere of many faces."""
    turn = torch.linalg.qr(draw(3, 3, seed=9))[0]  # no symmetry: no ties
    vertices, faces = icosphere(2).vertices.double() @ turn * 0.6, icosphere(2).faces
    exact = vertices.clone().requires_grad_()
    single = vertices.float().requires_grad_()
    for law in (Logistic(0.03), Uniform(0.1), Cauchy(0.01)):
        renderer = Rasterizer(16, law, fold)
        grads = []
        for given in (exact, single):
            image = renderer.silhouette(given[faces][..., :2])
            assert image.dtype == given.dtype
            grads.append(
                (image.detach().double(), torch.autograd.grad((image - 0.5).square().sum(), given)[0].double())
            )
        torch.testing.assert_close(grads[1][0], grads[0][0], rtol=1e-3, atol=1e-4)
        assert (grads[1][1] - grads[0][1]).norm() <= 0.05 * grads[0][1].norm() + 1e-3


def test_hard_limit(any_backend):
    faces = draw(3, 3, 2, seed=5)
    renderer = Rasterizer((11, 17), Logistic(1e-9))
    depths = torch.cat([faces, torch.ones_like(faces[..., :1])], -1)
    assert torch.equal(renderer.silhouette(faces) > 0.5, renderer.nearest(depths) >= 0)
    assert set(renderer.silhouette(faces).unique().tolist()) == {0.0, 1.0}


def test_gradient_on_an_edge_is_the_normal(any_backend):
    """A pixel in the middle of an edge: moving the edge outwards covers it, at the density of the law."""
    faces = torch.tensor([[[0.0, -2.0], [0.0, 2.0], [-3.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    image = Rasterizer(1, Gaussian(0.5), cutoff=0).silhouette(faces)
    assert image.item() == pytest.approx(0.5)
    gradient = torch.autograd.grad(image.sum(), faces)[0]
    density = Gaussian(0.5).pdf(torch.zeros((), dtype=torch.float64))
    torch.testing.assert_close(gradient[0, :2], torch.stack([density / 2, density * 0]).expand(2, 2))
    assert (gradient[0, 2] == 0).all()


def test_cutoff_leaves_out_little(any_backend):
    faces = draw(5, 3, 2, seed=6)
    whole = Rasterizer(8, Logistic(0.05), cutoff=0).silhouette(faces)
    cut = Rasterizer(8, Logistic(0.05), cutoff=1e-4).silhouette(faces)
    assert 0 < (whole - cut).abs().max() <= 5e-4


@pytest.mark.parametrize(
    "fold", [Probabilistic(), Max(), Yager(2.0), Hamacher(0.0)], ids=lambda fold: type(fold).__name__
)
def test_odd_faces_give_no_nan(fold, any_backend):
    """Without area, doubled, huge, far away, on a pixel."""
    point, line = [[0.2, 0.2]] * 3, [[-0.5, 0.0], [0.5, 0.0], [0.0, 0.0]]
    doubled = [[0.1, 0.1], [0.6, 0.2], [0.3, 0.7]]
    huge, away = [[-1e30, -1e30], [1e30, -3.0], [0.0, 1e20]], [[50.0, 50.0], [51.0, 50.0], [50.0, 51.0]]
    corner = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    for dtype in (torch.float32, torch.float64):
        faces = torch.tensor([point, line, doubled, doubled, huge, away, corner], dtype=dtype, requires_grad=True)
        for law, squared in itertools.product((Logistic(0.1), Uniform(0.2), Cauchy(0.1)), (False, True)):
            image = Rasterizer(5, law, fold, squared=squared).silhouette(faces)
            gradient = torch.autograd.grad(image.sum(), faces)[0]
            assert image.isfinite().all() and gradient.isfinite().all() and image.amax() <= 1


def test_thin_triangles_have_no_inside(any_backend):
    line = torch.tensor([[[-0.5, 0.0], [0.5, 0.0], [0.0, 0.0]]])
    assert Rasterizer(9, Logistic(0.01)).silhouette(line).max() <= 0.5


def test_behind_the_camera(any_backend):
    front = torch.tensor([[[-0.5, -0.5, 2.0], [0.5, -0.5, 2.0], [0.0, 0.5, 2.0]]])
    back = front.clone()
    back[0, 1, 2] = -1.0
    renderer = Rasterizer(6, Cauchy(0.1))
    both = torch.cat([front, back]).requires_grad_()
    image = renderer.silhouette(both)
    assert torch.equal(image, renderer.silhouette(front))
    gradient = torch.autograd.grad(image.sum(), both)[0]
    assert (gradient[1] == 0).all() and (gradient[0, :, :2] != 0).any()
    assert not torch.equal(image, Rasterizer(6, Cauchy(0.1), perspective=False).silhouette(both))


def test_meshes_of_different_size(any_backend):
    """Packed faces are the images one by one, with a scale for each; so are their gradients. A mesh may be empty."""
    camera = Camera.look_at(4.0, 30.0, 40.0)
    parts = [camera.project(m.vertices.double())[m.faces][..., :2] for m in (cube(), icosphere(1))]
    faces, offsets = pack([parts[0], parts[0][:0], parts[1]])
    faces = faces.requires_grad_()
    scale = torch.tensor([0.05, 0.1, 0.02], dtype=torch.float64, requires_grad=True)
    images = Rasterizer((7, 9), Logistic(scale)).silhouette(faces, offsets)
    assert images.shape == (3, 7, 9) and (images[1] == 0).all()
    singles = [Rasterizer((7, 9), Logistic(scale[k])).silhouette(faces[offsets[k] : offsets[k + 1]]) for k in range(3)]
    torch.testing.assert_close(images, torch.stack(singles))
    weights = draw(3, 7, 9)
    torch.testing.assert_close(
        torch.autograd.grad((images * weights).sum(), (faces, scale)),
        torch.autograd.grad((torch.stack(singles) * weights).sum(), (faces, scale)),
    )


def test_chunks_and_recomputation_change_nothing():
    from algonets.render import _silhouette_reference as reference

    faces = draw(1, 7, 3, 2).requires_grad_()
    found = []
    for chunk in (7, 2):
        image = reference.silhouette(faces, 0.1, (4, 4), Logistic(), Probabilistic(), False, -30.0, chunk)
        found.append([image, *torch.autograd.grad(image.square().sum(), faces)])
    torch.testing.assert_close(found[0], found[1])


@needs_native
def test_bands_of_threads_change_nothing():
    vertices = icosphere(3).vertices * 0.7
    faces = vertices[icosphere(3).faces][..., :2].double().requires_grad_()
    results = []
    for threads in (1, 3):
        an.set_num_threads(threads)
        try:
            image = Rasterizer((40, 50), Logistic(0.02)).silhouette(faces)
            results.append([image.detach(), *torch.autograd.grad(image.square().sum(), faces)])
        finally:
            an.set_num_threads(None)
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)


def test_second_derivative(any_backend):
    faces = draw(2, 3, 2, seed=8).requires_grad_()
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    image = lambda f, s: Rasterizer(3, Logistic(s)).silhouette(f)  # noqa: E731
    assert torch.autograd.gradgradcheck(image, (faces, scale))


def test_many_faces():
    """A sphere of 20,480 faces; its silhouette is a disc."""
    sphere = icosphere(5)
    image = Rasterizer(64, Logistic(1e-4)).silhouette((sphere.vertices * 0.8)[sphere.faces][..., :2])
    at = (2 * torch.arange(64) - 63) / 64
    disc = (at.square() + at.square()[:, None]).sqrt() < 0.8
    assert ((image > 0.5) != disc).sum() <= 8


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"size": 0}, ValueError, "at least 1"),
        ({"size": (3, 4, 5)}, ValueError, "height, width"),
        ({"size": 2.5}, TypeError, "integer"),
        ({"size": 4, "cutoff": 1.0}, ValueError, "less than 1"),
        ({"size": 4, "distribution": "logistic"}, TypeError, "law"),
        ({"size": 4, "tconorm": "max"}, TypeError, "t-conorm"),
    ],
)
def test_bad_options(options, error, text):
    with pytest.raises(error, match=text):
        Rasterizer(**options)


@pytest.mark.parametrize("offsets", [[0, 3], [1, 2], [0, 2, 1, 2], torch.tensor([0.0, 2.0])])
def test_bad_offsets(offsets):
    with pytest.raises((ValueError, TypeError), match="offsets"):
        Rasterizer(4).silhouette(torch.zeros(2, 3, 2), offsets)


def test_bad_scale():
    with pytest.raises(ValueError, match="broadcast to the batch"):
        Rasterizer(4, Logistic(torch.ones(3))).silhouette(torch.zeros(2, 1, 3, 2))
