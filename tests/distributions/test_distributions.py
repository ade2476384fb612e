"""What holds for every family, and each family against SciPy and the golden vectors."""

import math

import hypothesis.strategies as some
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings

from algonets import distributions
from algonets.distributions import ALL, Exponential, Gamma, Gaussian, Laplace, Levy, Logistic, Reciprocal
from tests.distributions.families import F64, SCIPY, every_family, smooth_points, t
from tests.golden import assert_close, select

# ---- against others


FAMILIES = {
    "uniform": "Uniform",
    "cubic_hermite": "CubicHermite",
    "wigner_semicircle": "WignerSemicircle",
    "gumbel_max": "GumbelMax",
    "gumbel_min": "GumbelMin",
    "exponential_rev": "ExponentialReversed",
    "gamma_rev": "GammaReversed",
    "levy_rev": "LevyReversed",
}


@pytest.mark.parametrize("case", select("gendr", "cdf"))
def test_golden(case):
    meta = case.meta
    family = getattr(distributions, FAMILIES.get(meta["family"], meta["family"].capitalize()))
    extra = {name: meta[name] for name in ("shape", "shift") if meta[name] is not None}
    law = family(meta["scale"], **extra)
    z = case.inputs["distance"].clone().requires_grad_()
    x = z * z.abs() if meta["squared"] else z
    cdf = law.cdf(x)
    (slope,) = torch.autograd.grad(cdf.sum(), z)
    assert_close(cdf, case.outputs["cdf"], case.tol)
    assert_close(law.pdf(x), case.outputs["pdf"], 10 * case.tol)
    assert_close(slope, case.outputs["dcdf_ddistance"], 10 * case.tol)


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_scipy(name, scale):
    law, reference = getattr(distributions, name)(scale), SCIPY[name]
    u = torch.cat([torch.linspace(-3, 3, 62, dtype=F64), t(-700, -60, -20, 20, 60, 700)])
    x = u * scale
    scaled = x.numpy() / scale
    with np.errstate(all="ignore"):
        for ours, theirs in [
            (law.cdf(x), reference.cdf(scaled)),
            (law.survival(x), reference.sf(scaled)),
            (law.pdf(x) * scale, reference.pdf(scaled)),
        ]:
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-11, atol=1e-300)
        for ours, theirs in [
            (law.log_survival(x).numpy(), reference.logsf(scaled)),
            (law.log_cdf(x).numpy(), reference.logcdf(scaled)),
        ]:
            # Some of SciPy's logs underflow to -inf inside the support.
            held = np.isfinite(theirs) & (theirs > -690)
            np.testing.assert_allclose(ours[held], theirs[held], rtol=1e-11, atol=1e-300)
    q = torch.cat([torch.logspace(-14, -1, 27, dtype=F64), torch.linspace(0.1, 0.9, 17, dtype=F64)])
    np.testing.assert_allclose(law.quantile(q).numpy(), reference.ppf(q.numpy()) * scale, rtol=1e-12, atol=1e-14)
    low, high = (float(end) for end in law.support)
    assert (low, high) == tuple(end * scale for end in reference.support())
    np.testing.assert_allclose(float(law.mean), reference.mean() * scale, atol=1e-14)


@pytest.mark.parametrize("shape", [0.1, 0.5, 1.0, 1.5, 10.0, 200.0])
def test_gamma_of_any_shape(shape):
    law, reference = Gamma(shape=shape), scipy.stats.gamma(shape)
    q = torch.cat([torch.logspace(-14, -0.1, 40, dtype=F64), 1 - torch.logspace(-14, -1, 20, dtype=F64)])
    np.testing.assert_allclose(law.quantile(q).numpy(), reference.ppf(q.numpy()), rtol=1e-12)
    # SciPy's own logsf loses digits once its survival function underflows, hence the modest tolerance.
    x = torch.linspace(0.1, 6 * shape + 2000, 50, dtype=F64)
    with np.errstate(all="ignore"):
        theirs = reference.logsf(x.numpy())
    held = np.isfinite(theirs) & (reference.sf(x.numpy()) > 1e-290)
    np.testing.assert_allclose(law.log_survival(x).numpy()[held], theirs[held], rtol=1e-10)
    assert law.log_survival(x).isfinite().all()


def test_relations_between_families():
    x = torch.linspace(-3, 5, 41, dtype=F64)
    torch.testing.assert_close(Gamma(0.7, shape=1.0).cdf(x), Exponential(0.7).cdf(x))
    torch.testing.assert_close(Gamma(shape=2.5, shift=1.0).cdf(x), Gamma(shape=2.5).cdf(x + 1))
    torch.testing.assert_close(Levy(2.0, shift=0.5).cdf(x), Levy(2.0).cdf(x + 1))
    torch.testing.assert_close(Reciprocal(2 / 3.0).cdf(x), 0.5 + 3 * x / (2 * (2 + (3 * x).abs())))


