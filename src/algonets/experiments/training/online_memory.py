"""Learning online: a memory of some steps, a system whose near influence misleads, memory that does not grow."""

import math
import resource
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._report import Criterion, at_least, at_most
from algonets.experiments.training.study import Study, entry
from algonets.training import UORO, learn_online

__all__ = ["OnlineMemoryExperiment", "bit_stream", "influence"]

UNITS, POSITIVE = 23, 10
TRUNCATIONS = (1, 10, 100)
SMALL = 0.2  # of torch's size of recurrent weights, at first


class OnlineMemoryExperiment(Study):
    """Learn to copy bits after a delay, and to balance influences of opposite sign, while data stream.

    Args:
        seeds: How many.
        delay: Steps after which a bit is asked for.
        units: Of the recurrent network.
        streams: That are read side by side.
        steps: Of the copy task.
        balance_steps: Of influence balancing.
        long_steps: Of one stream, during which memory is watched (first seed only).
        common: See the base class.
    """

    name = "online-memory"

    def __init__(
        self,
        seeds: int = 3,
        delay: int = 4,
        units: int = 16,
        streams: int = 50,
        steps: int = 10_000,
        balance_steps: int = 20_000,
        long_steps: int = 200_000,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(seeds=seeds, delay=delay, units=units, streams=streams)
        self.keep(steps=steps, balance_steps=balance_steps, long_steps=long_steps)

    def prepare(self) -> dict[str, Any]:
        """Run one long stream, and see what it takes."""
        memory = self._long_stream()
        self.console.print(f"{self.long_steps} steps: {memory}")
        return {"long stream": memory}

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Both tasks."""
        copy = {"uoro": self._copy(seed, True), "truncated": self._copy(seed, False)}
        balance = {"uoro": _balance(self.balance_steps, seed, None)}
        for length in TRUNCATIONS:
            balance[f"truncated {length}"] = _balance(self.balance_steps, seed, length)
        return {"copy": copy, "balance": balance}

    def _copy(self, seed: int, online: bool) -> list[float]:
        """Bits a symbol, twenty averages over the run; by UORO, or backpropagation through one step."""
        torch.manual_seed(seed)
        cell, readout = nn.RNNCell(1, self.units), nn.Linear(self.units, 1)
        with torch.no_grad():
            cell.weight_hh.mul_(SMALL)  # else a random network remembers, and a readout is all that must be learnt
        parameters = [*cell.parameters(), *readout.parameters()]
        optimizer = torch.optim.Adam(parameters, 3e-3)
        slower = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + 10 * t / self.steps))
        data = bit_stream(self.streams, self.delay, self.steps, torch.Generator().manual_seed(seed))
        found: list[float] = []
        start = torch.zeros(self.streams, self.units)

        def bits(state: Any, target: Tensor) -> Tensor:
            return functional.binary_cross_entropy_with_logits(readout(state)[:, 0], target)

        if online:
            learner = UORO(cell, start, generator=torch.Generator().manual_seed(seed))
            for loss in learn_online(learner, bits, optimizer, data, trainable=list(readout.parameters())):
                found.append(loss.item())
                slower.step()
        else:
            state = start
            for x, target in data:
                state = cell(x, state.detach())
                loss = bits(state, target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                slower.step()
                found.append(loss.item())
        parts = torch.tensor(found)[: len(found) // 20 * 20].reshape(20, -1).mean(1) / math.log(2)
        return parts.tolist()

    def _long_stream(self) -> dict[str, float]:
        """Resident memory of the process after a twentieth of one long stream, and at its end; only it rises."""
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(self.units, self.units + 1, generator=generator).div(self.units**0.5).requires_grad_()
        readout = torch.zeros(self.units, requires_grad=True)
        optimizer = torch.optim.SGD([weights, readout], 1e-4)
        data = ((x[0], y[0]) for x, y in bit_stream(1, self.delay, self.long_steps, generator))
        learner = UORO(_layer, torch.zeros(self.units), {"weights": weights}, generator=generator)

        def bits(state: Any, target: Tensor) -> Tensor:
            return functional.binary_cross_entropy_with_logits(state @ readout, target)

        early = 0.0
        for step, _ in enumerate(learn_online(learner, bits, optimizer, data, trainable=[readout])):
            if step == self.long_steps // 20:
                early = _peak()
        return {"steps": self.long_steps, "MiB after a twentieth": early, "MiB at the end": _peak()}

    def criteria(self, mean: Any) -> list[Criterion]:
        """The targets."""
        copy, balance, memory = mean["copy"], mean["balance"], self.chosen["long stream"]
        losses = balance["uoro"]["loss"]
        thetas = [balance[f"truncated {n}"]["theta"] for n in TRUNCATIONS]
        return [
            at_most("bits a symbol that UORO needs to copy", copy["uoro"][-1], 0.01),
            at_least("the same, truncated to 1", copy["truncated"][-1], 0.9),
            at_most("balance: loss of UORO, in parts of its first", losses[-1] / losses[0], 0.01),
            at_least(
                "balance: how far the parameter moves the wrong way, truncated to 1, 10 and 100",
                min(theta[-1] - theta[0] for theta in thetas),
                0.01,
            ),
            at_most("MiB that the long stream adds", memory["MiB at the end"] - memory["MiB after a twentieth"], 2.0),
        ]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Ends of both tasks."""
        copy, spread = mean["copy"], deviation["copy"]
        rows = []
        for name in ("uoro", *[f"truncated {n}" for n in TRUNCATIONS]):
            key = "uoro" if name == "uoro" else "truncated"
            bits = entry(copy[key][-1], spread[key][-1], 4) if name in ("uoro", "truncated 1") else ""
            found, width = mean["balance"][name], deviation["balance"][name]
            cells = [entry(found[k][-1], width[k][-1], 4) for k in ("theta", "loss")]
            rows.append(["UORO" if name == "uoro" else name.replace("truncated", "BPTT, truncated to"), bits, *cells])
        return ["method", "copy: bits a symbol", "balancing: parameter (best -1/6)", "balancing: loss"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Bits and parameters as the data stream."""
        left, right = figure.subplots(1, 2)
        times = [self.steps * (k + 0.5) / 20 for k in range(20)]
        for key, title, colour in (("uoro", "UORO", "#1f3b73"), ("truncated", "truncated to 1", "#c0392b")):
            left.plot(times, mean["copy"][key], "o-", ms=3, color=colour, label=title)
        left.axhline(0.01, color="0.7", lw=0.8, ls="--")
        left.set(xlabel="steps", ylabel="bits a symbol", yscale="log", title=f"Copy after {self.delay} steps")
        left.legend(frameon=False, fontsize=8)
        for name, found in mean["balance"].items():
            colour = dict(zip(mean["balance"], ("#1f3b73", "#c0392b", "#d9902f", "0.5"), strict=True))[name]
            times = [self.balance_steps * k / (len(found["theta"]) - 1) for k in range(len(found["theta"]))]
            right.plot(times, found["theta"], color=colour, label="UORO" if name == "uoro" else f"{name}")
        right.axhline(-1 / 6, color="0.7", lw=0.8, ls="--")
        right.set(xlabel="steps", ylabel="parameter", ylim=(-1, 2), title="Influence balancing")
        right.locator_params(axis="x", nbins=5)
        right.legend(frameon=False, fontsize=8)


def bit_stream(count: int, delay: int, steps: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Random bits as ``(count, 1)`` of -1 and 1, and the bits of ``delay`` steps ago as ``(count,)`` of 0 and 1."""
    past = torch.zeros(count, delay + 1)
    for _ in range(steps):
        bit = torch.randint(0, 2, (count,), generator=generator).float()
        past = torch.cat([bit[:, None], past[:, :-1]], 1)
        yield (2 * bit - 1)[:, None], past[:, delay]


def _layer(parameters: Any, x: Tensor, state: Tensor) -> Tensor:
    """A recurrent layer in few operations; a step of ``RNNCell`` takes twice the time."""
    return torch.tanh(parameters["weights"] @ torch.cat([state, x]))


def influence(parameters: Any, x: Any, state: Tensor) -> Tensor:
    """A chain of units, each fed by itself and the next; one parameter drives the near ones up, the far ones down."""
    following = torch.cat([state[1:], state.new_zeros(1)])
    signs = torch.ones_like(state)
    signs[POSITIVE:] = -1
    return 0.5 * state + 0.5 * following + parameters["theta"] * signs


def _balance(steps: int, seed: int, truncation: int | None) -> dict[str, list[float]]:
    """Loss and parameter, twenty-one times; by UORO or backpropagation through ``truncation`` steps."""
    theta = torch.tensor(0.3 + 0.05 * seed, requires_grad=True)
    thetas, losses = [], []
    state = torch.zeros(UNITS)
    for _ in range(200):  # settle
        state = influence({"theta": theta.detach()}, None, state)
    every = max(truncation or 1, steps // 20)
    learner: Any = None
    if truncation is None:
        learner = UORO(influence, state, {"theta": theta}, generator=torch.Generator().manual_seed(seed))
    total, time = torch.zeros(()), 0
    while time <= steps:
        if time % every == 0:
            thetas.append(theta.item())
            losses.append(min(0.5 * (state[0].item() - 1) ** 2, 1e6))
        rate = _RATE / (1 + time / 1000) ** 0.5
        time += 1
        if learner is not None:
            state = learner.advance()
            by_state = torch.zeros(UNITS)
            by_state[0] = state[0] - 1
            gradient = learner.gradient(by_state)["theta"]
        else:
            state = influence({"theta": theta}, None, state)
            total = total + 0.5 * (state[0] - 1).square()
            if time % (truncation or 1):
                continue
            (gradient,) = torch.autograd.grad(total, theta)
            total, state = torch.zeros(()), state.detach()
        with torch.no_grad():
            theta -= rate * gradient
            theta.clamp_(-5, 5)  # those that run away
    return {"theta": thetas, "loss": losses}


_RATE = 3e-5


def _peak() -> float:
    """Peak resident memory of the process so far, MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
