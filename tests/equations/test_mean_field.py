"""Mean field: plain loops, enumeration, limits."""

import itertools
import math

import pytest
import torch

from algonets import equations as eq
from tests.conformance.operations_equations import dense_weight, mean_field


def plane(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def grid_weight(diagonals):
    def weight(p, q, colour):
        apart = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
        near = apart <= (2 if diagonals else 1)
        return 0.7 / math.sqrt(apart) * math.exp(-colour / (2 * 0.8**2)) if near else 0.0

    return weight


@pytest.mark.parametrize("diagonals", [False, True])
def test_grid_equals_loops(diagonals):
    net = eq.MeanField(3, eq.GridKernel(0.7, 0.8, diagonals), 3, damping=0.3).double()
    scores, image = plane(3, 3, 4), plane(2, 3, 4, seed=1)
    expected = mean_field(scores, image, grid_weight(diagonals), 3, 0.3)
    torch.testing.assert_close(net(scores, image), expected, rtol=0, atol=1e-6)


def test_dense_equals_loops():
    net = eq.MeanField(3, eq.DenseKernel(0.3, 3.0, 0.9, 0.2, 1.5), 4).double()
    scores, image = plane(3, 3, 4), plane(2, 3, 4, seed=1)
    torch.testing.assert_close(net(scores, image), mean_field(scores, image, dense_weight, 4, 0.0), rtol=0, atol=1e-6)


def kernel_matrix(kernel, image):
    """Read a kernel off its messages, one pixel at a time."""
    n = image.shape[-2] * image.shape[-1]
    basis = torch.eye(n, dtype=image.dtype).view(n, 1, *image.shape[-2:])
    return kernel.message(basis, kernel.affinity(image.expand(n, *image.shape))).reshape(n, n)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (3, 4)])
@pytest.mark.parametrize("make", [lambda: eq.GridKernel(diagonals=True), eq.GridKernel, eq.DenseKernel])
def test_kernels_are_symmetric_without_a_diagonal(make, size):
    matrix = kernel_matrix(make().double(), plane(2, *size)).detach()
    torch.testing.assert_close(matrix, matrix.T)
    assert (matrix.diagonal() == 0).all() and (matrix >= 0).all()


@pytest.mark.parametrize("make", [lambda: eq.GridKernel(0.2, 1.0), lambda: eq.DenseKernel(0.02, smoothness=0.05)])
def test_weak_coupling_gives_the_exact_marginals_nearly(make):
    """By enumeration of all labellings of 2 x 3 pixels; independent pixels are much farther off."""
    scores, image = plane(2, 2, 3), plane(1, 2, 3, seed=1)
    net = eq.MeanField(2, make(), 50).double()
    matrix = kernel_matrix(net.kernel, image).detach()
    labels = torch.tensor(list(itertools.product((0, 1), repeat=6)))
    energy = scores.flatten(1).T.gather(1, labels.T).sum(0)
    energy = energy - 0.5 * torch.einsum("nij,ij->n", (labels[:, :, None] != labels[:, None]).double(), matrix)
    chance = energy.softmax(0)
    exact = (chance[:, None] * labels).sum(0).view(2, 3)
    found = net(scores, image).detach().exp()[1]
    alone = scores.softmax(0)[1]
    assert (found - exact).abs().max() < 0.35 * (alone - exact).abs().max()


def test_limits():
    scores, image = plane(2, 3, 4, 5), plane(2, 1, 4, 5, seed=1)
    none = eq.MeanField(3, eq.GridKernel(1e-30), 5).double()
    torch.testing.assert_close(none(scores, image), scores.log_softmax(-3))
    torch.testing.assert_close(eq.MeanField(3, eq.GridKernel(), 0).double()(scores, image), scores.log_softmax(-3))
    strong = eq.MeanField(3, eq.DenseKernel(50.0, 1e6, 1e6), 5).double()
    labels = strong(scores, image).argmax(-3).flatten(1)
    assert (labels == labels[:, :1]).all()  # all pixels agree


def test_an_edge_of_the_image_separates():
    """Two halves of different colour; a wrong pixel in each is outvoted by its own half."""
    image = torch.zeros(1, 4, 6, dtype=torch.float64)
    image[..., 3:] = 1
    scores = torch.stack([1 - 2 * image[0], 2 * image[0] - 1])
    scores[:, 1, 1] *= -0.5
    scores[:, 2, 4] *= -0.5
    for kernel in (eq.GridKernel(0.8, 0.1), eq.DenseKernel(0.3, 3.0, 0.1, 1e-9)):
        assert torch.equal(eq.MeanField(2, kernel, 10).double()(scores, image).argmax(0), image[0].long())


def test_free_energy_falls_with_damping():
    net = eq.MeanField(3, eq.GridKernel(0.7, 0.8, diagonals=True), 30, damping=0.7).double()
    scores, image = plane(3, 4, 5), plane(2, 4, 5, seed=1)
    matrix = kernel_matrix(net.kernel, image).detach()
    energies = []
    for log_q in net.trajectory(scores, image).detach():
        q = log_q.exp().flatten(1)
        agree = torch.einsum("li,ij,lj->", q, matrix, q)
        energies.append(float((q * log_q.flatten(1)).sum() - (q * scores.flatten(1)).sum() - 0.5 * agree))
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(energies)) and energies[-1] < energies[0]


@pytest.mark.parametrize("make", [eq.GridKernel, eq.DenseKernel])
def test_parameters_get_gradients(make):
    net = eq.MeanField(2, make(0.5), 2).double()
    values = dict(net.named_parameters())
    inputs = [v.detach().requires_grad_() for v in values.values()]

    def run(*inputs):
        parameters = dict(zip(values, inputs, strict=True))
        return torch.func.functional_call(net, parameters, (plane(2, 2, 3), plane(1, 2, 3, seed=1)))

    assert torch.autograd.gradcheck(run, inputs) and torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"classes.*at least 2, got 1"):
        eq.MeanField(1, eq.GridKernel())
    with pytest.raises(TypeError, match=r"kernel.*GridKernel.*DenseKernel"):
        eq.MeanField(2, torch.nn.Identity())
    with pytest.raises(ValueError, match=r"damping.*got 1"):
        eq.MeanField(2, eq.GridKernel(), damping=1.0)
    with pytest.raises(ValueError, match=r"max_pixels = 10 pixels.*GridKernel"):
        eq.MeanField(2, eq.DenseKernel(max_pixels=10))(torch.zeros(2, 3, 4), torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match=r"contrast.*must be positive"):
        eq.GridKernel(contrast=0.0)
