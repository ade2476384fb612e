"""The learnt equation: classical ones as special cases, shapes, borders, equilibrium, gradients."""

import math

import pytest
import torch
from torch import nn

from algonets import equations as eq
from algonets.implicit import Picard, Unroll

SIDES = ((0, 1), (2, 1), (1, 0), (1, 2))  # above, below, left and right in a 3 x 3 stencil


def plane(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blank(stencils, image_stencils, hidden, iterations, **options):
    """Return an equation of 3 x 3 stencils with all weights zero."""
    net = eq.PDERefiner(
        1, 1, iterations, stencils=stencils, image_stencils=image_stencils, hidden=hidden, kernel_size=3, **options
    ).double()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net


def difference_stencils(weight, first=0):
    """Set stencils to the differences to the four neighbours."""
    for i, (y, x) in enumerate(SIDES):
        weight[first + i, 0, y, x], weight[first + i, 0, 1, 1] = 1, -1


@pytest.mark.parametrize("border", ["replicate", "circular", "zeros"])
def test_heat_is_a_special_case(border):
    """One stencil, the Laplacian, on the linear path."""
    net = blank(1, 1, 1, 4, border=border)
    with torch.no_grad():
        for y, x in SIDES:
            net.map_stencils.weight[0, 0, y, x] = 1
        net.map_stencils.weight[0, 0, 1, 1] = -4
        net.reaction.from_map.weight[2, 0] = 0.2  # stencil to the offset a_0
    u = plane(2, 1, 6, 7)
    expected = eq.heat(u[:, 0], 0.2, 4, border=border)
    torch.testing.assert_close(net(u, torch.zeros_like(u))[:, 0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("guided", [False, True])
def test_perona_malik_is_a_special_case(guided):
    """Four differences; a hidden unit exp(-x^2) of each is its conductance; the products do the rest."""
    contrast, rate = 0.4, 0.25
    net = blank(4, 4, 4, 5, activation=lambda x: torch.exp(-(x**2)))
    source = net.reaction.from_image if guided else net.reaction.from_map
    with torch.no_grad():
        difference_stencils(net.map_stencils.weight)
        difference_stencils(net.image_stencils.weight)
        for i in range(4):
            source.weight[i, i] = 1 / contrast
            net.reaction.from_hidden.weight[i, i] = rate
    u, guide = plane(2, 1, 6, 7), plane(2, 1, 6, 7, seed=1)
    law = eq.ExponentialConductance(contrast)
    expected = eq.perona_malik(u, law, rate, 5, guide=guide if guided else None)
    torch.testing.assert_close(net(u, guide), expected, rtol=0, atol=1e-13)


def test_contours_of_distances_are_a_special_case_by_weights_alone():
    """div(g grad u), as active contours for |grad u| = 1: products of the image's and the map's stencils."""
    rate = 0.2
    net = blank(5, 5, 4, 3)
    with torch.no_grad():
        difference_stencils(net.map_stencils.weight)
        for y, x in SIDES:
            net.map_stencils.weight[4, 0, y, x] = 1
        net.map_stencils.weight[4, 0, 1, 1] = -4
        slopes = {0: (1, 2, 1, 0), 1: (2, 1, 0, 1)}  # g_x, g_y as central differences
        for i, (y, x, v, w) in slopes.items():
            net.image_stencils.weight[i, 0, y, x], net.image_stencils.weight[i, 0, v, w] = 0.5, -0.5
        net.image_stencils.weight[2, 0, 1, 1] = 1
        # relu(+-slope) times the upwind difference: right, left, below, above
        for unit, (slope, sign, stencil) in enumerate(((0, 1, 3), (0, -1, 2), (1, 1, 1), (1, -1, 0))):
            net.reaction.from_image.weight[unit, slope] = sign
            net.reaction.from_hidden.weight[stencil, unit] = rate
        net.reaction.from_image.weight[4 + 4, 2] = rate  # g itself times the Laplacian
    u, g = plane(1, 1, 7, 6), plane(1, 1, 7, 6, seed=1).sigmoid()
    expected = u[0, 0]
    padded_g = eq.heat(g[0, 0], 0.1, 0)
    for _ in range(3):
        laplacian = (eq.heat(expected, 0.25, 1) - expected) * 4
        p = nn.functional.pad(expected[None, None], (1,) * 4, mode="replicate")[0, 0]
        above, below = p[:-2, 1:-1] - expected, p[2:, 1:-1] - expected
        left, right = p[1:-1, :-2] - expected, p[1:-1, 2:] - expected
        q = nn.functional.pad(padded_g[None, None], (1,) * 4, mode="replicate")[0, 0]
        gx, gy = (q[1:-1, 2:] - q[1:-1, :-2]) / 2, (q[2:, 1:-1] - q[:-2, 1:-1]) / 2
        slide = torch.where(gx > 0, gx * right, -gx * left) + torch.where(gy > 0, gy * below, -gy * above)
        expected = expected + rate * (padded_g * laplacian + slide)
    torch.testing.assert_close(net(u, g)[0, 0], expected, rtol=0, atol=1e-13)


class Contours(eq.AbstractReaction):
    """The pointwise formula of geodesic active contours: it divides, which no weights of the small MLP do exactly."""

    def __init__(self, rate, balloon):
        super().__init__()
        self.rate, self.balloon = rate, balloon

    def forward(self, stencils, prepared):
        """From 4 neighbours and the mixed derivative of u; from g and its two slopes."""
        above, below, left, right, mixed = stencils.unbind(2)
        g, gx, gy = prepared.unsqueeze(1).unbind(2)
        x, y = (right - left) / 2, (below - above) / 2
        bend = (right + left) * y**2 - 2 * x * y * mixed + (above + below) * x**2
        slide = gx.relu() * right + (-gx).relu() * left + gy.relu() * below + (-gy).relu() * above
        steep = sum(d.relu() ** 2 for d in (above, below, left, right))
        swell = self.balloon * g * ((steep + 1e-6).sqrt() - 1e-3)
        return self.rate * (g * bend / (x**2 + y**2 + 1e-6) + slide + swell)


def test_active_contours_are_a_special_case():
    net = blank(5, 3, 1, 6, reaction=Contours(0.2, 0.8))
    with torch.no_grad():
        difference_stencils(net.map_stencils.weight)
        for y, x, value in ((0, 0, 1), (2, 2, 1), (0, 2, -1), (2, 0, -1)):
            net.map_stencils.weight[4, 0, y, x] = value / 4
        net.image_stencils.weight[0, 0, 1, 1] = 1
        net.image_stencils.weight[1, 0, 1, 2], net.image_stencils.weight[1, 0, 1, 0] = 0.5, -0.5
        net.image_stencils.weight[2, 0, 2, 1], net.image_stencils.weight[2, 0, 0, 1] = 0.5, -0.5
    u, g = plane(2, 1, 7, 6), plane(2, 1, 7, 6, seed=1).sigmoid()
    expected = eq.geodesic_active_contours(u[:, 0], g[:, 0], 0.2, 6, balloon=0.8)
    torch.testing.assert_close(net(u, g)[:, 0], expected, rtol=0, atol=1e-12)


def test_default_size_and_an_untrained_equation_changes_nothing():
    net = eq.PDERefiner(1)
    assert sum(p.numel() for p in net.parameters()) == 7361
    u = torch.randn(2, 1, 9, 11)
    assert torch.equal(net(u, torch.rand(2, 3, 9, 11)), u)


def trained(seed=0, std=0.2, **options):
    torch.manual_seed(seed)
    net = eq.PDERefiner(3, 2, stencils=4, image_stencils=3, hidden=5, kernel_size=3, **options).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=std)
    return net


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (6, 7)])
def test_any_size_and_batch(size, per_class):
    net = trained(per_class=per_class, border="circular", iterations=2)
    u, image = plane(2, 4, 3, *size), plane(2, 4, 2, *size, seed=1)
    batch = net(u, image)
    assert batch.shape == u.shape
    torch.testing.assert_close(net(u[1, 2], image[1, 2]), batch[1, 2])
    torch.testing.assert_close(
        net(u, image[1, 2]), torch.stack([torch.stack([net(v, image[1, 2]) for v in w]) for w in u])
    )
    assert torch.equal(net.trajectory(u, image)[-1], batch) and torch.equal(net.trajectory(u, image)[0], u)


