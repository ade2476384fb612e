"""Semirings: their laws, closed forms by enumeration and SciPy, gradients, and edges."""

import itertools
import math
import pickle

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.semirings import (
    Boolean,
    Counting,
    Entropy,
    KMax,
    Log,
    MaxPlus,
    MinPlus,
    Sampling,
    Semiring,
    SoftMin,
    SparseMax,
)
from tests.golden import assert_close, select

SEMIRINGS = [
    Log(),
    MaxPlus(),
    MinPlus(),
    SoftMin(0.5),
    KMax(1),
    KMax(3),
    Counting(),
    Boolean(),
    Entropy(),
    Sampling(),
    SparseMax(),
]
SMOOTH = [Log(), SoftMin(0.5), Entropy(), SparseMax()]

each = pytest.mark.parametrize("s", SEMIRINGS, ids=repr)
# Scores on a coarse grid: ties are common and sums of them exact.
scores = hnp.arrays(np.float64, (3, 2, 4), elements=st.sampled_from([-math.inf, -2.5, -1.0, 0.0, 0.25, 1.0, 3.0]))


def normal(s: Semiring, x: torch.Tensor) -> torch.Tensor:
    """One representative of equal elements: what is impossible has no entropy."""
    return torch.where(x[..., :1] == -math.inf, s.full(s.zero, x.shape[:-1], x), x) if isinstance(s, Entropy) else x


