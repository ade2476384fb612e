"""What holds for every t-conorm, and each against the golden vectors."""

import math
import pickle

import hypothesis.strategies as some
import pytest
import torch
from hypothesis import given, settings

from algonets import tconorms
from algonets.tconorms import (
    AczelAlsina,
    ArchimedeanTConorm,
    Dombi,
    Einstein,
    Frank,
    Hamacher,
    Max,
    Probabilistic,
    SchweizerSklar,
    Yager,
)
from tests.golden import assert_close, select

F64 = torch.float64
SOME = [
    Max(),
    Probabilistic(),
    Einstein(),
    *map(Hamacher, (0.0, 0.5, 1.0, 2.0, 10.0)),
    *map(Frank, (0.01, 0.5, 2.0, 1e6)),
    *map(Yager, (0.5, 1.0, 2.0, 30.0)),
    *map(AczelAlsina, (0.5, 1.0, 2.0, 30.0)),
    *map(Dombi, (0.5, 1.0, 2.0, 30.0)),
    *map(SchweizerSklar, (-0.5, -2.0, -30.0)),
]
every = pytest.mark.parametrize("s", SOME, ids=repr)
archimedean = pytest.mark.parametrize("s", [s for s in SOME if isinstance(s, ArchimedeanTConorm)], ids=repr)
FAMILIES = {"aczel_alsina": "AczelAlsina", "schweizer_sklar": "SchweizerSklar"}


def t(*values, dtype=F64):
    return torch.tensor(values, dtype=dtype)


