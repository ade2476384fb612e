"""Values of every operation: shapes, batches, strides, dtypes, purity, determinism, oracles, native kernels."""

import itertools

import pytest
import torch

import algonets as an
from tests.conformance.cases import cases, close, differentiable, needs_native
from tests.conformance.registry import Operation, Sample


def example_of(operation: Operation, sample: Sample, index: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Return the arguments of one example of a batch."""
    pairs = zip(sample.args, operation.arguments, strict=True)
    return tuple(value if argument.shared else value[index] for value, argument in pairs)


@pytest.mark.parametrize("operation", cases("batch"))
def test_a_batch_is_the_stack_of_its_examples(operation):
    for sample in operation.samples():
        results = operation.run(*sample.args)
        indices = list(itertools.product(*map(range, sample.batch)))
        singles = [operation.run(*example_of(operation, sample, index)) for index in indices]
        for k, result in enumerate(results):
            stack = torch.stack([single[k] for single in singles]).reshape((*sample.batch, *singles[0][k].shape))
            assert result.shape == stack.shape and result.dtype == stack.dtype
            if not operation.random:
                close([result], [stack])


@pytest.mark.parametrize("operation", cases("empty"))
@pytest.mark.parametrize("batch", [(0,), (2, 0)])
def test_empty_batch(operation, batch):
    event = [result.shape for result in operation.run(*operation.sample(()).args)]
    args = differentiable(operation, operation.sample(batch).args)
    results = operation.run(*args)
    assert [result.shape for result in results] == [(*batch, *shape) for shape in event]
    if any(result.requires_grad for result in results):
        sum(result.sum() for result in results if result.requires_grad).backward()
        gradients = [a.grad for a in args if a.grad is not None]
        assert all((gradient == 0).all() for gradient in gradients)


def strided(value: torch.Tensor) -> torch.Tensor:
    """Return the same values with a stride of 2 and the dimensions in reverse order in memory."""
    reversed_dims = tuple(range(value.ndim))[::-1]
    return torch.stack([value.permute(reversed_dims)] * 2, -1)[..., 0].permute(reversed_dims)


@pytest.mark.parametrize("operation", cases("strides"))
def test_strides_do_not_matter(operation):
    sample = operation.sample((3,))
    views = [strided(value) for value in sample.args]
    assert not any(view.is_contiguous() for view in views if view.ndim)
    close(operation.run(*views), operation.run(*sample.args))


@pytest.mark.parametrize("operation", cases("pure"))
def test_inputs_stay_as_they_are(operation):
    args = differentiable(operation, operation.sample((3,)).args)
    before = [value.detach().clone() for value in args]
    results = operation.run(*args)
    differentiable_results = [result for result in results if result.requires_grad]
    if differentiable_results:
        sum(result.sum() for result in differentiable_results).backward()
    assert all(torch.equal(a, b) and a._version == 0 for a, b in zip(args, before, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("operation", cases("dtype"))
def test_dtype_is_kept(operation, dtype):
    args = operation.sample((3,), dtype).args
    results = operation.run(*args)
    exact = operation.run(*(value if not value.is_floating_point() else value.double() for value in args))
    for result, truth in zip(results, exact, strict=True):
        assert result.dtype == ((operation.dtype or dtype) if truth.is_floating_point() else truth.dtype)
        if not operation.random:
            close([result], [truth.to(result.dtype)], 1e-4 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("operation", cases("half", lambda operation: operation.half is not None))
def test_half_is_computed_in_float32(operation):
    args = operation.sample((3,), torch.bfloat16).args
    wide = [value.float() if value.is_floating_point() else value for value in args]
    promised = torch.bfloat16 if operation.half == "kept" else torch.float32
    for result, exact in zip(operation.run(*args), operation.run(*wide), strict=True):
        rounded = exact.to(promised) if exact.is_floating_point() else exact
        assert result.dtype == rounded.dtype and torch.equal(result, rounded)


@pytest.mark.parametrize("operation", cases("deterministic"))
def test_only_the_generator_is_random(operation):
    args = operation.sample((3,)).args
    state = torch.get_rng_state()
    first, again = operation.run(*args), operation.run(*args)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    if operation.random:
        others = [operation.run(*args, seed=seed) for seed in range(1, 6)]
        assert any(not torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("operation", cases("oracle", lambda operation: callable(operation.oracle)))
def test_equals_the_oracle(operation):
    for seed in range(4):
        args = operation.sample((), seed=seed).args
        truth = operation.oracle(*args)
        close(operation.run(*args), truth if isinstance(truth, tuple) else (truth,), operation.tolerance)


@pytest.mark.parametrize("operation", cases("oracle", lambda operation: not callable(operation.oracle)))
def test_reason_why_there_is_no_oracle(operation):
    assert operation.random and "tests/" in operation.oracle


@needs_native
@pytest.mark.parametrize("operation", cases("native", lambda operation: "native" in operation.backends))
def test_native_equals_torch(operation):
    for sample in operation.samples():
        found = {}
        for backend in ("native", "torch"):
            args = differentiable(operation, sample.args)
            with an.backend(backend):
                results = operation.run(*args)
                wanted = [result for result in results if result.requires_grad]
                weighted = [
                    (result * torch.linspace(0.5, 1.5, result.numel()).view_as(result)).sum() for result in wanted
                ]
                inputs = [value for value in args if value.requires_grad]
                gradients = torch.autograd.grad(sum(weighted), inputs, allow_unused=True) if wanted else ()
            zeros = [torch.zeros_like(value) for value in inputs]
            gradients = [z if g is None else g for g, z in zip(gradients, zeros, strict=False)]
            found[backend] = [result.detach() for result in results] + gradients
        close(found["native"], found["torch"], 1e-10)
