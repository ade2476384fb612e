"""Branches, loops and jumps by a condition on an array: every element goes its own way, in hard and in soft calls."""

import pytest
import torch

import algonets as an
from algonets.distributions import Logistic

F64 = torch.float64


def branch(x):
    if x < 0:
        y = -0.5 * x
    elif x > 1:
        y = x * x
    else:
        y = 0.0
    return y


def expression(x):
    return x if 0.2 < x < 1.5 else -x


def logic(x):
    if not (x > 0 or x < -1) and x < 5:
        x = 10 * x
    return x


def counted(x):
    n = 0
    if x > 0:
        n += 1
        x *= 2
    return n, x


def early_return(x):
    if x < 0:
        return -x
    return x * 2


def loop(x):
    while x > 1:
        x = x / 2
    return x


def jumps(x):
    total = 0.0
    for i in range(3):
        if x > i + 0.7:
            break
        if x < 0:
            continue
        total = total + x
    return total


def collatz_step(k):
    if k % 2 == 0:  # noqa: SIM108
        k = k // 2
    else:
        k = 3 * k + 1
    return k


PROGRAMS = [branch, expression, logic, counted, early_return, loop, jumps]
X = torch.tensor([[-1.3, 0.5, 2.2], [0.1, 3.0, -4.0]], dtype=F64)


def by_element(function, x):
    """The same function of every number, in plain Python."""
    results = [function(number) for number in x.flatten().tolist()]
    columns = zip(*results, strict=True) if isinstance(results[0], tuple) else [results]
    return [torch.tensor(column).reshape(x.shape) for column in columns]


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("x", [X, X[:, :, None], X[:0]], ids=["vector", "matrix", "empty"])
def test_every_element_goes_its_own_way(function, x):
    relaxed = an.relax(function)
    expected = by_element(function, x) if len(x) else None
    sharp = {"distribution": Logistic(1e-5)}
    for result in (relaxed(x), relaxed.soft(x, **sharp), relaxed.soft(x, mode="straight_through", **sharp)):
        parts = result if isinstance(result, tuple) else (result,)
        if expected is None:
            assert all(part.shape == x.shape for part in parts)
            continue
        for part, wanted in zip(parts, expected, strict=True):
            torch.testing.assert_close(part.to(F64), wanted.to(F64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_an_array_is_relaxed_like_its_elements(function):
    """The relaxed program of an array is the relaxed program of each number, with its gradient."""
    law = Logistic(0.3)
    together, apart = X.clone().requires_grad_(), X.flatten().clone().requires_grad_()
    found = an.relax(function).soft(together, distribution=law, max_iterations=40)
    expected = an.relax(function).soft(apart, distribution=law, max_iterations=40)
    found, expected = (r if isinstance(r, tuple) else (r,) for r in (found, expected))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs.reshape(ours.shape))
    sum(f.sum() for f in found).backward()
    sum(e.sum() for e in expected).backward()
    torch.testing.assert_close(together.grad, apart.grad.reshape(X.shape))


def test_integers():
    k = torch.tensor([[3, 4, 5], [7, 8, 10]])
    assert an.relax(collatz_step)(k).tolist() == [[10, 2, 16], [22, 4, 5]]
    assert an.relax(collatz_step).soft(k).tolist() == [[10, 2, 16], [22, 4, 5]]


def test_a_single_entry_has_no_condition_of_its_own():
    def program(x):
        if x > 0:
            x[0] = 5.0
        return x

    for call in (an.relax(program), an.relax(program).soft):
        with pytest.raises(TypeError, match="Assign the whole array"):
            call(X)
