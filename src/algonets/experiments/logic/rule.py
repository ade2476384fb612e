"""A circuit small enough to read: gates with one output, trained on a table, the smallest that fits is kept."""

import torch
from torch.nn import functional

from algonets import logic
from algonets.experiments.logic.tasks import Task

__all__ = ["find_rule", "formula"]

_WIDTHS = (48, 32, 16, 8, 4, 2, 1)


def find_rule(task: Task, seeds: int = 12, steps: int = 700) -> tuple[logic.Circuit, float]:
    """Train a few narrow networks; of those with the best training accuracy return the one with the fewest gates.

    Returns:
        The circuit, whose only output is the class, and its training accuracy in percent.
    """
    x, wanted = task.train.to(torch.float32), task.train_labels.to(torch.float32)
    best: tuple[float, int, logic.Circuit] | None = None
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        sizes = (x.shape[1], *_WIDTHS)
        layers = [
            logic.LogicLayer(a, b, logic.Softmax16(2.0), generator=generator)
            for a, b in zip(sizes, sizes[1:], strict=False)  # noqa: RUF007
        ]
        network = logic.Sequential(*layers)
        optimiser = torch.optim.Adam(network.parameters(), 0.05)
        for _ in range(steps):
            loss = functional.binary_cross_entropy(network(x)[:, 0].clamp(1e-6, 1 - 1e-6), wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        circuit = logic.compile(network)
        right = 100 * float((circuit(x)[:, 0] == wanted).float().mean())
        if best is None or (-right, len(circuit.kind)) < (-best[0], best[1]):
            best = (right, len(circuit.kind), circuit)
    if best is None:
        raise ValueError("find_rule(seeds) must be at least 1, got 0.")
    return best[2], best[0]


def formula(circuit: logic.Circuit, names: tuple[str, ...], literal: int | None = None) -> str:
    """The first output in words."""
    literal = int(circuit.literals[0]) if literal is None else literal
    node, negated = literal >> 1, literal & 1
    if node == 0:
        return "true" if negated else "false"
    if node <= circuit.inputs:
        return f"not {names[node - 1]}" if negated else names[node - 1]
    gate = node - 1 - circuit.inputs
    a, b, kind = int(circuit.a[gate]), int(circuit.b[gate]), int(circuit.kind[gate])
    if kind == 0 and negated:  # de Morgan
        return f"({formula(circuit, names, a ^ 1)} or {formula(circuit, names, b ^ 1)})"
    word = "and" if kind == 0 else ("equals" if negated else "differs from")
    return f"({formula(circuit, names, a)} {word} {formula(circuit, names, b)})"