def test_classes_do_not_mix():
    """Shared weights: a permutation of the maps permutes the results. Own weights: each map has its equation."""
    u, image = plane(2, 3, 5, 6), plane(2, 2, 5, 6, seed=1)
    order = torch.tensor([2, 0, 1])
    shared, own = trained(), trained(per_class=True)
    torch.testing.assert_close(shared(u[:, order], image), shared(u, image)[:, order])
    assert not torch.allclose(own(u[:, order], image), own(u, image)[:, order])
    changed = u.clone()
    changed[:, 1] += 1
    same = own(changed, image) == own(u, image)
    assert same[:, [0, 2]].all() and not same[:, 1].any()


def test_shifted_images_give_shifted_maps():
    net = trained(border="circular")
    u, image = plane(3, 6, 7), plane(2, 6, 7, seed=1)
    torch.testing.assert_close(net(u.roll(2, -1), image.roll(2, -1)), net(u, image).roll(2, -1))


def test_gradients_of_the_parameters():
    net = trained(activation=nn.Tanh(), iterations=2)
    u, image = plane(3, 3, 4).requires_grad_(), plane(2, 3, 4, seed=1).requires_grad_()
    names, values = zip(*[(n, p.detach().requires_grad_()) for n, p in net.named_parameters()], strict=True)

    def run(u, image, *values):
        return torch.func.functional_call(net, dict(zip(names, values, strict=True)), (u, image))

    assert torch.autograd.gradcheck(run, (u, image, *values), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (u, image, *values), fast_mode=True)


