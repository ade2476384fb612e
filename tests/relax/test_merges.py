"""What a relaxed call computes: the mean of two arms, all paths, samples; laws, scales, t-norms, modes."""

import itertools

import pytest
import torch

import algonets as an
from algonets.distributions import ALL, Cauchy, Exponential, Gaussian, Logistic, Uniform
from algonets.tconorms import Einstein, Hamacher, Max, Probabilistic

F64 = torch.float64


def t(*values, **options):
    return torch.tensor(values, dtype=F64, **options)


@an.relax
def pick(x, y):
    return x if x > y else y


@an.relax
def compare(x, y):
    return x > y, x >= y, x < y, x <= y, x == y, x != y


@an.relax
def two_steps(x, y):
    """Its paths rejoin, and what follows is not linear."""
    z = 0.0
    if x > 0:  # noqa: SIM108
        z = x
    else:
        z = y
    if z > 0.1:
        z = z * z
    if x > y:
        z = z + 1
    return z


@an.relax
def first_above(a, s):
    for i in range(len(a)):
        if a[i] > s:
            return i
    return -1


@an.relax
def count_while(x):
    n = 0
    while x > 0:
        x = x - 1
        n += 1
    return n


@pytest.mark.parametrize("family", ALL, ids=lambda f: f.__name__)
def test_every_law_decides(family):
    law = family(scale=0.7)
    x, y = t(0.3, -1.2, 0.5, 2.0), t(0.1, 0.4, 0.5, -0.3)
    d = x - y
    median = law.quantile(t(0.5))
    equal = 4 * law.cdf(median + d) * law.cdf(median - d)
    above, _, below, _, same, other = compare.soft(x, y, distribution=law)
    torch.testing.assert_close(above, law.cdf(d))
    torch.testing.assert_close(below, law.cdf(-d))
    torch.testing.assert_close(same, equal)
    torch.testing.assert_close(other, 1 - equal)
    torch.testing.assert_close(pick.soft(x, y, distribution=law), law.cdf(d) * x + (1 - law.cdf(d)) * y)


def test_hard_comparisons_differ_at_ties():
    x = t(1.0, 2.0, 1.0)
    y = t(1.0, 1.0, 2.0)
    above, at_least, below, at_most, same, other = compare(x, y)
    assert above.tolist() == [False, True, False] and at_least.tolist() == [True, True, False]
    assert below.tolist() == [False, False, True] and at_most.tolist() == [True, False, True]
    assert same.tolist() == [True, False, False] and other.tolist() == [False, True, True]


@pytest.mark.parametrize("law", [Logistic(0.3), Cauchy(0.2), Gaussian(0.5), Uniform(2.0)], ids=repr)
def test_paths_are_all_paths(law):
    x, y = t(0.3, -0.2, 0.5), t(0.1, 0.4, -0.6)
    expected = torch.zeros(3, dtype=F64)
    for first, second, third in itertools.product([True, False], repeat=3):
        z = x if first else y
        p = law.cdf(x) if first else law.cdf(-x)
        q = law.cdf(z - 0.1)
        p = p * (q if second else 1 - q)
        r = law.cdf(x - y)
        p = p * (r if third else 1 - r)
        z = z * z if second else z
        expected += p * (z + 1 if third else z)
    found = two_steps.soft(x, y, distribution=law, merge="paths", epsilon=0.0)
    torch.testing.assert_close(found, expected)


def test_paths_and_mean_agree_where_nothing_rejoins():
    a, s = torch.randn(4, 5, dtype=F64), torch.randn(4, dtype=F64)
    mean = first_above.soft(a, s, distribution=Logistic(0.5), epsilon=0.0)
    paths = first_above.soft(a, s, distribution=Logistic(0.5), merge="paths", epsilon=0.0)
    p = torch.sigmoid((a - s[:, None]) / 0.5)
    left, expected = torch.ones(4, dtype=F64), torch.zeros(4, dtype=F64)
    for i in range(5):
        expected = expected + i * left * p[:, i]
        left = left * (1 - p[:, i])
    torch.testing.assert_close(mean, expected - left)
    torch.testing.assert_close(paths, expected - left)


def test_too_many_paths_say_so():
    with pytest.raises(an.relax.UnreachedPathsError, match="max_paths=8"):
        first_above.soft(torch.randn(2, 9), torch.zeros(2), distribution=Logistic(5.0), merge="paths", max_paths=8)


