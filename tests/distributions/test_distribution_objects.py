"""Samples of every family, transforms of torch, objects and their errors."""

import math
import pickle

import pytest
import torch

from algonets import distributions
from algonets.distributions import Exponential, Gamma, Gaussian, Levy, Logistic
from tests.distributions.families import F64, every_family, smooth_points, t

# ---- samples


@every_family
def test_samples_follow_the_cdf(family):
    law = family(0.6)
    generator = torch.Generator().manual_seed(7)
    for count in (500, 20_000):
        x = law.sample(count, generator=generator, dtype=F64).sort().values
        rank = torch.arange(1, count + 1, dtype=F64) / count
        distance = torch.maximum((law.cdf(x) - rank).abs(), (law.cdf(x) - rank + 1 / count).abs()).max()
        assert distance < 1.95 / math.sqrt(count)  # exceeded by one draw in a thousand
    again = law.sample((3, 4), generator=torch.Generator().manual_seed(1))
    assert torch.equal(again, law.sample((3, 4), generator=torch.Generator().manual_seed(1)))
    assert again.dtype == torch.float32 and again.isfinite().all()


def test_sample_is_reparameterised():
    scale = t(0.5, 2.0).requires_grad_()
    x = Gaussian(scale).sample((5, 2), generator=torch.Generator().manual_seed(0))
    assert x.dtype == F64
    (slope,) = torch.autograd.grad(x.sum(), scale)
    torch.testing.assert_close(slope, (x / scale).sum(0))


# ---- torch transforms


@every_family
def test_vmap_and_func(family):
    x = torch.stack([smooth_points(family), 0.9 * smooth_points(family)])
    law = family(0.8)
    for method in ("cdf", "log_survival", "score"):
        f = getattr(law, method)
        torch.testing.assert_close(torch.func.vmap(f)(x), f(x))
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(lambda v: law.cdf(v).sum()))(x), law.pdf(x))
    scale = t(0.7, 1.1)
    per_row = torch.func.vmap(lambda s, v: family(s).cdf(v))(scale, x)
    torch.testing.assert_close(per_row, family(scale[:, None]).cdf(x))
    twice = torch.func.grad(torch.func.grad(lambda s: family(s).cdf(x[0]).sum()))(scale[0])
    (once,) = torch.autograd.grad(family(s := scale[0].requires_grad_()).cdf(x[0]).sum(), s, create_graph=True)
    torch.testing.assert_close(twice, torch.autograd.grad(once, s)[0])


@every_family
def test_compiles_as_one_graph(family):
    torch.compiler.reset()
    law = family(0.8)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def both(x, scale):
        return law.cdf(x) + family(scale).log_survival(x)

    x, scale = smooth_points(family).requires_grad_(), t(0.5)[0].requires_grad_()
    expected = law.cdf(x) + family(scale).log_survival(x)
    found = both(x, scale)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(
        torch.autograd.grad(found.sum(), (x, scale)), torch.autograd.grad(expected.sum(), (x, scale)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


# ---- objects and errors


@every_family
def test_identity(family):
    law = family(scale=0.1)
    assert eval(repr(law), vars(distributions)) == law
    assert pickle.loads(pickle.dumps(law)) == law
    assert law == family(0.1) and hash(law) == hash(family(0.1))
    assert law != family(0.2) and law != "law"
    tensor = family(torch.tensor(0.1))
    assert tensor == family(torch.tensor(0.1)) and tensor != law and tensor != family(torch.tensor(0.2))
    assert pickle.loads(pickle.dumps(tensor)) == tensor


def test_repr():
    assert repr(Logistic(scale=0.1)) == "Logistic(scale=0.1)"
    assert repr(Gamma(2, shape=1.5)) == "Gamma(scale=2.0, shape=1.5, shift=0.0)"


@every_family
@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, torch.tensor([1.0, -1.0]), torch.tensor(math.nan)])
def test_bad_scale(family, scale):
    with pytest.raises(ValueError, match=rf"{family.__name__}\(scale=...\) must be positive and finite"):
        family(scale)


def test_bad_input():
    for scale in ("1", True, torch.tensor(1), None):
        with pytest.raises(TypeError, match="Logistic"):
            Logistic(scale)
    for x in (torch.tensor([1]), 1.0, torch.tensor([True])):
        with pytest.raises(TypeError, match=r"Logistic.cdf\(x\) must be"):
            Logistic().cdf(x)
    with pytest.raises(ValueError, match="shift"):
        Exponential(shift=math.inf)
    with pytest.raises(TypeError, match="shift"):
        Levy(shift="0")
    with pytest.raises(ValueError, match="shape"):
        Gamma(shape=0.0)
    with pytest.raises(TypeError, match="No gradient flows to it"):
        Gamma(shape=torch.tensor(2.0))
    with pytest.raises(TypeError, match="dtype"):
        Logistic().sample(3, dtype=torch.int64)
    with pytest.raises(ValueError, match="broadcasts"):
        Logistic(torch.ones(3)).sample((2, 4))
    with pytest.raises(TypeError):
        distributions.Distribution()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wigner_quantile_near_the_edge(dtype):
    """Where the root rounds to the edge of the support, the slope is still that of the law."""
    q = torch.tensor([1e-30, 1e-12], dtype=dtype, requires_grad=True)
    x = distributions.WignerSemicircle().quantile(q)
    (slope,) = torch.autograd.grad(x.sum(), q)
    torch.testing.assert_close(x, torch.full_like(x, -1.0), rtol=0, atol=1e-7)
    expected = math.pi / 2 / (0.5 * (12 * math.pi * q.detach().double()) ** (1 / 3))  # e ~ (6 * 2 pi q)^(1/3)
    torch.testing.assert_close(slope.double(), expected, rtol=1e-4, atol=0)