# ---- consistency


@every_family
def test_quantile_inverts_cdf(family):
    x = smooth_points(family)
    law = family(0.3)
    torch.testing.assert_close(law.quantile(law.cdf(0.3 * x)), 0.3 * x, rtol=1e-9, atol=1e-12)
    for dtype in (torch.float32, F64):
        q = torch.linspace(0, 1, 101, dtype=dtype)
        assert (law.cdf(law.quantile(q)) - q).abs().max() < 8 * torch.finfo(dtype).eps
    low, high = (float(end) for end in law.support)
    torch.testing.assert_close(law.quantile(t(0, 1)), t(low, high))
    assert law.quantile(t(-0.1, 1.1, math.nan)).isnan().all()


@every_family
def test_derivatives_fit_together(family):
    scale = t(0.4)[0].requires_grad_()
    x = (0.4 * smooth_points(family)).requires_grad_()
    law = family(scale)
    (slope,) = torch.autograd.grad(law.cdf(x).sum(), x)
    torch.testing.assert_close(slope, law.pdf(x))
    (slope,) = torch.autograd.grad(law.pdf(x).log().sum(), x)
    torch.testing.assert_close(slope, law.score(x))
    torch.testing.assert_close(law.cdf(x).log(), law.log_cdf(x))
    torch.testing.assert_close(law.survival(x).log(), law.log_survival(x))
    torch.testing.assert_close(law.cdf(x) + law.survival(x), torch.ones_like(x))
    # F(x / s): dF/ds = -x f(x) / s.
    slopes = torch.stack([torch.autograd.grad(v, scale, retain_graph=True)[0] for v in law.cdf(x)])
    torch.testing.assert_close(slopes, -x * law.pdf(x) / scale)


@every_family
def test_gradcheck(family):
    x = smooth_points(family).requires_grad_()
    scale = torch.ones_like(x).requires_grad_()
    for method in ("cdf", "survival", "pdf", "log_survival", "log_cdf", "score"):

        def value(x, s, method=method):
            return getattr(family(s), method)(x)

        assert torch.autograd.gradcheck(value, (x, scale), atol=1e-5)
        assert torch.autograd.gradgradcheck(value, (x, scale), atol=1e-4, rtol=1e-3)
    q = torch.linspace(0.06, 0.9, 5, dtype=F64).requires_grad_()
    assert torch.autograd.gradcheck(lambda q, s: family(s).quantile(q), (q, scale[:5].detach().requires_grad_()))
    assert torch.autograd.gradgradcheck(lambda q: family(0.5).quantile(q), (q,), atol=1e-4, rtol=1e-3)


@every_family
def test_symmetry(family):
    x = torch.cat([torch.linspace(-3, 3, 25, dtype=F64), t(1e3)])
    law = family(0.7)
    assert law.symmetric == torch.allclose(law.cdf(-x), 1 - law.cdf(x), atol=1e-12)
    if law.symmetric:
        assert torch.equal(law.cdf(t(0.0, -0.0)), t(0.5, 0.5))
        assert torch.equal(law.pdf(x), law.pdf(-x))


@settings(max_examples=40, deadline=None)
@given(x=some.lists(some.floats(-1e6, 1e6, width=32), min_size=2, max_size=8), scale=some.floats(1e-3, 1e3))
def test_cdf_is_monotone_and_in_range(x, scale):
    for dtype in (torch.float32, F64):
        points = torch.tensor(sorted(x), dtype=dtype)
        for family in ALL:
            cdf = family(scale).cdf(points)
            assert ((cdf >= 0) & (cdf <= 1)).all()
            assert (cdf.diff() >= -4 * torch.finfo(dtype).eps).all(), family.__name__
            assert (family(scale).pdf(points) >= 0).all()


# ---- edges


@every_family
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_no_nan_anywhere(family, dtype):
    info = torch.finfo(dtype)
    edges = [0.0, -0.0, 0.25, 1.0, 1.0 + info.eps, 1.0 - info.eps, info.tiny, 1e-20, 1e-6, 0.5, 3.0, 7.5, 60.0, 110.0]
    edges += [800.0, 1e5, 1e15, 1e25, info.max, math.inf]
    x = torch.tensor(edges + [-e for e in edges], dtype=dtype)
    everything = ("cdf", "survival", "pdf", "log_survival", "log_cdf", "score")
    # A density at a vanishing scale overflows; the soft step must not mind.
    methods = {info.tiny: everything[:2], 1e-20: everything[:2], 1e-3: everything, 1.0: everything, 1e10: everything}
    for size, names in methods.items():
        for method in names:
            # The score of a one-sided law grows like 1 / x^2 at its end, and its slope overflows there.
            point = (x[x.abs() > 1e-8] if method == "score" else x).clone().requires_grad_()
            scale = torch.full_like(point, size).requires_grad_()
            value = getattr(family(scale), method)(point)
            slopes = torch.autograd.grad(value.sum(), (point, scale), create_graph=True)
            assert not value.isnan().any(), method
            for slope, name in zip(slopes, ("x", "scale"), strict=True):
                assert not slope.isnan().any(), (method, size, name, point[slope.isnan()])
            if method == "cdf" and size >= 1e-3:
                (second,) = torch.autograd.grad(slopes[0].sum(), point, materialize_grads=True)
                assert not second.isnan().any(), (size, x[second.isnan()])