@pytest.mark.parametrize("function", [two_steps, pick])
def test_samples_tend_to_paths(function):
    x, y = t(0.3, -0.2).requires_grad_(), t(0.1, 0.4).requires_grad_()
    law = Logistic(0.4)
    exact = function.soft(x, y, distribution=law, merge="paths")
    wanted = torch.autograd.grad(exact.sum(), [x, y])
    errors = []
    for samples in (400, 40_000):
        generator = torch.Generator().manual_seed(0)
        found = function.soft(x, y, distribution=law, merge="sample", samples=samples, generator=generator)
        got = torch.autograd.grad(found.sum(), [x, y])
        gaps = [found - exact, *(g - w for g, w in zip(got, wanted, strict=True))]
        errors.append(max(float(g.detach().abs().max()) for g in gaps))
    assert errors[1] < 0.02 and errors[1] < errors[0]


def test_samples_of_a_loop():
    x = t(2.5, -0.3).requires_grad_()
    generator = torch.Generator().manual_seed(1)
    exact = count_while.soft(x, distribution=Logistic(0.3), merge="paths")
    found = count_while.soft(x, distribution=Logistic(0.3), merge="sample", samples=20_000, generator=generator)
    torch.testing.assert_close(found, exact, atol=0.03, rtol=0)
    (wanted,), (got,) = torch.autograd.grad(exact.sum(), x), torch.autograd.grad(found.sum(), x)
    torch.testing.assert_close(got, wanted, atol=0.05, rtol=0)


@an.relax
def conjunctions(x, y, z):
    return x > 0 and y > 0 and z > 0, x > 0 or y > 0, not x > 0, all([x > 0, y > 0]), any([x > 0, y > 0])


@pytest.mark.parametrize("tconorm", [Probabilistic(), Einstein(), Hamacher(0.3), Max()], ids=repr)
def test_logic_is_the_t_norm(tconorm):
    x, y, z = t(0.3, -0.2), t(0.1, 0.4), t(0.2, 0.9)
    p, q, r = (torch.sigmoid(v) for v in (x, y, z))
    both, either, no, every, some = conjunctions.soft(x, y, z, distribution=Logistic(1.0), conjunction=tconorm)
    torch.testing.assert_close(both, tconorm.tnorm(tconorm.tnorm(p, q), r))
    torch.testing.assert_close(either, tconorm(p, q))
    torch.testing.assert_close(no, 1 - p)
    torch.testing.assert_close(every, tconorm.tnorm(p, q))
    torch.testing.assert_close(some, tconorm(p, q))


@an.relax
def with_scales(x, s):
    a = x > 0
    with an.relax.scale(2.0):
        b = x > 0
        with an.relax.scale(s):
            c = x > 0
    d = x > 0
    return a, b, c, d


def test_scale_of_some_statements():
    x, s = t(0.3, -0.2), t(0.5, 3.0).requires_grad_()
    a, b, c, d = with_scales.soft(x, s, distribution=Cauchy(0.7))
    torch.testing.assert_close(a, Cauchy(0.7).cdf(x))
    torch.testing.assert_close(b, Cauchy(2.0).cdf(x))
    torch.testing.assert_close(c, Cauchy(s).cdf(x))
    torch.testing.assert_close(d, a)
    assert torch.autograd.grad(c.sum(), s)[0].abs().min() > 0
    assert with_scales(x, s)[0].tolist() == [True, False]


def test_scale_with_gradient_and_one_for_each_example():
    x, y = t(0.3, -0.2, 0.7), t(0.1, 0.4, 0.2)
    scale = t(0.5, 1.0, 2.0).requires_grad_()
    found = pick.soft(x, y, distribution=Logistic(scale))
    for k in range(3):
        one = pick.soft(x[k : k + 1], y[k : k + 1], distribution=Logistic(scale[k].item()))
        torch.testing.assert_close(found[k : k + 1], one)
    assert torch.autograd.gradcheck(lambda s: pick.soft(x, y, distribution=Logistic(s)), scale)
    with pytest.raises(ValueError, match="one of each example"):
        pick.soft(x, y, distribution=Logistic(t(1.0, 2.0)))


def test_straight_through():
    x, y = t(0.3, -0.2).requires_grad_(), t(0.1, 0.4)
    found = pick.soft(x, y, distribution=Logistic(0.5), mode="straight_through")
    assert torch.equal(found, pick(x, y))
    soft = pick.soft(x, y, distribution=Logistic(0.5))
    torch.testing.assert_close(torch.autograd.grad(found.sum(), x), torch.autograd.grad(soft.sum(), x))
    assert torch.equal(pick.soft(x, y, mode="hard"), pick(x, y))


@an.relax
def integers_as_indices(a, x):
    k = 0
    if x > 0:
        k = 2
    if x > 1:
        k += 1
    return a[k], k, k == 2