def random_values(*shape, seed=0, dtype=F64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def slopes(s, values):
    values = values.clone().requires_grad_()
    return torch.autograd.grad(s.reduce(values).sum(), values)[0]


@pytest.mark.parametrize("case", select("gendr", "tconorm"))
def test_golden(case):
    meta = case.meta
    family = getattr(tconorms, FAMILIES.get(meta["family"], meta["family"].capitalize()))
    s = family() if meta["p"] is None else family(meta["p"])
    v = case.inputs["v"].clone().requires_grad_()
    fold = s.reduce(v)
    case.check_outputs({"fold": fold})
    case.check_grads({"fold": fold}, {"v": v})
    left = torch.zeros(len(v), dtype=F64)
    for column in v.unbind(-1):
        left = s(left, column)
    assert_close(left, case.outputs["fold"], case.tol)


# ---- axioms


unit = some.floats(0, 1, width=32) | some.sampled_from([0.0, 1.0])


@settings(max_examples=150, deadline=None)
@given(x=some.tuples(unit, unit, unit), s=some.sampled_from(SOME))
def test_axioms(x, s):
    a, b, c = t(*x)
    near = {"rtol": 1e-6, "atol": 1e-9}
    torch.testing.assert_close(s(a, b), s(b, a))
    torch.testing.assert_close(s(s(a, b), c), s(a, s(b, c)), **near)
    torch.testing.assert_close(s(s(a, b), c), s.reduce(torch.stack([a, b, c])), **near)
    assert s(a, t(0.0)[0]) == a and s(t(0.0)[0], a) == a
    assert s(a, t(1.0)[0]) == 1 and s(t(1.0)[0], a) == 1
    assert torch.maximum(a, b) - 1e-12 <= s(a, b) <= 1
    low, high = torch.minimum(b, c), torch.maximum(b, c)
    assert s(a, low) <= s(a, high) + 1e-12
    torch.testing.assert_close(s.tnorm(a, b), 1 - s(1 - a, 1 - b), **near)
    assert s.tnorm(a, b) <= torch.minimum(a, b) + 1e-12
    torch.testing.assert_close(s.tnorm(a, t(1.0)[0]), a)
    torch.testing.assert_close(s.reduce_tnorm(t(*x)), s.tnorm(s.tnorm(a, b), c), **near)


@every
def test_reduce_is_a_left_fold(s):
    v = random_values(3, 7, 4) ** 3
    left = v[:, 0]
    for i in range(1, 7):
        left = s(left, v[:, i])
    torch.testing.assert_close(s.reduce(v, dim=1), left, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(s.reduce(v, dim=-2), left, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(s.reduce(v.movedim(1, -1)), left, rtol=1e-9, atol=1e-11)


def test_special_members_agree():
    v = random_values(20, 5, seed=1)
    equal = [
        (Hamacher(1.0), Probabilistic()),
        (Hamacher(2.0), Einstein()),
        (Hamacher(0.0), Dombi(1.0)),
        (SchweizerSklar(-1.0), Hamacher(0.0)),
        (AczelAlsina(1.0), Probabilistic()),
    ]
    for one, other in equal:
        torch.testing.assert_close(one.reduce(v), other.reduce(v))
        torch.testing.assert_close(slopes(one, v), slopes(other, v), rtol=1e-6, atol=1e-10)
    limits = [
        (Frank(1 + 1e-9), Probabilistic()),
        (SchweizerSklar(-1e-9), Probabilistic()),
        (Yager(1e6), Max()),
        (AczelAlsina(1e6), Max()),
        (Dombi(1e6), Max()),
        (SchweizerSklar(-1e6), Max()),
    ]
    for one, limit in limits:
        torch.testing.assert_close(one.reduce(v), limit.reduce(v), rtol=1e-5, atol=1e-5)
    a, b = v[:, 0], v[:, 1]
    torch.testing.assert_close(Yager(1.0)(a, b), (a + b).clamp_max(1.0))
    torch.testing.assert_close(Frank(3.0)(a, b) + Frank(3.0).tnorm(a, b), a + b)
    hamacher = a * b / (0.3 + 0.7 * (a + b - a * b))
    torch.testing.assert_close(Hamacher(0.3).tnorm(a, b), hamacher)


# ---- generators and gradients


@archimedean
def test_generator(s):
    v = random_values(50, seed=2).mul(0.98).add(0.01).requires_grad_()
    g = s.generator(v)
    (slope,) = torch.autograd.grad(g.sum(), v)
    torch.testing.assert_close(slope, s.generator_derivative(v), rtol=1e-7, atol=0)
    torch.testing.assert_close(s.generator_inverse(g), v, rtol=1e-8, atol=1e-12)
    assert (g.sort().values == g[v.argsort()]).all()
    assert s.generator(t(0.0)) == 0 and s.generator_inverse(t(0.0)) == 0
    rows = 0.05 + 0.5 * random_values(6, 3, seed=3)
    torch.testing.assert_close(s.generator_inverse(s.generator(rows).sum(-1)), s.reduce(rows), rtol=1e-8, atol=0)


@every
def test_gradcheck(s):
    v = (0.05 + 0.4 * random_values(3, 4, seed=4)).requires_grad_()
    for method in (s.reduce, s.reduce_tnorm, lambda v: s(v[0], v[1]), lambda v: s.tnorm(v[0], v[1])):
        assert torch.autograd.gradcheck(method, (v,), atol=1e-4)
    if s != Max():
        assert torch.autograd.gradgradcheck(s.reduce, (v,), atol=1e-3, rtol=1e-3)


@every
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_edges(s, dtype):
    many = random_values(1000, seed=5, dtype=dtype)
    tiny = torch.finfo(dtype).tiny
    rows = [many, many**8, 1e-30 * many, torch.zeros(1000, dtype=dtype), torch.ones(1000, dtype=dtype)]
    for edge in (0.0, 1.0, tiny, 1 - torch.finfo(dtype).eps / 2):
        rows.append(torch.cat([many[:999] ** 4, many.new_tensor([edge])]))
        rows.append(torch.cat([1e-6 * many[:998], many.new_tensor([edge, edge])]))
    v = torch.stack(rows).requires_grad_()
    value = s.reduce(v)
    assert not value.isnan().any() and (value >= v.amax(-1) * (1 - 1e-5)).all() and (value <= 1).all()
    assert (value[(v == 1).any(-1)] == 1).all() and value[3] == 0
    (slope,) = torch.autograd.grad(value.sum(), v)
    assert slope.isfinite().all()
    assert (slope >= 0).all()


@every
def test_neutral_and_absorbing_exactly(s):
    for dtype in (torch.float32, F64):
        lone = random_values(200, seed=6, dtype=dtype)
        v = torch.zeros(200, 5, dtype=dtype)
        v[:, 3] = lone
        assert torch.equal(s.reduce(v), lone)
        v[:, 1] = 1
        assert torch.equal(s.reduce(v), torch.ones(200, dtype=dtype))


@every
def test_slopes_at_the_edges(s):
    # At 1, the limit from below; by itself the slope of neutrality.
    assert slopes(s, t(1.0, 0.0))[0] == 1
    for alone in (t(0.7), t(0.0)):
        torch.testing.assert_close(slopes(s, alone), t(1.0), rtol=1e-9, atol=0)
    pair = slopes(s, t(0.7, 1.0))
    assert pair[0] == 0
    limits = {"Probabilistic": 0.3, "Einstein": 0.3 / 1.7, "Frank": None, "Hamacher": None, "Yager": 0.0}
    expected = limits.get(type(s).__name__, 1.0)
    if isinstance(s, Frank):
        expected = (s.p**0.3 - 1) / (s.p - 1)
    elif isinstance(s, Hamacher):
        expected = 0.3 / (s.p + (1 - s.p) * 0.3) if s.p else 1.0
    elif isinstance(s, AczelAlsina):
        expected = 0.0 if s.p < 1 else 0.3 if s.p == 1 else 1.0
    torch.testing.assert_close(pair[1].item(), expected)
    if not isinstance(s, AczelAlsina):  # its limit is reached only as a power of a logarithm
        torch.testing.assert_close(slopes(s, t(0.7, 1 - 1e-9))[1].item(), expected, rtol=1e-3, atol=1e-6)
    if s != Max():
        assert torch.equal(slopes(s, t(0.2, 1.0, 1.0)), t(0.0, 0.0, 0.0))
    if s == Max() or getattr(s, "p", 1) == 1 or not isinstance(s, Yager | AczelAlsina | Dombi):
        return
    assert torch.equal(slopes(s, t(0.0, 0.0)), t(1.0, 1.0))
    assert torch.equal(slopes(s, t(0.0, 0.5)), t(0.0, 1.0))


@pytest.mark.parametrize(
    "s", [Max(), Probabilistic(), AczelAlsina(0.5), AczelAlsina(3.0), SchweizerSklar(-2.0)], ids=repr
)
def test_log_survival(s):
    v = random_values(10, 4, seed=7)
    torch.testing.assert_close(-torch.expm1(s.reduce_log_survival(torch.log1p(-v))), s.reduce(v))
    # 1 - F far below rounding: the value alone would say 1.
    far = t(-300.0, -200.0, -1.0).requires_grad_()
    found = s.reduce_log_survival(far)
    assert -1100 < found <= -300 and found.isfinite()
    (slope,) = torch.autograd.grad(found, far)
    assert slope.isfinite().all() and slope[0] > 0
    certain = t(-1.0, -math.inf).requires_grad_()
    assert s.reduce_log_survival(certain) == -math.inf
    assert not torch.autograd.grad(s.reduce_log_survival(certain), certain)[0].isnan().any()
    assert torch.equal(s.reduce_log_survival(torch.empty(2, 0)), torch.zeros(2))


# ---- shapes, dtypes, transforms


@every
def test_empty_and_broadcast(s):
    assert torch.equal(s.reduce(torch.empty(2, 0)), torch.zeros(2))
    assert torch.equal(s.reduce_tnorm(torch.empty(2, 0)), torch.ones(2))
    assert s.reduce(torch.empty(0, 3)).shape == (0,)
    assert s(torch.rand(3, 1), torch.rand(4)).shape == (3, 4)
    strided = random_values(4, 6).t()[::2]
    torch.testing.assert_close(s.reduce(strided), s.reduce(strided.contiguous()))


@every
def test_half_types_and_nan(s):
    for dtype in (torch.float16, torch.bfloat16):
        v = random_values(3, 4).to(dtype)
        torch.testing.assert_close(s.reduce(v), s.reduce(v.float()).to(dtype))
    found = s.reduce(t([0.1, math.nan], [0.1, 0.2]))
    assert found[0].isnan() and not found[1].isnan()


@every
def test_transforms(s):
    v = 0.1 + 0.3 * random_values(5, 4)
    torch.testing.assert_close(torch.func.vmap(s.reduce)(v), s.reduce(v))
    rows = torch.func.vmap(torch.func.grad(s.reduce))(v)
    torch.testing.assert_close(rows, slopes(s, v))
    assert torch.func.hessian(s.reduce)(v[0]).isfinite().all()
    torch.compiler.reset()
    compiled = torch.compile(s.reduce, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(v), s.reduce(v))


# ---- objects and errors


@every
def test_identity(s):
    assert eval(repr(s), vars(tconorms)) == s
    assert pickle.loads(pickle.dumps(s)) == s
    assert hash(s) == hash(pickle.loads(pickle.dumps(s)))
    assert s != "s" and s != Yager(0.123)


def test_bad_parameters():
    for family in (Yager, AczelAlsina, Dombi, Frank, Hamacher, SchweizerSklar):
        for p in (math.nan, math.inf, 1.0 if family is SchweizerSklar else -1.0):
            with pytest.raises(ValueError, match=rf"{family.__name__}\(p=...\) must"):
                family(p)
        for p in ("1", None, True):
            with pytest.raises(TypeError, match=rf"{family.__name__}\(p=...\) must"):
                family(p)
    with pytest.raises(ValueError, match=r"Use Probabilistic\(\)"):
        Frank(1.0)
    for family in (Yager, AczelAlsina, Dombi):
        with pytest.raises(ValueError, match=r"Max\(\)"):
            family(0.0)


@every
def test_bad_input(s):
    for bad in (torch.tensor([1]), [0.5]):
        with pytest.raises(TypeError, match=type(s).__name__):
            s.reduce(bad)
        with pytest.raises(TypeError, match=type(s).__name__):
            s(bad, bad)
    with pytest.raises(TypeError, match="dtype of a"):
        s(torch.rand(2), torch.rand(2, dtype=F64))
    with pytest.raises(IndexError):
        s.reduce(torch.rand(2), dim=3)
