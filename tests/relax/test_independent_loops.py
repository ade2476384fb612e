"""Loops that run on whole arrays give what they give pass by pass, and loops with dependences stay loops."""

import math

import pytest
import torch

import algonets as an
from algonets.distributions import Cauchy, Gaussian, Logistic
from algonets.relax import lanes

F64 = torch.float64


@an.relax
def elementwise(x, y, t):
    for i in range(len(x)):
        if x[i] < 0:
            x[i] = 0.0
        y[i] += x[i] * t
    return x, y


@an.relax
def sums(x, y, t):
    total = t
    count = 0
    out = [0.0] * len(x)
    for i in range(len(x) - 1):
        step = y[i + 1] - x[i]
        if step > t:
            out[i] = step * 2
            total += x[i]
            count += 1
        elif x[i] > 0 and not step < -1:
            out[i] -= x[i] / (y[i] * y[i] + 1)
            count -= 2
        total -= abs(t)
    return out, total, count


@an.relax
def constants(x, y, t):
    count = 0
    weight = 0.5
    for i in range(1, len(x)):
        count += 1
        weight += t
        y[i] = math.exp(x[i - 1]) if x[i] > t else torch.tanh(y[i])
    return y, count, weight


@an.relax
def inside_branches_and_loops(x, y, t):
    for _ in range(2):
        if t > 0:
            for i in range(len(x)):
                if x[i] > y[i]:
                    x[i] = x[i] - 1 / x[i]
                y[i] = y[i] * 0.5
        t = t - 0.3
    return x, y


PROGRAMS = [elementwise, sums, constants, inside_branches_and_loops]


@pytest.mark.parametrize("law", [None, Logistic(0.3), Cauchy(0.1), Gaussian(1e-3)], ids=repr)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_whole_arrays_equal_passes(program, law, monkeypatch):
    """Values, kinds and gradients."""
    assert ".lanes(" in program.source
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(*shape, dtype=F64, generator=generator) for shape in ((3, 6), (3, 6), (3,))]

    def run():
        at = [x.clone().requires_grad_() for x in inputs]
        values = program(*at) if law is None else program.soft(*at, distribution=law)
        kinds = [v.dtype for v in values]
        loss = sum((v.to(F64) * torch.arange(1.0, v.numel() + 1).reshape(v.shape)).sum() for v in values)
        slopes = torch.autograd.grad(loss, at, allow_unused=True)
        return kinds, values, [torch.zeros_like(x) if s is None else s for x, s in zip(at, slopes, strict=True)]

    whole = run()
    monkeypatch.setattr(lanes, "_LEAST", 1000)
    one_by_one = run()
    assert whole[0] == one_by_one[0]
    for a, b in zip((*whole[1], *whole[2]), (*one_by_one[1], *one_by_one[2]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_what_is_shared_or_short_runs_pass_by_pass():
    """One array under two names is a dependence that only shows when the program runs."""

    def shifted(x, y):
        for i in range(len(x) - 1):
            x[i] = y[i + 1] + 1
        return x

    @an.relax
    def aliased(x):
        y = x
        for i in range(1, len(x)):
            x[i] = y[i - 1] + 1
        return x

    x = torch.arange(12.0).reshape(2, 6)
    torch.testing.assert_close(an.relax(shifted)(x, x)[:, :5], x[:, 1:] + 1)
    assert ".lanes(" in aliased.source
    torch.testing.assert_close(aliased(x), x[:, :1] + torch.arange(6.0))


@pytest.mark.parametrize("merge", ["paths", "sample"])
def test_other_merges_run_pass_by_pass(merge):
    x = torch.tensor([[0.1, -0.2, 0.3, -0.1]], dtype=F64)
    y, t = torch.zeros_like(x), torch.ones(1, dtype=F64)
    found = elementwise.soft(x, y, t, distribution=Logistic(1e-4), merge=merge)
    for a, b in zip(found, elementwise(x, y, t), strict=True):
        torch.testing.assert_close(a, b)


def carried(x):
    for i in range(1, len(x)):
        x[i] = x[i] + x[i - 1]
    return x


def last(x):
    best = x[0]
    for i in range(len(x)):
        if x[i] > best:
            best = x[i]
    return best


def read_later(x):
    last = 0.0
    for i in range(len(x)):
        last = x[i] * 2
    return last


def counter_in_use(x):
    n = 0
    for i in range(len(x)):
        n += 1  # noqa: SIM113 - what is tested
        x[i] = x[i] * n
    return x


def leaves(x):
    for i in range(len(x)):
        if x[i] < 0:
            break
        x[i] = 1.0
    return x


def helper(v):
    return v


def calls(x):
    for i in range(len(x)):
        x[i] = helper(x[i])
    return x


def uses_the_number(x):
    for i in range(len(x)):
        x[i] = x[i] * i
    return x


@pytest.mark.parametrize(
    "function", [carried, last, read_later, counter_in_use, leaves, calls, uses_the_number], ids=lambda f: f.__name__
)
def test_dependent_loops_stay_loops(function):
    program = an.relax(function)
    assert ".lanes(" not in program.source
    x = torch.randn(3, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([torch.as_tensor(function(list(row)), dtype=F64) for row in x.tolist()])
    torch.testing.assert_close(program(x), expected)


def test_whole_arrays_are_differentiable_twice():
    x, y = torch.rand(2, 5, dtype=F64) - 0.5, torch.rand(2, 5, dtype=F64)
    args = [v.requires_grad_() for v in (x, y, torch.rand(2, dtype=F64))]
    assert torch.autograd.gradgradcheck(lambda *a: sums.soft(*a, distribution=Logistic(0.3)), args)