def test_an_integer_is_a_mixture_of_positions():
    a, x = torch.randn(3, 4, dtype=F64), t(0.5, -1.0, 1.2)
    p, q = torch.sigmoid(x), torch.sigmoid(x - 1)
    read, mean, is_two = integers_as_indices.soft(a, x, distribution=Logistic(1.0))
    weights = torch.stack([(1 - p) * (1 - q), (1 - p) * q, p * (1 - q), p * q], 1)
    torch.testing.assert_close(read, (weights * a).sum(1))
    torch.testing.assert_close(mean, 2 * p + q)
    torch.testing.assert_close(is_two, p * (1 - q))


@an.relax
def soft_positions(a):
    k = an.relax.argmin(a)
    a[k] = 0.0
    return a, k


def test_soft_write():
    a = torch.randn(3, 4, dtype=F64)
    written, k = soft_positions.soft(a, distribution=Logistic(0.5))
    weights = torch.softmax(-a / 0.5, 1)
    torch.testing.assert_close(written, a * (1 - weights))
    torch.testing.assert_close(k, (weights * torch.arange(4)).sum(1))


@an.relax
def elementwise(a, b):
    c = torch.where(a > b, a, b)
    if a > 0:  # noqa: SIM108
        d = a
    else:
        d = -a
    return c, d, (a > b).sum(), (a > 0) & (b > 0)


def test_conditions_on_arrays():
    a, b = torch.randn(3, 4, dtype=F64), torch.randn(3, 4, dtype=F64)
    p, q = torch.sigmoid(a - b), torch.sigmoid(a)
    c, d, n, both = elementwise.soft(a, b, distribution=Logistic(1.0))
    torch.testing.assert_close(c, p * a + (1 - p) * b)
    torch.testing.assert_close(d, q * a - (1 - q) * a)
    torch.testing.assert_close(n, p.sum(1))
    torch.testing.assert_close(both, q * torch.sigmoid(b))
    c, d, n, both = elementwise(a, b)
    assert torch.equal(c, torch.maximum(a, b)) and torch.equal(d, a.abs())
    assert torch.equal(n, (a > b).sum(1)) and torch.equal(both, (a > 0) & (b > 0))


@an.relax
def same_class(p, q):
    return an.relax.equal(p, q)


def test_equal_of_categorical_vectors():
    p, q = torch.rand(5, 3, dtype=F64), torch.rand(5, 3, dtype=F64)
    distance = 1 - torch.cosine_similarity(p, q, 1)
    torch.testing.assert_close(same_class.soft(p, q, distribution=Logistic(0.2)), 1 / torch.cosh(distance / 0.2))
    law = Gaussian(0.3)
    torch.testing.assert_close(
        same_class.soft(p, q, distribution=law), 2 * (law.cdf(2 * distance) * law.cdf(-2 * distance)).sqrt()
    )
    assert torch.equal(same_class(p, q), p.argmax(1) == q.argmax(1))


@an.relax
def guarded(x):
    y = 0.0
    if x > 0:
        y = torch.log(x) + x**0.5 + 1 / x
    return y


@an.relax
def infinite_arm(x):
    z = x * 0
    if x > 0:
        z = x / 0.0
    return z


@pytest.mark.parametrize("law", [Uniform(0.5), Exponential(0.5), Logistic(1e-3)], ids=repr)
def test_a_dead_branch_leaks_nothing(law):
    x = t(-3.0, 0.0, 4.0).requires_grad_() if isinstance(law, Exponential) else t(-3.0, -1.0, 4.0).requires_grad_()
    y = guarded.soft(x, distribution=law)
    assert y.isfinite().all()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.isfinite().all() and gradient[0] == 0
    z = infinite_arm.soft(x, distribution=law)
    assert z[:2].tolist() == [0, 0]
    # The last example is alive and infinite: plain torch gives it 0 * inf as well.
    assert torch.autograd.grad(z[0], x)[0][:2].tolist() == [0, 0]


def test_hard_calls_leak_nothing():
    x = t(-3.0, 0.0, 4.0).requires_grad_()
    y = guarded(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y[:2].tolist() == [0, 0] and gradient[:2].tolist() == [0, 0] and gradient.isfinite().all()


@an.relax
def smallest(a):
    best = float("inf")
    for u in a:
        if u < best:
            best = u
    return best


def test_infinity_as_a_start():
    a = torch.randn(4, 5, dtype=F64, requires_grad=True)
    found = smallest.soft(a, distribution=Logistic(0.1))
    found.sum().backward()
    assert found.isfinite().all() and a.grad.isfinite().all()
    one = an.distributions.Logistic(0.1)
    best = a[:, 0]
    for k in range(1, 5):
        p = one.cdf(best - a[:, k])
        best = p * a[:, k] + (1 - p) * best
    torch.testing.assert_close(found, best)
