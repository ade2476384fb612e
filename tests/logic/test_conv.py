"""Trees of gates over images."""

import pytest
import torch

import algonets as an
from algonets.logic import Light4, LogicConv2d, harden


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("options", [
    {"depth": 1, "kernel_size": 2},
    {"depth": 2, "kernel_size": 3, "padding": 1, "pool": 2},
    {"depth": 3, "kernel_size": 3, "pool": 3, "groups": 2, "channels": None},
    {"depth": 4, "kernel_size": 5, "padding": 2, "parametrization": Light4()},
    {"depth": 5, "kernel_size": 3},
])  # fmt: skip
def test_native_equals_reference(options):
    layer = LogicConv2d(4, 6, initialization="normal", generator=seeded(), **options).double()
    x = torch.rand(9, 4, 8, 7, generator=seeded(1), dtype=torch.float64).round().requires_grad_()
    x = (0.1 + 0.8 * x.detach() + 0.01 * torch.rand(x.shape, generator=seeded(2), dtype=x.dtype)).requires_grad_()
    found = []
    for backend in ("auto", "torch"):
        with an.backend(backend):
            y = layer(x)
            found.append([y.detach(), *torch.autograd.grad(y.sin().sum(), [x, layer.weights])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_ties_go_to_the_first_place_on_both_backends():
    layer = LogicConv2d(1, 2, 2, depth=1, pool=2, generator=seeded())
    x = torch.ones(1, 1, 5, 5).requires_grad_()
    found = []
    for backend in ("auto", "torch"):
        with an.backend(backend):
            found.append(torch.autograd.grad(layer(x).sum(), x)[0])
    torch.testing.assert_close(*found)


def test_leaves_lie_in_the_group_and_the_window():
    layer = LogicConv2d(6, 9, 3, depth=4, groups=3, channels=1, generator=seeded())
    channel, row, column = layer.wiring.unbind(-1)
    assert int(row.max()) <= 2 and int(column.max()) <= 2
    for kernel in range(9):
        assert len(channel[kernel].unique()) == 1 and int(channel[kernel, 0]) // 2 == kernel // 3
        # 16 leaves, 9 places: each is used once or twice
        assert (row[kernel] * 3 + column[kernel]).bincount().tolist() == sorted([2] * 7 + [1] * 2, reverse=True) or (
            row[kernel] * 3 + column[kernel]
        ).bincount().min() >= 1


def test_hard_trees_give_bits():
    layer = harden(LogicConv2d(2, 3, 3, depth=3, pool=2, initialization="normal", generator=seeded()))
    y = layer(torch.rand(4, 2, 8, 8).round())
    assert torch.equal(y, y.round()) and y.shape == (4, 3, 3, 3)


def test_refused():
    with pytest.raises(ValueError, match="groups"):
        LogicConv2d(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="depth"):
        LogicConv2d(3, 4, 3, depth=7)
    with pytest.raises(ValueError, match="large enough"):
        LogicConv2d(1, 1, 3)(torch.rand(1, 1, 2, 5))
    with pytest.raises(ValueError, match=r"\(\*batch, 1, H, W\)"):
        LogicConv2d(1, 1, 3)(torch.rand(2, 5, 5))


def test_no_gradient_of_the_image_is_made_if_none_is_wanted():
    layer = LogicConv2d(2, 3, 3, depth=3, padding=1, pool=2, initialization="normal", generator=seeded()).double()
    x = torch.rand(5, 2, 6, 6, generator=seeded(1), dtype=torch.float64)
    (alone,) = torch.autograd.grad(layer(x).sin().sum(), layer.weights)
    (beside,) = torch.autograd.grad(layer(x.requires_grad_()).sin().sum(), layer.weights)
    torch.testing.assert_close(alone, beside, rtol=1e-12, atol=1e-12)
