"""Nowcasting: what a convolutional memory learns in one half of the picture holds in the other."""

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._measures import evaluated
from algonets.experiments._pictures import bars, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.nets import ConvLSTM

__all__ = ["NowcastExperiment"]

SIDE, SEEN, AHEAD = 16, 5, 4
PLACES = {"seen half": 0, "unseen half": SIDE}


@final
class NowcastExperiment(AbstractExperiment):
    """ConvLSTM, an LSTM on all pixels, and the last frame again: drifting clouds, trained in the left half only.

    Args:
        steps: Of each network.
        batch_size: Films of a step, drawn anew.
        channels: Of the ConvLSTM's memory.
        units: Of the LSTM.
        test_size: Films of the test, in each half.
        common: See the base class.
    """

    name = "nowcast"

    def __init__(
        self,
        steps: int = 450,
        batch_size: int = 16,
        channels: int = 12,
        units: int = 256,
        test_size: int = 200,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(steps=steps, batch_size=batch_size, channels=channels, units=units, test_size=test_size)

    def measure(self) -> Report:
        """Train in the left half, forecast in both."""
        networks: dict[str, nn.Module] = {
            "ConvLSTM": ConvLSTM(1, (self.channels,), 3),
            "FC-LSTM": _FlatLSTM(self.units),
            "copy the last": _Copy(),
        }
        for name, network in networks.items():
            if not isinstance(network, _Copy):
                # Most pixels are empty. Without this start ConvLSTM learns just that, and nothing else.
                nn.init.constant_(network.get_parameter("last.bias"), -3.0)
                draws = torch.Generator().manual_seed(self.seed)
                self.train(
                    name.lower(),
                    network,
                    _loss,
                    lambda step, g=draws: clouds(self.batch_size, 0, g),
                    self.steps,
                    1e-2,
                    clip=1.0,
                )
        films = {
            half: clouds(self.test_size, left, torch.Generator().manual_seed(self.seed + 1))
            for half, left in PLACES.items()
        }
        errors: dict[str, dict[str, float]] = {}
        forecasts: dict[str, Tensor] = {}
        for name, network in networks.items():
            wrapped = _Forecast(network)
            found = {half: evaluated(wrapped, film[:, :SEEN], at_once=50) for half, film in films.items()}
            errors[name] = {
                half: (found[half] - films[half][:, SEEN:]).square().mean().item() for half in PLACES
            }  # over the whole picture
            forecasts[name] = found["unseen half"][0, :, 0]
        rows: list[dict[str, Any]] = [
            {"system": name, **by, "unseen / seen": by["unseen half"] / by["seen half"]} for name, by in errors.items()
        ]
        ratio = {row["system"]: row["unseen / seen"] for row in rows}
        criteria = [
            at_most("ConvLSTM, unseen / seen error", ratio["ConvLSTM"], 1.3),
            at_least("FC-LSTM, unseen / seen error", ratio["FC-LSTM"], 2.0),
            at_most(
                "ConvLSTM / copying, unseen half",
                errors["ConvLSTM"]["unseen half"] / errors["copy the last"]["unseen half"], 0.5,
            ),
        ]  # fmt: skip
        figure = self._draw(films["unseen half"][0, :, 0], forecasts, errors)
        return Report(f"Mean squared error of {AHEAD} frames ahead", rows, criteria, figure)

    def _draw(self, film: Tensor, forecasts: dict[str, Tensor], errors: dict[str, dict[str, float]]) -> Any:
        figure = new_figure(13, 4.4)
        frames, error = figure.subplots(1, 2, width_ratios=(1.5, 1))
        sheet = torch.cat([film[SEEN - AHEAD : SEEN], film[SEEN:], *forecasts.values()])
        names = ("seen", "what came", *forecasts)
        show(
            frames, mosaic(1 - sheet, AHEAD, fill=0.7), "a film in the half where nothing was ever trained", rows=names
        )
        values = {f"{name}\n{half}": by[half] for name, by in errors.items() for half in PLACES}
        bars(error, values, form="{:.4f}")
        error.tick_params(axis="x", labelrotation=55)
        tidy(error, "Convolutions take along what they learnt", "", "squared error")
        return figure


class _FlatLSTM(nn.Module):
    """An LSTM that sees a frame as so many numbers: each place is new to it."""

    def __init__(self, units: int):
        super().__init__()
        self.cell = nn.LSTMCell(2 * SIDE * SIDE, units)
        self.last = nn.Linear(units, 2 * SIDE * SIDE)

    def forward(self, frames: Tensor, ahead: int) -> Tensor:
        first, *others = frames.flatten(2).unbind(1)
        state = self.cell(first)
        for frame in others:
            state = self.cell(frame, state)
        found = [self.last(state[0])]
        while len(found) < ahead:
            state = self.cell(found[-1].sigmoid(), state)
            found.append(self.last(state[0]))
        return torch.stack(found, 1).reshape(len(frames), ahead, 1, SIDE, 2 * SIDE)


class _Copy(nn.Module):
    """The last frame again."""

    def forward(self, frames: Tensor, ahead: int) -> Tensor:
        return torch.logit(frames[:, -1:].expand(-1, ahead, -1, -1, -1), 1e-6)


class _Forecast(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.network(frames, AHEAD).sigmoid()


def clouds(count: int, left: int, generator: torch.Generator) -> Tensor:
    """Films ``(count, SEEN + AHEAD, 1, SIDE, 2 SIDE)`` of two spots that drift through one half and stay in it."""
    length = SEEN + AHEAD
    time = torch.arange(length, dtype=torch.float32)
    film = torch.zeros(count, length, SIDE, 2 * SIDE)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(2 * SIDE), indexing="ij")
    for _ in range(2):
        velocity = torch.randint(-1, 2, (count, 2), generator=generator).float()
        size = 1.0 + 0.8 * torch.rand(count, 1, 1, 1, generator=generator)
        room = SIDE - 6.0 - (length - 1) * velocity.abs()
        start = 3.0 + room * torch.rand(count, 2, generator=generator) - (length - 1) * velocity.clamp_max(0)
        place = start[:, None] + velocity[:, None] * time[:, None]
        dy, dx = y - place[..., 0, None, None], x - left - place[..., 1, None, None]
        film = torch.maximum(film, torch.exp(-(dy.square() + dx.square()) / (2 * size.square())))
    return film[:, :, None]


def _loss(network: nn.Module, films: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(network(films[:, :SEEN], AHEAD), films[:, SEEN:])
