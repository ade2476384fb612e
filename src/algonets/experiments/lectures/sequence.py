"""Long memory: RNN, GRU and LSTM on the adding problem, longer and longer."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets.experiments import _options
from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._measures import evaluated
from algonets.experiments._pictures import COLOURS, GREY, lines, new_figure, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.nets import LSTMCell, Recurrent

__all__ = ["SequenceExperiment"]

KINDS: dict[str, Callable[..., nn.RNNBase]] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
GUESS = 1 / 6  # variance of the sum of two uniform numbers: the error of always answering 1


@final
class SequenceExperiment(AbstractExperiment):
    """Add the two marked numbers of a sequence: the marks lie far apart, all else must be ignored.

    Args:
        lengths: Of the sequences; the last one is judged.
        hidden: Units of the state.
        steps: Of each network.
        batch_size: Sequences of a step, drawn anew.
        test_size: Sequences of the test.
        common: See the base class.
    """

    name = "sequence"

    def __init__(
        self,
        lengths: list[int] | None = None,
        hidden: int = 32,
        steps: int = 1500,
        batch_size: int = 32,
        test_size: int = 1000,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(lengths=[15, 30, 60] if lengths is None else lengths, hidden=hidden, steps=steps)
        self.keep(batch_size=batch_size, test_size=test_size)
        _options.at_least(2, lengths=min(self.lengths))

    def measure(self) -> Report:
        """Train each kind on each length."""
        errors: dict[str, list[float]] = {kind: [] for kind in KINDS}
        networks: dict[str, _Adder] = {}
        for length in self.lengths:
            x, y = adding(self.test_size, length, torch.Generator().manual_seed(self.seed + 1))
            for kind in KINDS:
                generator = torch.Generator().manual_seed(self.seed + 2)
                torch.manual_seed(self.seed)
                networks[kind] = _Adder(kind, self.hidden)
                self.train(
                    f"{kind.lower()}-{length}", networks[kind], _loss,
                    lambda step, T=length, g=generator: adding(self.batch_size, T, g), self.steps, 1e-2, clip=1.0,
                )  # fmt: skip
                errors[kind].append((evaluated(networks[kind], x) - y).square().mean().item())
        rows = [
            {"network": kind, "weights": sum(p.numel() for p in networks[kind].parameters())}
            | {f"T = {length}": error for length, error in zip(self.lengths, errors[kind], strict=True)}
            for kind in KINDS
        ]
        rows.append({"network": "always 1", "weights": 0} | {f"T = {length}": GUESS for length in self.lengths})
        last = self.lengths[-1]
        criteria = [
            at_most(f"LSTM, squared error at T = {last}", errors["LSTM"][-1], 0.01),
            at_most(f"GRU, squared error at T = {last}", errors["GRU"][-1], 0.01),
            at_least(f"RNN, squared error at T = {last}", errors["RNN"][-1], 0.1),
        ]
        figure = self._draw(errors, networks["LSTM"], last)
        return Report("The adding problem: mean squared error", rows, criteria, figure)

    def _draw(self, errors: dict[str, list[float]], lstm: "_Adder", length: int) -> Any:
        figure = new_figure(12, 4.6)
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.6))
        axes = left.subplots()
        lines(axes, self.lengths, errors)
        axes.axhline(GUESS, color=GREY, ls="--", lw=1, label="always 1")
        axes.axhline(0.01, color=GREY, ls=":", lw=1, label="asked for")
        axes.set(yscale="log", xticks=self.lengths, ylim=(min(min(y) for y in errors.values()) / 30, 0.5))
        tidy(axes, "Only gates carry over long times", "length of the sequence", "squared error")
        axes.legend(frameon=False, fontsize=9, ncols=3, loc="lower center")
        cell = LSTMCell(2, self.hidden)  # ours, with the weights of torch's: it shows its gates
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in lstm.layer.state_dict().items()})
        x, _ = adding(1, length, torch.Generator().manual_seed(self.seed + 3))
        with torch.no_grad():
            trace = Recurrent(cell)(x), Recurrent(cell).trace(x)
        marked = x[0, :, 1].nonzero().flatten().tolist()
        parts = {"input gate": "input", "forget gate": "forget", "memory": "memory"}
        grid = right.subplots(len(parts), 1, sharex=True)
        order = trace[1]["memory"][0, -1].abs().argsort(descending=True)
        for axes, (title, key) in zip(grid, parts.items(), strict=True):
            values = trace[1][key][0][:, order].T
            gate = key != "memory"
            top = 1.0 if gate else values.abs().amax().item()
            axes.imshow(
                values, aspect="auto", cmap="viridis" if gate else "RdBu_r", vmin=0 if gate else -top,
                vmax=top, interpolation="nearest",
            )  # fmt: skip
            for place in marked:
                axes.axvline(place, color=COLOURS[1], lw=1.2)
            axes.set_yticks([])
            tidy(axes, "", "", f"{title}\n{self.hidden} units")
        grid[0].set_title("An LSTM at work: the two marked numbers (lines) are written and kept", fontsize=11)
        grid[-1].set_xlabel("time", fontsize=10)
        return figure


class _Adder(nn.Module):
    """A recurrent layer of torch, and the sum read from its last state."""

    def __init__(self, kind: str, hidden: int):
        super().__init__()
        self.layer = KINDS[kind](2, hidden, batch_first=True)
        self.last = nn.Linear(hidden, 1)
        if kind == "LSTM":  # remember at first
            nn.init.ones_(self.layer.get_parameter("bias_ih_l0")[hidden : 2 * hidden])

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x)[0][:, -1])[:, 0]


def adding(count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw sequences ``(count, length, 2)`` of numbers in [0, 1] and marks, one in each half, and the marked sums."""
    numbers = torch.rand(count, length, generator=generator)
    marks = torch.zeros(count, length)
    half = length // 2
    for low, high in ((0, half), (half, length)):
        places = torch.randint(low, high, (count, 1), generator=generator) if high > low else None
        if places is not None:
            marks.scatter_(1, places, 1.0)
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(-1)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return (network(batch[0]) - batch[1]).square().mean()
