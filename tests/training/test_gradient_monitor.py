"""The monitor: what it measures is true, what it says fits, and nothing is changed."""

import pytest
import torch
from torch import nn

from algonets import sort
from algonets.distributions import Cauchy, Logistic
from algonets.training import GradientMonitor


class Scorer(nn.Module):
    def __init__(self, law):
        super().__init__()
        self.first = nn.Linear(2, 4)
        self.rank = sort.Rank(sort.OddEven(law))

    def forward(self, x):
        return self.rank(self.first(x))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def test_gain_spread_and_zeros_by_hand():
    layer = Times(torch.tensor([[3.0, 0.0], [0.0, 30.0], [0.0, 3.0], [0.0, 0.0]]))
    model = nn.Sequential(layer)
    with GradientMonitor(model, Times) as monitor:
        x = torch.ones(4, 2, requires_grad=True)
        (model(x).sum() + 0 * x.sum()).backward()
        (report,) = monitor.report()
        assert monitor.report() == []
    assert report.layer == "0" and report.finite and report.silent == 0.25
    assert report.gain == pytest.approx((918 / 8) ** 0.5) and report.spread == pytest.approx(10.0)
    assert torch.equal(x.grad, layer.factor)
    model(x).sum().backward()
    assert monitor.report() == [] and not layer._forward_hooks


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "ok"), (1e-6, "vanishing"), (1e6, "exploding"), (float("inf"), "not finite")]
)
def test_verdicts(factor, verdict):
    with GradientMonitor(nn.Sequential(Times(factor)), Times) as monitor:
        nn.Sequential(*[monitor._layers["0"]])(torch.ones(2, 2, requires_grad=True)).sum().backward()
        (report,) = monitor.report()
    assert report.verdict == verdict and bool(report.advice) == (verdict != "ok")


def test_a_steep_network_vanishes_and_a_knob_is_named():
    torch.manual_seed(0)
    x = torch.randn(8, 2)
    verdicts = {}
    for name, law in (("steep", Logistic(1e-3)), ("soft", Cauchy(0.5))):
        model = Scorer(law)
        with GradientMonitor(model) as monitor:
            model(x).square().sum().backward()
            (report,) = monitor.report()
        verdicts[name] = report
    assert verdicts["soft"].verdict == "ok" and verdicts["soft"].layer == "rank"
    assert verdicts["steep"].verdict == "vanishing"
    assert "method.distribution.scale (now 0.001)" in verdicts["steep"].advice


def test_only_algorithms_are_watched():
    assert list(GradientMonitor(Scorer(Cauchy(1.0)))._layers) == ["rank"]
    with pytest.raises(ValueError, match="must contain a layer"):
        GradientMonitor(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="in order"):
        GradientMonitor(Scorer(Cauchy(1.0)), low=1.0, high=0.1)


def test_no_gradient_no_report():
    model = Scorer(Cauchy(1.0))
    monitor = GradientMonitor(model)
    with torch.no_grad():
        model(torch.zeros(1, 2))
    model(torch.zeros(1, 2))  # no backward
    assert monitor.report() == []
