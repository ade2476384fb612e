"""Calls of torch on values run on every example, as under ``vmap``."""

import pytest
import torch

import algonets as an
from algonets.distributions import Logistic
from algonets.tconorms import Hamacher, Probabilistic
from tests.golden import select

F64 = torch.float64
NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


@an.relax
def traceback(cost, steps, beta, join):
    h, w = cost.shape
    d = torch.full((h + 2, w + 2), 1e12)
    d[1, 1] = 0.0
    for _ in range(steps):
        u = torch.stack([d[1 + di : 1 + di + h, 1 + dj : 1 + dj + w] for di, dj in NEIGHBOURS])
        weights = torch.softmax(-beta * u, 0)
        d[1 : h + 1, 1 : w + 1] = (weights * u).sum(0) + cost
        d[1, 1] = 0.0
    trace = torch.zeros(h, w)
    trace[h - 1, w - 1] = 1.0
    tracked = torch.zeros(h, w)
    for _ in range(steps):
        tracked = join(tracked, trace)
        spread = torch.zeros(h + 2, w + 2)
        for k in range(8):
            di, dj = NEIGHBOURS[k]
            spread[1 + di : 1 + di + h, 1 + dj : 1 + dj + w] += weights[k] * trace
        trace = spread[1 : h + 1, 1 : w + 1]
    return tracked


@pytest.mark.parametrize("case", select("relax", "shortest_path_traceback"))
def test_shortest_path_traceback_equals_algovision(case):
    join = Probabilistic() if case.meta["t_conorm"] == "probabilistic" else Hamacher(case.meta["p"])
    inputs = {"cost": case.inputs["cost"].clone().requires_grad_()}
    tracked = traceback.soft(inputs["cost"], case.meta["n_iter"], case.meta["beta"], join)
    case.check_outputs({"tracked_path": tracked})
    case.check_grads({"tracked_path": tracked}, inputs)


LINEAR = torch.nn.Linear(3, 2).double()
SHIFT = torch.tensor([0.5, -0.5], dtype=F64)


@an.relax
def layers(v, m, s):
    a = torch.softmax(v, -1)
    b = LINEAR(v) + SHIFT
    c = m @ v
    if v.sum() > s:
        c = c.exp().clamp(max=3.0)
    d, position = torch.max(v, 0)
    e = torch.cat([v, a]).mean() + v[0].tanh() + v.norm() * m.shape[0]
    return a, b, c, d, position, e, m.T @ m, v.max() + v.dot(a), torch.zeros_like(v)


def test_torch_sees_one_example():
    v, m, s = torch.randn(4, 3, dtype=F64), torch.randn(4, 2, 3, dtype=F64), torch.randn(4, dtype=F64)
    results = layers(v, m, s)
    for k in range(4):
        expected = layers.original(v[k], m[k], s[k])
        for ours, theirs in zip(results, expected, strict=True):
            torch.testing.assert_close(ours[k], theirs)
    soft = layers.soft(v, m, s, distribution=Logistic(1e-9))
    for ours, theirs in zip(soft, results, strict=True):
        torch.testing.assert_close(ours, theirs.to(F64))
    assert not any(r.requires_grad for r in (results[0], results[2])) and results[1].requires_grad