def test_equilibrium_is_what_many_iterations_reach():
    net = trained(std=0.05, activation=nn.Tanh(), anchor=0.5, iterations=None)
    u, image = plane(2, 3, 5, 6), plane(2, 2, 5, 6, seed=1)
    solution = net.solve(u, image)
    assert solution.converged.all() and solution.converged.shape == (2,)
    torch.testing.assert_close(net.trajectory(u, image, 80)[-1], solution.value, rtol=0, atol=1e-8)
    torch.testing.assert_close(net(u, image), solution.value)


def test_gradients_through_the_equilibrium():
    gradients = []
    for backward in (None, Unroll()):
        net = trained(std=0.05, activation=nn.Tanh(), anchor=0.5, iterations=None, backward=backward, solver=Picard())
        u, image = plane(2, 3, 5, 6).requires_grad_(), plane(2, 2, 5, 6, seed=1)
        (net(u, image) ** 2).sum().backward()
        gradients.append([u.grad, *[p.grad for p in net.parameters()]])
    for implicit, unrolled in zip(*gradients, strict=True):
        torch.testing.assert_close(implicit, unrolled, rtol=1e-6, atol=1e-8)


def test_settings_are_checked():
    for options, text in (
        ({"kernel_size": 4}, "kernel_size.*odd, got 4"),
        ({"anchor": 1.5}, "anchor.*in .0, 1., got 1.5"),
        ({"iterations": None}, "anchor.*positive, got 0"),
        ({"stencils": 0}, "stencils.*at least 1, got 0"),
        ({"border": "mirror"}, "border.*one of"),
    ):
        with pytest.raises(ValueError, match=text):
            eq.PDERefiner(1, **options)
    with pytest.raises(TypeError, match=r"reaction.*AbstractReaction"):
        eq.PDERefiner(1, reaction=nn.Identity())
    with pytest.raises(ValueError, match=r"solve\(\).*anchor"):
        trained().solve(plane(3, 4, 4), plane(2, 4, 4))
    with pytest.raises(ValueError, match=r"trajectory.iterations.*must be given"):
        trained(iterations=None, anchor=0.1).trajectory(plane(3, 4, 4), plane(2, 4, 4))
    with pytest.raises(ValueError, match="finite"):
        trained()(torch.full((3, 4, 4), math.nan, dtype=torch.float64), plane(2, 4, 4))


def test_it_learns_a_diffusion_from_its_result():
    """Trained on pairs, the equation finds the heat equation's blur."""
    torch.manual_seed(0)
    net = eq.PDERefiner(1, 1, 3, stencils=4, image_stencils=1, hidden=4, kernel_size=3)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(200):
        u = torch.randn(8, 1, 10, 10)
        loss = (net(u, torch.zeros_like(u)) - eq.heat(u, 0.2, 3)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01 * (u - eq.heat(u, 0.2, 3)).square().mean().item()
