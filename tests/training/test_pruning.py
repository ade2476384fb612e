"""Pruning: what goes and what stays, again and again; training goes on with the rest."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from algonets.training import gradual_pruning, make_permanent, prune_magnitude, prune_random, sparsity


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Conv1d(4, 2, 1), nn.Linear(8, 5, bias=False))


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_the_smallest_go(scope):
    model = network()
    before = [p.detach().abs().clone() for p in model.parameters() if p.ndim >= 2]
    assert prune_magnitude(model, 0.5, scope) is model
    after = [layer.weight for layer in (model[0], model[2], model[3])]
    groups = [(before, after)] if scope == "global" else [([b], [a]) for b, a in zip(before, after, strict=True)]
    for old, new in groups:
        was, now = (torch.cat([t.flatten() for t in part]) for part in (old, new))
        assert (now == 0).sum() == round(0.5 * len(now))
        assert was[now == 0].max() <= was[now != 0].min()


def test_equal_to_torch():
    ours, theirs = network(), network()
    prune_magnitude(ours, 0.25)
    layers = [(layer, "weight") for layer in (theirs[0], theirs[2], theirs[3])]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=0.25)
    for a, b in ((ours[0], theirs[0]), (ours[2], theirs[2]), (ours[3], theirs[3])):
        torch.testing.assert_close(a.weight, b.weight)


def test_gone_stays_gone_and_amounts_are_absolute():
    model = network()
    generator = torch.Generator().manual_seed(0)
    prune_random(model, 0.3, generator=generator)
    gone = model[0].weight == 0
    prune_magnitude(model, 0.6)
    assert sparsity(model) == pytest.approx(0.6, abs=0.01) and (model[0].weight[gone] == 0).all()
    prune_magnitude(model, 0.1)
    assert sparsity(model) == pytest.approx(0.6, abs=0.01)


def test_training_goes_on_with_the_rest():
    model = nn.Linear(4, 4)
    prune_magnitude(model, 0.5)
    mask, before = model.weight_mask.clone(), model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    now = model(torch.eye(4)) - model.bias
    assert ((now.mT == 0) == (mask == 0)).all() and not torch.allclose(now.mT[mask == 1], before[mask == 1])
    make_permanent(model)
    assert isinstance(model.weight, nn.Parameter) and sparsity(model) == 0.5 and not hasattr(model, "weight_mask")
    make_permanent(model)


def test_gradual():
    fractions = list(gradual_pruning(network(), 0.9, 4))
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(0.9, abs=0.01)


def test_random_is_random_and_repeatable():
    def masks(seed):
        return prune_random(network(), 0.5, "layer", torch.Generator().manual_seed(seed))[0].weight_mask

    assert torch.equal(masks(1), masks(1)) and not torch.equal(masks(1), masks(2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: prune_magnitude(network(), 1.0),
        lambda: prune_magnitude(network(), -0.1),
        lambda: prune_magnitude(network(), 0.5, "row"),
        lambda: prune_magnitude(nn.ReLU(), 0.5),
        lambda: list(gradual_pruning(network(), 0.5, 0)),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ValueError):
        make()
