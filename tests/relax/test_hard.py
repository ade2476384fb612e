"""The hard call is the Python function on every example; the soft call tends to it."""

import pytest
import torch

from algonets.distributions import Logistic
from tests.relax.suite import PROGRAMS

every_program = pytest.mark.parametrize("name", PROGRAMS)


def draw(shapes, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(batch, *shape, generator=generator, dtype=torch.float64) if isinstance(shape, tuple) else shape
        for shape in shapes
    ]


def plain(value):
    """One example as plain Python sees it: numbers and lists."""
    return value.tolist() if isinstance(value, torch.Tensor) else value


def by_loop(relaxed, args, batch):
    """The original function on every example."""
    return [relaxed.original(*(plain(a[k]) if isinstance(a, torch.Tensor) else a for a in args)) for k in range(batch)]


def example(result, k):
    if isinstance(result, tuple):
        return tuple(example(r, k) for r in result)
    return plain(result[k])


def agree(ours, theirs, tolerance):
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            agree(a, b, tolerance)
    else:
        torch.testing.assert_close(
            torch.tensor(ours, dtype=torch.float64), torch.tensor(theirs, dtype=torch.float64), rtol=0, atol=tolerance
        )


@every_program
def test_hard_is_the_python_function(name):
    relaxed, shapes = PROGRAMS[name]
    args = draw(shapes, 40)
    result = relaxed(*args)
    for k, expected in enumerate(by_loop(relaxed, args, 40)):
        agree(example(result, k), expected, 1e-12)


@every_program
def test_hard_keeps_kinds(name):
    relaxed, shapes = PROGRAMS[name]
    args = draw(shapes, 8)
    result, (first, *_) = relaxed(*args), by_loop(relaxed, args, 8)
    pairs = zip(result, first, strict=True) if isinstance(first, tuple) else [(result, first)]
    for tensor, value in pairs:
        if isinstance(value, bool):
            assert tensor.dtype == torch.bool
        elif isinstance(value, float):
            assert tensor.dtype == torch.float64


@every_program
def test_soft_tends_to_hard(name):
    if name == "scaled":
        pytest.skip("it sets its own scale")
    relaxed, shapes = PROGRAMS[name]
    args = draw(shapes, 20, seed=1)
    hard, soft = relaxed(*args), relaxed.soft(*args, distribution=Logistic(1e-9))
    for k in range(20):
        agree(example(soft, k), example(hard, k), 1e-5)


@every_program
def test_soft_has_finite_gradients(name):
    relaxed, shapes = PROGRAMS[name]
    args = [a.requires_grad_() if isinstance(a, torch.Tensor) else a for a in draw(shapes, 5, seed=2)]
    result = relaxed.soft(*args, distribution=Logistic(0.2))
    parts = [r for r in (result if isinstance(result, tuple) else (result,)) if r.requires_grad]
    assert parts
    sum(part.sum() for part in parts).backward()
    for arg in args:
        if isinstance(arg, torch.Tensor) and arg.grad is not None:
            assert arg.grad.isfinite().all()


@every_program
def test_inputs_stay_as_they_are(name):
    relaxed, shapes = PROGRAMS[name]
    args = draw(shapes, 4)
    before = [a.clone() if isinstance(a, torch.Tensor) else a for a in args]
    relaxed(*args)
    relaxed.soft(*args)
    for a, b in zip(args, before, strict=True):
        assert not isinstance(a, torch.Tensor) or torch.equal(a, b)


@every_program
def test_empty_batch(name):
    relaxed, shapes = PROGRAMS[name]
    args, one = draw(shapes, 0), draw(shapes, 2)
    for call in (relaxed, relaxed.soft):
        result, full = call(*args), call(*one)
        pairs = zip(result, full, strict=True) if isinstance(full, tuple) else [(result, full)]
        for empty, other in pairs:
            assert empty.shape == (0, *other.shape[1:])


@every_program
def test_examples_do_not_meet(name):
    relaxed, shapes = PROGRAMS[name]
    args = draw(shapes, 6, seed=3)
    for call in (relaxed, lambda *a: relaxed.soft(*a, epsilon=0.0, max_iterations=40)):
        whole = call(*args)
        for k in (0, 5):
            single = call(*(a[k : k + 1] if isinstance(a, torch.Tensor) else a for a in args))
            agree(example(single, 0), example(whole, k), 1e-12)
