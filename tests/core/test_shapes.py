"""Batch shapes: any number of leading dimensions, none and empty ones too."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algonets._core.shapes import broadcast_batch, flatten_batch, unflatten_batch

sizes = st.lists(st.integers(0, 3), max_size=3)


@given(sizes, sizes)
def test_round_trip(batch, event):
    count = torch.Size(batch + event).numel()
    x = torch.arange(count).reshape((*batch, *event))
    flat = flatten_batch(x, len(event))
    assert flat.shape == (torch.Size(batch).numel(), *event)
    assert torch.equal(unflatten_batch(flat, torch.Size(batch)), x)


@pytest.mark.parametrize(("shape", "event", "wanted"), [((4, 5), 2, (1, 4, 5)), ((0, 3, 4), 1, (0, 4)), ((), 0, (1,))])
def test_flatten(shape, event, wanted):
    assert flatten_batch(torch.zeros(shape), event).shape == wanted


def test_unflatten_in_another_dimension():
    x = torch.arange(24).reshape(2, 6, 2)
    assert torch.equal(unflatten_batch(x, torch.Size((2, 3)), 1), x.reshape(2, 2, 3, 2))
    assert unflatten_batch(torch.zeros(5, 1, 2), torch.Size(()), 1).shape == (5, 2)
    assert unflatten_batch(torch.zeros(5, 0, 2), torch.Size((0, 7)), 1).shape == (5, 0, 7, 2)


def test_broadcast():
    x = torch.arange(6).reshape(1, 2, 3)
    y = broadcast_batch("f(x)", x, torch.Size((4, 2)), 1)
    assert y.shape == (4, 2, 3) and torch.equal(y[3], x[0])
    assert broadcast_batch("f(x)", x[0, 0], torch.Size((0,)), 1).shape == (0, 3)


@pytest.mark.parametrize("shape", [(5, 3), (2, 2, 3)])
def test_broadcast_says_what_does_not_fit(shape):
    with pytest.raises(ValueError) as caught:
        broadcast_batch("f(x)", torch.zeros(shape), torch.Size((2,)), 1)
    message = str(caught.value)
    assert message.startswith("f(x) must have leading dimensions") and "(2,)" in message and str(shape) in message