def same(s: Semiring, a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(normal(s, a), normal(s, b), rtol=1e-12, atol=1e-12)


def elements(s: Semiring, x: np.ndarray) -> list[torch.Tensor]:
    """Three rows of elements that are sums already, so that the ones with event dimensions are not trivial."""
    return list(s.plus(s.lift(torch.from_numpy(x)), -2).unbind(0))


def plus(s: Semiring, *x: torch.Tensor) -> torch.Tensor:
    return s.plus(torch.stack(x), 0)


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# ---- laws ----------------------------------------------------------------------------------------------------


@each
@settings(max_examples=30, deadline=None)
@given(x=scores)
def test_plus_is_commutative_and_associative(s, x):
    a, b, c = elements(s, x)
    same(s, plus(s, a, b), plus(s, b, a))
    if not isinstance(s, SparseMax):
        same(s, plus(s, plus(s, a, b), c), plus(s, a, plus(s, b, c)))
        same(s, plus(s, plus(s, a, b), c), plus(s, a, b, c))


def test_sparse_max_is_not_associative():
    """As its docstring says: 1/3 for three zeros at once, 25/64 for two and then the third."""
    s, zero = SparseMax(), torch.zeros((), dtype=torch.float64)
    assert plus(s, zero, zero, zero).item() == pytest.approx(1 / 3, abs=1e-15)
    assert plus(s, plus(s, zero, zero), zero).item() == pytest.approx(25 / 64, abs=1e-15)


@each
@settings(max_examples=30, deadline=None)
@given(x=scores)
def test_times_is_a_monoid_and_distributes(s, x):
    a, b, c = elements(s, x)
    one = s.full(s.one, (4,), a)
    same(s, s.times(s.times(a, b), c), s.times(a, s.times(b, c)))
    same(s, s.times(a, one), a)
    same(s, s.times(one, a), a)
    same(s, s.times(a, plus(s, b, c)), plus(s, s.times(a, b), s.times(a, c)))
    same(s, s.times(plus(s, b, c), a), plus(s, s.times(b, a), s.times(c, a)))


@each
@settings(max_examples=30, deadline=None)
@given(x=scores)
def test_zero_is_neutral_for_plus_and_absorbs(s, x):
    a = elements(s, x)[0]
    zero = s.full(s.zero, (4,), a)
    same(s, plus(s, a, zero), a)
    same(s, plus(s, zero, a), a)
    same(s, s.times(a, zero), zero)
    same(s, s.times(zero, a), zero)


def test_entropy_zero_absorbs_exactly():
    s = Entropy()
    a = s.plus(s.lift(torch.zeros(4)), 0)
    assert s.lower(s.times(s.full(s.zero, (1,), a), a)) == 0


@each
def test_lift_of_forbidden_is_zero(s):
    lifted = s.lift(torch.tensor([-math.inf, 0.0], dtype=torch.float64))
    assert torch.equal(lifted[:1], s.full(s.zero, (1,), lifted))
    assert torch.equal(lifted[1:], s.full(s.one, (1,), lifted))


def test_full_without_a_batch():
    """As Boolean, KMax and Entropy do."""
    x = torch.zeros(2)
    assert KMax(2).full(KMax(2).one, (), x).shape == (2,) and Boolean().full(1.0, (), x).shape == ()
    assert Log().full(0.0, (), x).shape == ()


# ---- shapes --------------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_plus_over_a_dim_equals_slices(s, dim):
    x = s.lift(torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    whole = s.plus(x, dim)
    event = x.ndim - 3
    moved = x.movedim(dim if dim >= 0 else dim - event, 0).flatten(1, 2)
    assert whole.shape == (*[n for k, n in enumerate((2, 3, 4)) if k != dim % 3], *x.shape[3:])
    slices = [s.plus(moved[:, k], 0) for k in range(moved.shape[1])]  # no batch at all
    same(s, whole.flatten(0, 1), torch.stack(slices))
    same(s, whole, s.plus(x.transpose(0, 2).contiguous().transpose(0, 2), dim))


@each
def test_empty_batch(s):
    x = s.lift(torch.zeros(0, 4))
    assert s.plus(x, 1).shape == (0, *x.shape[2:]) and s.times(x, x).shape == x.shape


@each
def test_where_chooses_elements(s):
    a, b = s.lift(torch.tensor([1.0, 2.0])), s.lift(torch.tensor([-math.inf, 4.0]))
    chosen = s.where(torch.tensor([True, False]), a, b)
    assert torch.equal(chosen[0], a[0]) and torch.equal(chosen[1], b[1])


# ---- values --------------------------------------------------------------------------------------------------


def random_parts(seed: int, parts: int = 3, options: int = 4) -> torch.Tensor:
    x = torch.randn(parts, options, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x[0, 1] = -math.inf
    return x


def all_sums(x: torch.Tensor) -> torch.Tensor:
    """Scores of all structures that choose one option in each part."""
    return torch.stack([sum(choice) for choice in itertools.product(*x)])


def product_of_sums(s: Semiring, x: torch.Tensor) -> torch.Tensor:
    first, *rest = s.plus(s.lift(x), -1).unbind(0)
    for part in rest:
        first = s.times(first, part)
    return s.lower(first)


@pytest.mark.parametrize("k", [1, 2, 7, 48, 60])
def test_k_max_equals_sorting(k):
    x = random_parts(1)
    wanted = all_sums(x).sort(descending=True).values[:k]
    ours = product_of_sums(KMax(k), x)
    assert ours.shape == (k,)
    torch.testing.assert_close(ours[: len(wanted)], wanted)
    assert (ours[len(wanted) :] == -math.inf).all()


@pytest.mark.parametrize("seed", range(3))
def test_values_equal_enumeration(seed):
    x = random_parts(seed)
    sums = all_sums(x).numpy()
    wanted = {
        Log(): scipy.special.logsumexp(sums),
        Sampling(): scipy.special.logsumexp(sums),
        MaxPlus(): sums.max(),
        MinPlus(): sums[np.isfinite(sums)].min(),
        SoftMin(0.5): -0.5 * scipy.special.logsumexp(-sums[np.isfinite(sums)] / 0.5),
        Entropy(): scipy.stats.entropy(np.exp(sums)),
        Counting(): np.isfinite(sums).sum(),
        Boolean(): True,
    }
    for s, value in wanted.items():
        assert product_of_sums(s, x).item() == pytest.approx(value, abs=1e-12), s


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_entropy_equals_scipy(scale):
    x = scale * torch.randn(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    s = Entropy()
    wanted = scipy.stats.entropy(scipy.special.softmax(x.numpy(), 1), axis=1)
    np.testing.assert_allclose(s.lower(s.plus(s.lift(x), 1)).numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_counting_is_exact_in_large_numbers():
    s = Counting()
    letters = s.plus(s.lift(torch.zeros(26)), 0)
    total = s.full(s.one, (1,), letters)
    for _ in range(11):
        total = s.times(total, letters)
    assert int(total.item()) == 26**11


@pytest.mark.parametrize("temperature", [1e-2, 1e-4])
def test_soft_min_tends_to_the_minimum(temperature):
    x = torch.tensor([3.0, 2.0, 2.0, 5.0], dtype=torch.float64)
    gap = MinPlus().plus(x, 0) - SoftMin(temperature).plus(x, 0)
    assert gap.item() == pytest.approx(temperature * math.log(2), rel=1e-9)  # two tied minima


@pytest.mark.parametrize("case", select("estimators", "sparsemax"))
def test_sparse_max_equals_golden(case):
    """Its gradient is the peer's sparsemax, its value the optimum there, its Hessian the peer's gradient."""
    z = case.inputs["z"].clone().requires_grad_()
    value = SparseMax().plus(z, -1)
    (p,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    case.check_outputs({"p": p})
    case.check_grads({"p": p}, {"z": z})
    golden = case.outputs["p"]
    assert_close(value, (golden * case.inputs["z"]).sum(-1) - 0.5 * ((golden**2).sum(-1) - 1), case.tol)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float64, 5, elements=st.floats(-3, 3)))
def test_sparse_max_is_optimal(x):
    """No support gives more: the maximum over the simplex, by listing its faces."""
    best = -math.inf
    for size in range(1, 6):
        for support in itertools.combinations(x, size):
            p = np.array(support) - (sum(support) - 1) / size
            if (p >= 0).all():
                best = max(best, p @ support - 0.5 * (p @ p - 1))
    assert SparseMax().plus(torch.from_numpy(x), 0).item() == pytest.approx(best, abs=1e-12)


# ---- gradients -----------------------------------------------------------------------------------------------


def with_forbidden(s: Semiring):
    forbidden = torch.tensor([0, 0, -math.inf, 0, 0], dtype=torch.float64)
    return lambda x: s.lower(s.plus(s.lift(x + forbidden), -1))


def gradient_input() -> torch.Tensor:
    return torch.tensor([[0.3, -0.2, 0.9, 0.55, -3.0]], dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("s", SMOOTH, ids=repr)
def test_twice_differentiable(s):
    x = gradient_input()
    assert torch.autograd.gradcheck(with_forbidden(s), x)
    assert torch.autograd.gradgradcheck(with_forbidden(s), x)
    assert with_forbidden(s)(x).isfinite().all()


@pytest.mark.parametrize("s", [MaxPlus(), MinPlus(), KMax(3)], ids=repr)
def test_piecewise_linear(s):
    assert torch.autograd.gradcheck(with_forbidden(s), gradient_input())


@pytest.mark.parametrize("s", [MaxPlus(), MinPlus()], ids=repr)
def test_gradient_goes_to_the_first_of_several(s):
    x = leaf(1.0, 0.5, 1.0, 0.5, 1.0) if isinstance(s, MaxPlus) else leaf(1.0, 0.5, 1.0, 0.5, 2.0)
    s.plus(x, 0).backward()
    assert x.grad.tolist() == ([1.0, 0, 0, 0, 0] if isinstance(s, MaxPlus) else [0, 1.0, 0, 0, 0])


@pytest.mark.parametrize(
    "s",
    [
        *SMOOTH,
        MinPlus(),
        Sampling(),
        MaxPlus(),
        KMax(1),
    ],
    ids=repr,
)
def test_nothing_allowed_gives_zero_and_a_zero_gradient(s):
    """And the row beside it is not spoiled."""
    x = torch.tensor([[-math.inf] * 3, [0.0, 1.0, -math.inf]], dtype=torch.float64, requires_grad=True)
    y = s.plus(s.lift(x), 1)
    assert torch.equal(y[:1], s.full(s.zero, (1,), y)) and y[1].isfinite().any()
    live = torch.where(y.isfinite(), y, torch.zeros_like(y))
    for value in (live.sum(), y.sum()):
        (grad,) = torch.autograd.grad(value, x, retain_graph=True)
        assert (grad[0] == 0).all() and grad.isfinite().all(), grad


@pytest.mark.parametrize("s", SMOOTH, ids=repr)
def test_nothing_allowed_gives_a_zero_second_derivative(s):
    x = torch.tensor([[-math.inf] * 3, [0.0, 1.0, -math.inf]], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(s.plus(s.lift(x), 1).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    assert (second[0] == 0).all() and second.isfinite().all(), second


@pytest.mark.parametrize("s", [Counting(), Boolean()], ids=repr)
def test_counts_carry_no_gradient(s):
    assert not s.plus(s.lift(leaf(0.0, 1.0)), 0).requires_grad


# ---- objects and errors --------------------------------------------------------------------------------------


@each
def test_object(s):
    twin = pickle.loads(pickle.dumps(s))
    assert twin == s and hash(twin) == hash(s) and repr(twin) == repr(s)
    assert [other == s for other in SEMIRINGS].count(True) == 1 and s != 3
    assert eval(repr(s), globals()) == s


def test_repr_shows_the_arguments():
    shown = [repr(s) for s in (Log(), KMax(3), SoftMin(0.5), Sampling())]
    assert shown == ["Log()", "KMax(k=3)", "SoftMin(temperature=0.5)", "Sampling(generator=None)"]


def test_equal_objects_have_equal_hashes():
    assert SoftMin(1) == SoftMin(1.0)
    assert hash(SoftMin(1)) == hash(SoftMin(1.0))


def test_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Semiring()


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: KMax(0), ValueError, ["KMax(k)", "at least 1", "got 0"]),
        (lambda: KMax(-2), ValueError, ["KMax(k)", "got -2"]),
        (lambda: KMax(1.5), TypeError, ["KMax(k)", "integer", "float"]),
        (lambda: KMax(True), TypeError, ["KMax(k)", "integer", "bool"]),
        (lambda: SoftMin(0.0), ValueError, ["SoftMin(temperature)", "positive", "got 0.0", "MinPlus()"]),
        (lambda: SoftMin(-1.0), ValueError, ["SoftMin(temperature)", "got -1.0", "MinPlus()"]),
        (lambda: SoftMin(math.nan), ValueError, ["SoftMin(temperature)", "finite", "nan"]),
        (lambda: SoftMin(math.inf), ValueError, ["SoftMin(temperature)", "finite", "inf"]),
        (lambda: SoftMin("cold"), TypeError, ["SoftMin(temperature)", "number", "str"]),
        (lambda: Sampling(0), TypeError, ["Sampling(generator)", "torch.Generator", "int"]),
    ],
)
def test_error_says_what_is_wrong(build, error, words):
    with pytest.raises(error) as caught:
        build()
    assert all(word in str(caught.value) for word in words), caught.value
