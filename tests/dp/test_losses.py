"""Each program with each loss: values against the enumeration of all structures, and steps that make them smaller."""

import pytest
import torch

from algonets import losses
from algonets.dp import Lattice
from algonets.gradients import Perturbed
from tests.dp.test_programs import NAMES, build, close, draw, tupled

LOSSES = {
    "nll": losses.nll,
    "perceptron": losses.perceptron,
    "structured_hinge": losses.structured_hinge,
    "risk": losses.risk,
    "direct_loss": lambda program, right: losses.direct_loss(program, right, 2.0),
}


def first(parts):
    return tupled(parts)[0]


@pytest.mark.parametrize("name", NAMES)
def test_risk_and_direct_loss_equal_the_enumeration(any_backend, name):
    program, oracles = build(name)
    right = build(name, seed=3)[0].argmax()
    expected, direct = [], []
    for b, oracle in enumerate(oracles):
        costs = (oracle.parts[0] * (1 - first(right)[b])).flatten(1).sum(1)
        expected.append((oracle.probabilities() * costs).sum())
        direct.append(((oracle.scores + 0.5 * costs).max() - oracle.scores.max()) / 0.5)
    close(losses.risk(program, right, reduction="none"), torch.stack(expected), 1e-9)
    close(losses.direct_loss(program, right, 0.5, reduction="none"), torch.stack(direct), 1e-9)


def teaches(loss, leaves, program, right):
    """Whether fifteen steps make a loss smaller. A direct loss may be flat, where the best is the worst."""
    optimizer = torch.optim.Adam(leaves, 0.3)
    values, flat = [], loss == "direct_loss"
    for _ in range(15):
        value = LOSSES[loss](program(), right)
        optimizer.zero_grad()
        value.backward()
        flat = flat and all(x.grad is None or (x.grad == 0).all() for x in leaves)
        optimizer.step()
        values.append(value.item())
    return values[0] > 1e-3 and (flat or min(values[1:]) < 0.9 * values[0])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NAMES)
def test_every_loss_teaches_every_program(name, loss):
    entry, tensors, lengths = draw(name)
    tensors = [t.detach().clone().requires_grad_() for t in tensors]
    right = build(name, seed=3)[0].argmax()
    assert teaches(loss, tensors, lambda: entry.build(*tensors, *lengths), right)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "HMM"])  # whose tensors are not its factors
def test_fenchel_young_teaches_every_program(name):
    entry, tensors, lengths = draw(name)
    sign = -1 if name in ("EditDistance", "SoftDTW") else 1
    theta, *others = (t.detach()[:1] for t in tensors)

    def solver(scores):
        flat = scores.reshape(-1, *theta.shape[1:])
        if name == "CTC":  # its targets are fixed for a batch of three
            each = [first(entry.build(x.expand(3, -1, -1), *lengths).argmax())[:1] for x in flat]
            return torch.cat(each).reshape(scores.shape)
        rest = [t.expand(len(flat), *t.shape[1:]) for t in others]
        program = entry.build(sign * flat, *rest, *[n[:1].expand(len(flat)) for n in lengths])
        return first(program.argmax()).reshape(scores.shape)

    right = solver(-theta)
    layer = Perturbed(solver, samples=16, event_dims=theta.ndim - 1)
    learnt = theta.clone().requires_grad_()
    optimizer = torch.optim.SGD([learnt], 0.3)
    before = (solver(learnt.detach()) - right).abs().sum()
    for step in range(40):
        loss = losses.FenchelYoung(layer)(learnt, right, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = (solver(learnt.detach()) - right).abs().sum()
    assert before > 0 and after == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_teaches_a_lattice(loss):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    lattice = Lattice.from_scores(scores).compose(Lattice.from_ctc_topology(3, dtype=torch.float64))
    other = torch.randn(len(lattice.weight), generator=generator, dtype=torch.float64)
    right = lattice.with_weight(other).argmax()
    weight = lattice.weight.clone().requires_grad_()
    assert teaches(loss, [weight], lambda: lattice.with_weight(weight), right)