@every_family
def test_hard_limit(family):
    for dtype in (torch.float32, F64):
        x = t(-math.inf, -2, -1e-3, 0, 1e-3, 2, math.inf, dtype=dtype)
        step = (x > 0).to(dtype)
        step[3] = family().cdf(t(0.0, dtype=dtype))[0]
        for scale in (1e-30, 1e-300, torch.tensor(1e-30, dtype=dtype)):
            torch.testing.assert_close(family(scale).cdf(x), step, rtol=0, atol=1e-13)


@every_family
def test_infinity_nan_and_empty(family):
    law = family(0.5)
    x = t(-math.inf, math.inf, math.nan)
    assert torch.equal(law.cdf(x)[:2], t(0, 1))
    assert torch.equal(law.survival(x)[:2], t(1, 0))
    assert torch.equal(law.pdf(x)[:2], t(0, 0))
    assert torch.equal(law.log_survival(x)[:2], t(0, -math.inf))
    assert torch.equal(law.log_cdf(x)[:2], t(-math.inf, 0))
    for method in ("cdf", "survival", "pdf", "log_survival", "log_cdf", "score", "quantile"):
        assert getattr(law, method)(x)[2].isnan()
        assert getattr(law, method)(torch.empty(0, 3)).shape == (0, 3)
    assert law.sample((0, 2)).shape == (0, 2)


def test_far_tails():
    x = t(10, 40, 49, 51, 1e3, 1e100)
    expected = torch.from_numpy(scipy.stats.norm.logsf(x.numpy()))
    torch.testing.assert_close(Gaussian().log_survival(x), expected, rtol=1e-13, atol=0)
    assert torch.equal(Logistic().log_survival(t(1e4)), t(-1e4))
    torch.testing.assert_close(Laplace(2.0).log_survival(t(4e5)), t(-2e5 - math.log(2)))
    far = t(2000.0)
    for family in (distributions.GumbelMax, distributions.Gudermannian, Exponential):
        torch.testing.assert_close(family().log_survival(far), -far, rtol=1e-3, atol=0)
        torch.testing.assert_close(family().log_survival(far.float()), -far.float(), rtol=1e-3, atol=0)
    torch.testing.assert_close(Levy().log_cdf(t(1e-4)), t(math.log(2) + scipy.stats.norm.logsf(100.0)))


@every_family
def test_float32_is_accurate_in_the_tails(family):
    size = torch.logspace(-6, 1.8, 150)
    u = torch.cat([-size, size, 1 - size[:100], size[:100] - 1])
    for method in ("cdf", "survival", "pdf", "log_survival", "log_cdf"):
        narrow, wide = (getattr(family(), method)(v) for v in (u, u.double()))
        held = wide.abs() > 1e-34
        torch.testing.assert_close(narrow.double()[held], wide[held], rtol=3e-5, atol=0)


@pytest.mark.parametrize(
    "name", ["Exponential", "ExponentialReversed", "Gamma", "GammaReversed", "Levy", "LevyReversed"]
)
def test_shift(name):
    family = getattr(distributions, name)
    shift, x = t(0.4)[0].requires_grad_(), t(-1.0, -0.1, 0.05, 0.6)
    (slope,) = torch.autograd.grad(family(2.0, shift=shift).cdf(x).sum(), shift)
    sign = -1 if name.endswith("Reversed") else 1
    torch.testing.assert_close(slope, sign * 2 * family(2.0, shift=0.4).pdf(x).sum())
    moved = family(2.0, shift=0.4)
    torch.testing.assert_close(moved.cdf(x), family(2.0).cdf(x + sign * 0.8))
    torch.testing.assert_close(moved.quantile(t(0.3)), family(2.0).quantile(t(0.3)) - sign * 0.8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_family
def test_half_types(family, dtype):
    x = smooth_points(family).to(dtype)
    law = family(torch.tensor(0.5))
    assert law.cdf(x).dtype == dtype
    torch.testing.assert_close(law.cdf(x), law.cdf(x.float()).to(dtype))
    assert law.sample(3, dtype=dtype).dtype == dtype
    assert law.quantile(law.cdf(x)).dtype == dtype
