"""Heat, Perona-Malik and active contours: what the equations conserve, where they become unstable, known solutions."""

import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets import equations as eq

LAW = eq.ExponentialConductance(0.3)
BORDERS = ("replicate", "circular", "zeros")
EQUATIONS = {
    "heat": lambda u, border="replicate": eq.heat(u, 0.25, 7, border=border),
    "perona_malik": lambda u, border="replicate": eq.perona_malik(u, LAW, 0.25, 7, border=border),
    "guided": lambda u, border="replicate": eq.perona_malik(u, LAW, 0.25, 7, guide=(3 * u).sin(), border=border),
}


def plane(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", EQUATIONS)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000), st.sampled_from(BORDERS))
@settings(max_examples=40, deadline=None)
def test_mean_is_kept_and_nothing_leaves_the_range(name, height, width, seed, border):
    u = plane(2, height, width, seed=seed)
    after = EQUATIONS[name](u, border)
    low, high = u.amin(), u.amax()
    if border == "zeros":
        low, high = low.clamp_max(0), high.clamp_min(0)
    else:
        torch.testing.assert_close(after.mean((-2, -1)), u.mean((-2, -1)))
    assert after.shape == u.shape
    assert after.amin() >= low - 1e-12 and after.amax() <= high + 1e-12


@pytest.mark.parametrize(("border", "phase"), [("circular", 0.0), ("replicate", 0.5)])
def test_heat_of_a_wave_decays_as_the_theory_says(border, phase):
    """A wave is an eigenvector: a cosine around a circle; half-way between pixels at borders that reflect."""
    n, k, rate, steps = 16, 3, 0.2, 9
    turn = (2 if border == "circular" else 1) * math.pi * k / n
    wave = torch.cos(turn * (torch.arange(n, dtype=torch.float64) + phase)).expand(5, n)
    factor = 1 - rate * (2 - 2 * math.cos(turn))
    torch.testing.assert_close(eq.heat(wave, rate, steps, border=border), wave * factor**steps)


def test_heat_beyond_the_bound_explodes():
    """The bound is tight: at 1/4 the finest ripples stay as they are, a little above they grow."""
    ripples = (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8)).double()
    assert eq.heat(ripples, 0.25, 50, border="circular").abs().max() == 1
    u = ripples
    for _ in range(50):
        sides = sum(u.roll(s, d) for s in (1, -1) for d in (0, 1))
        u = u + 0.26 * (sides - 4 * u)
    assert u.abs().max() > 10


def test_zeros_and_circular_borders():
    one = torch.tensor([[4.0]])
    assert eq.heat(one, 0.25, 1, border="zeros").item() == 0
    assert eq.heat(one, 0.25, 3, border="circular").item() == 4
    assert eq.heat(torch.tensor([[4.0, 0.0, 0.0]]), 0.25, 1, border="circular").tolist() == [[2.0, 1.0, 1.0]]


def test_perona_malik_is_heat_where_all_is_flat_and_stops_at_edges():
    u = plane(6, 7)
    flat = eq.RationalConductance(1e9)
    torch.testing.assert_close(eq.perona_malik(u, flat, 0.2, 5), eq.heat(u, 0.2, 5))
    wall = torch.tensor([[0.0, 0.0, 100.0, 100.0]], dtype=torch.float64)
    assert torch.equal(eq.perona_malik(wall, eq.ExponentialConductance(0.5), 0.25, 1000), wall)
    noise = torch.tensor([[1.0, -1.0, 0.5, 2.0]], dtype=torch.float64)
    guided = eq.perona_malik(noise, eq.ExponentialConductance(0.5), 0.25, 500, guide=wall)
    torch.testing.assert_close(guided, torch.tensor([[0.0, 0.0, 1.25, 1.25]], dtype=torch.float64))


@pytest.mark.parametrize("law", [eq.ExponentialConductance, eq.RationalConductance])
def test_conductances(law):
    d = torch.linspace(-3, 3, 61, dtype=torch.float64)
    g = law(0.4)(d)
    torch.testing.assert_close(g, g.flip(0))
    assert ((g > 0) & (g <= 1)).all() and g[30] == 1 and (g[30:].diff() < 0).all()


def disc(radius, n=41):
    y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) - n // 2] * 2, indexing="ij")
    return radius - (x**2 + y**2).sqrt()


