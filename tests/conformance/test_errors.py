"""Errors of every operation: the type, and a message with the call, the rule and what was given."""

import math

import pytest
import torch

from tests.conformance.cases import argument_cases, close, differentiable


def assert_says_what_is_wrong(caught, argument) -> None:
    message = str(caught.value)
    assert argument.call in message and " must " in message and ", got " in message, message


def replaced(args, index: int, value) -> list:
    """Return the arguments with one replaced."""
    return [*args[:index], value, *args[index + 1 :]]


@pytest.mark.parametrize(("operation", "index"), argument_cases("type"))
def test_what_is_no_tensor(operation, index):
    args = operation.sample().args
    for wrong in ("wrong", object()):
        with pytest.raises(TypeError) as caught:
            operation.run(*replaced(args, index, wrong))
        assert_says_what_is_wrong(caught, operation.arguments[index])


@pytest.mark.parametrize(("operation", "index"), argument_cases("integer"))
def test_integers_for_scores_and_scores_for_integers(operation, index):
    args, argument = operation.sample().args, operation.arguments[index]
    for dtype in (torch.float64, torch.bool) if argument.integer else (torch.int64, torch.bool):
        with pytest.raises(TypeError) as caught:
            operation.run(*replaced(args, index, args[index].to(dtype)))
        assert_says_what_is_wrong(caught, argument)


@pytest.mark.parametrize(("operation", "index"), argument_cases("value", lambda argument: bool(argument.rejects)))
def test_forbidden_values_and_shapes(operation, index):
    args, argument = operation.sample().args, operation.arguments[index]
    for spoil in argument.rejects:
        with pytest.raises(ValueError) as caught:
            operation.run(*replaced(args, index, spoil(args[index])))
        assert_says_what_is_wrong(caught, argument)


def with_first(value: torch.Tensor, number: float) -> torch.Tensor:
    """Return a copy whose first element is replaced."""
    copy = value.clone()
    copy.view(-1)[0] = number
    return copy


def refuses(argument) -> bool:
    return not argument.integer and argument.nan == "raises"


@pytest.mark.parametrize(("operation", "index"), argument_cases("nan", refuses))
def test_nan_and_infinity_are_refused(operation, index):
    args = operation.sample().args
    for number in {math.nan, math.inf, -math.inf} - {*operation.arguments[index].infinite}:
        with pytest.raises(ValueError) as caught:
            operation.run(*replaced(args, index, with_first(args[index], number)))
        assert_says_what_is_wrong(caught, operation.arguments[index])


def propagates(argument) -> bool:
    return not argument.integer and argument.nan == "propagates"


@pytest.mark.parametrize(("operation", "index"), argument_cases("nan", propagates))
def test_nan_stays_in_its_example(operation, index):
    args = operation.sample().args
    clean = operation.run(*args)
    dirty = operation.run(*replaced(args, index, with_first(args[index], math.nan)))
    for before, after in zip(clean, dirty, strict=True):
        assert after[0].isnan().any()
        close([after[1:]], [before[1:]])


@pytest.mark.parametrize(("operation", "index"), argument_cases("infinite", lambda argument: bool(argument.infinite)))
def test_allowed_infinities_make_no_nan(operation, index):
    args, shared = operation.sample().args, operation.arguments[index].shared
    clean = operation.run(*args)
    for number in operation.arguments[index].infinite:
        given = differentiable(operation, replaced(args, index, with_first(args[index], number)))
        results = operation.run(*given)
        for before, after in zip(clean, results, strict=True):
            assert not after.isnan().any()
            if not shared:
                close([after[1:].detach()], [before[1:].detach()])
        wanted = [result for result in results if result.requires_grad]
        if wanted:
            inputs = [value for value in given if value.requires_grad]
            total = sum(result.masked_fill(~result.isfinite(), 0.0).sum() for result in wanted)
            gradients = torch.autograd.grad(total, inputs, allow_unused=True)
            assert not any(gradient is not None and gradient.isnan().any() for gradient in gradients)
