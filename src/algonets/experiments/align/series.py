"""Warped signals of a few classes, and classifiers by the nearest average."""

from typing import NamedTuple

import torch

from algonets.dp import SoftDTW, soft_dtw_barycenter

__all__ = ["Series", "averages", "classify", "make_series"]

CLASSES = 3
POINTS = 48


class Series(NamedTuple):
    """Signals (k, n) with their classes (k,)."""

    values: torch.Tensor
    labels: torch.Tensor


def make_series(count: int, generator: torch.Generator) -> Series:
    """Draw signals: two bumps up, up then down, or one broad bump, each at places of its own, with noise."""
    labels = torch.arange(count) % CLASSES
    t = torch.linspace(0, 1, POINTS)
    first = 0.18 + 0.22 * torch.rand(count, 1, generator=generator)
    second = first + 0.2 + 0.25 * torch.rand(count, 1, generator=generator)
    bump = lambda centre, width: torch.exp(-(((t - centre) / width) ** 2))  # noqa: E731
    kinds = torch.stack(
        [
            bump(first, 0.06) + bump(second, 0.06),
            bump(first, 0.06) - bump(second, 0.06),
            bump((first + second) / 2, 0.14),
        ]
    )
    clean = kinds[labels, torch.arange(count)]
    return Series(clean + 0.1 * torch.randn(count, POINTS, generator=generator), labels)


def averages(train: Series, temperature: float) -> dict[str, torch.Tensor]:
    """Return the average (classes, n) of every class: pointwise, and under soft-DTW."""
    members = [train.values[train.labels == k] for k in range(CLASSES)]
    bary = [soft_dtw_barycenter(x.unsqueeze(2), temperature, start=x[:1].T, iterations=30)[:, 0] for x in members]
    return {"mean": torch.stack([x.mean(0) for x in members]), "barycenter": torch.stack(bary)}


def classify(test: Series, centres: torch.Tensor, temperature: float | None) -> float:
    """Return the percentage that is nearest to its own average: Euclidean, or by soft-DTW at a temperature."""
    if temperature is None:
        distances = torch.cdist(test.values, centres)
    else:
        costs = (test.values[:, None, :, None] - centres[None, :, None, :]) ** 2
        distances = SoftDTW(costs, temperature).value()
    return 100 * (distances.argmin(1) == test.labels).double().mean().item()