def radius_of(u):
    """Of the zero level along the middle row, between pixels."""
    row = u[u.shape[0] // 2, u.shape[1] // 2 :]
    i = int((row > 0).sum()) - 1
    return i + float(row[i] / (row[i] - row[i + 1]))


def test_a_circle_shrinks_as_the_theory_says():
    """Curvature flow: the radius obeys r' = -1 / r, so r^2 falls by 2 a unit of time."""
    shrunk = eq.geodesic_active_contours(disc(15.0), torch.ones(41, 41, dtype=torch.float64), 0.25, 200)
    assert radius_of(shrunk) == pytest.approx(math.sqrt(15**2 - 2 * 50), rel=0.01)


@pytest.mark.parametrize("balloon", [1.0, -1.0])
def test_a_balloon_moves_a_front_at_its_speed(balloon):
    front = (10 - torch.arange(30, dtype=torch.float64)).expand(5, 30)
    moved = eq.geodesic_active_contours(front, torch.ones_like(front), 0.2, 25, balloon=balloon)
    assert radius_of(torch.cat([moved[:, :1]] * 30 + [moved], 1)) == pytest.approx(10 + 5 * balloon, abs=0.01)


def test_contours_stop_at_edges():
    """A large circle shrinks onto a disc of radius 8 and stays; without the disc it vanishes."""
    image = (disc(8.0) > 0).double()[None]
    edges = eq.edge_map(eq.heat(image, 0.2, 1), 0.05)
    layer = eq.GeodesicActiveContours(0.25, 600, balloon=-0.3)
    found = layer(disc(17.0), edges) > 0
    inside = image[0] > 0
    assert (found & inside).sum() / (found | inside).sum() > 0.93
    assert (layer(disc(17.0), torch.ones_like(edges)) > 0).sum() == 0


def test_symmetries_of_active_contours():
    u, g = plane(9, 9), plane(9, 9, seed=1).sigmoid()
    step = lambda u, g: eq.geodesic_active_contours(u, g, 0.2, 3, balloon=0.7)  # noqa: E731
    torch.testing.assert_close(step(u + 5, g), step(u, g) + 5)
    torch.testing.assert_close(step(u.rot90(), g.rot90()), step(u, g).rot90())
    torch.testing.assert_close(step(u.flip(0), g.flip(0)), step(u, g).flip(0))
    assert torch.equal(step(u, torch.zeros_like(g)), u)


@given(st.integers(0, 1000), st.floats(-2, 2))
@settings(max_examples=20, deadline=None)
def test_active_contours_are_stable_at_the_bound(seed, balloon):
    u, g = plane(7, 8, seed=seed), plane(7, 8, seed=seed + 1).sigmoid()
    after = eq.geodesic_active_contours(u, g, 1 / (3 + 2 * abs(balloon)), 300, balloon=balloon)
    assert after.abs().max() < 1.5 * u.abs().max()


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (eq.Heat, 0.25),
        (lambda rate: eq.PeronaMalik(LAW, rate), 0.25),
        (eq.GeodesicActiveContours, 1 / 3),
        (lambda rate: eq.GeodesicActiveContours(rate, balloon=-1.0), 0.2),
        (lambda rate: eq.heat(torch.ones(2, 2), rate), 0.25),
        (lambda rate: eq.heat(torch.ones(2, 2), torch.tensor(rate)), 0.25),
    ],
)
def test_rates_beyond_the_bound_are_refused(make, bound):
    make(bound)
    for wrong in (bound * 1.01, 0.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=f"at most the stability bound {bound:g}, got"):
            make(wrong)


def test_settings_are_checked():
    with pytest.raises(TypeError, match=r"rate.*must be a number or a tensor"):
        eq.Heat("fast")
    with pytest.raises(ValueError, match=r"iterations.*at least 0"):
        eq.Heat(iterations=-1)
    with pytest.raises(ValueError, match=r"border.*must be one of"):
        eq.Heat(border="mirror")
    with pytest.raises(TypeError, match=r"conductance.*AbstractConductance"):
        eq.PeronaMalik(lambda d: d)
    with pytest.raises(ValueError, match=r"contrast.*must be positive"):
        eq.ExponentialConductance(0.0)
    with pytest.raises(ValueError, match=r"balloon.*finite"):
        eq.GeodesicActiveContours(balloon=math.inf)
    with pytest.raises(TypeError, match=r"balloon.*must be a number"):
        eq.GeodesicActiveContours(balloon="1")


@pytest.mark.parametrize("border", BORDERS)
def test_gradients(border):
    u, v = plane(2, 3, 4).requires_grad_(), plane(2, 3, 4, seed=1).requires_grad_()
    rate = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    law = eq.RationalConductance(0.8)
    for function, args in (
        (lambda u, r: eq.heat(u, r, 3, border=border), (u, rate)),
        (lambda u, v, r: eq.perona_malik(u, law, r, 3, guide=v, border=border), (u, v, rate)),
        (lambda u, r: eq.perona_malik(u, law, r, 3, border=border), (u, rate)),
        (lambda u, v, r: eq.geodesic_active_contours(u, v.sigmoid(), r, 2, balloon=0.9, border=border), (u, v, rate)),
    ):
        assert torch.autograd.gradcheck(function, args)
        assert torch.autograd.gradgradcheck(function, args, fast_mode=True)


def test_modules_equal_functions_and_pickle():
    u, g = plane(2, 5, 6), plane(5, 6, seed=1).sigmoid()
    for module, expected in (
        (eq.Heat(0.1, 3, "circular"), eq.heat(u, 0.1, 3, border="circular")),
        (eq.PeronaMalik(LAW, 0.1, 3, "zeros"), eq.perona_malik(u, LAW, 0.1, 3, border="zeros")),
    ):
        assert torch.equal(pickle.loads(pickle.dumps(module))(u), expected) and "rate=0.1" in repr(module)
    contours = eq.GeodesicActiveContours(0.1, 3, -0.5)
    assert torch.equal(contours(u, g), eq.geodesic_active_contours(u, g, 0.1, 3, balloon=-0.5))
    assert "balloon=-0.5" in repr(contours)
