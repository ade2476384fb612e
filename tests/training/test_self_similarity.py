"""One block and small differences: nothing changes at first, equal layers are found, and cost little."""

import pytest
import torch
from torch import nn

from algonets.training import SelfSimilarity, description_length


def layers(count=3, size=4):
    torch.manual_seed(0)
    return [nn.Linear(size, size) for _ in range(count)]


def test_nothing_changes_at_first():
    blocks = layers()
    model, x = nn.Sequential(*blocks), torch.randn(2, 4)
    before = model(x)
    prior = SelfSimilarity(blocks)
    torch.testing.assert_close(model(x), before)
    names = {name for name, _ in model.named_parameters()}
    assert "0.parametrizations.weight.original" in names and not any("shared" in name for name in names)
    assert [name for name, _ in prior.named_parameters()] == ["shared"]
    assert len(prior.differences) == 3 and (prior.differences[0] == 0).all()
    torch.testing.assert_close(prior.penalty(), sum(d.abs().sum() for d in prior.differences))


def test_shrinking_stops_at_zero():
    prior = SelfSimilarity(layers())
    with torch.no_grad():
        prior.differences[1].copy_(torch.linspace(-1, 1, 16).reshape(4, 4))
        prior.differences[2].zero_()
    prior.shrink(0.5)
    expected = torch.linspace(-1, 1, 16).reshape(4, 4)
    expected = expected.sign() * (expected.abs() - 0.5).clamp_min(0)
    torch.testing.assert_close(prior.differences[1].detach(), expected)
    assert prior.kept() == pytest.approx((expected != 0).sum().item() / 48)


def test_repeated_structure_emerges():
    """Three layers that should be one map, applied thrice: the differences vanish, the description gets shorter."""
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(4, 4)).Q
    x = torch.randn(200, 4)
    y = x @ turn @ turn @ turn
    found = {}
    for strength in (0.0, 0.3):
        torch.manual_seed(1)
        blocks = [nn.Linear(4, 4, bias=False) for _ in range(3)]
        prior, model = SelfSimilarity(blocks), nn.Sequential(*blocks)
        optimizer = torch.optim.Adam([*model.parameters(), *prior.parameters()], 0.01)
        for _ in range(800):
            optimizer.zero_grad()
            loss = (model(x) - y).square().mean()
            loss.backward()
            optimizer.step()
            prior.shrink(0.01 * strength)
        found[strength] = (loss.item(), prior.kept(), description_length(prior.stored()).bits)
    assert found[0.3][0] < 0.02 and found[0.3][1] < 0.4
    assert found[0.3][2] < 0.6 * found[0.0][2]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SelfSimilarity([nn.Linear(2, 2)]), ValueError),
        (lambda: SelfSimilarity([nn.Linear(2, 2), nn.Linear(2, 3)]), ValueError),
        (lambda: SelfSimilarity(["a", "b"]), TypeError),
        (lambda: SelfSimilarity(layers()).shrink(-1.0), ValueError),
    ],
)
def test_wrong_arguments(make, error):
    with pytest.raises(error):
        make()
