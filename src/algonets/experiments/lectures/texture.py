"""Textures: a picture with the same Gram matrices looks like the same stuff, and is another picture."""

from typing import Any, final

import torch
from torch import Tensor

from algonets.experiments import _options
from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._pictures import new_figure, show, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.experiments.lectures._textures import Picture, TextureName, describer, gram_distance, make_texture

__all__ = ["TextureExperiment"]


@final
class TextureExperiment(AbstractExperiment):
    """Turn noise into a texture by the Gram matrices of filters of several sizes; judge by filters it never met.

    Args:
        textures: Which ones.
        filters: ``random``, or the file of a VGG: one of ours, such as ``algonets train classify`` writes, or the state
            of torchvision's VGG-19.
        side: Pixels along a side.
        steps: Of each picture.
        common: See the base class.
    """

    name = "texture"

    def __init__(
        self,
        textures: list[TextureName] | None = None,
        filters: str = "random",
        side: int = 48,
        steps: int = 350,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(textures=["waves", "cells", "bricks"] if textures is None else textures, filters=filters)
        self.keep(side=side, steps=steps)
        _options.at_least(9, side=side)

    def measure(self) -> Report:
        """Find a picture for each texture."""
        describe, judge = describer(self.filters, self.seed), describer("random", self.seed + 1000, colour=False)
        rows, pictures, curves = [], {}, {}
        for name in self.textures:
            truth = make_texture(name, self.side, self.seed)
            wanted = [part.detach() for part in describe(truth)]
            generator = torch.Generator().manual_seed(self.seed)
            noise = torch.rand(truth.shape, generator=generator)
            picture = Picture(0.5 + 0.3 * (noise - 0.5))

            def loss(net: Picture, batch: Any, wanted: list[Tensor] = wanted) -> Tensor:
                return 100 * gram_distance(describe(net()), wanted)

            curves[name] = self.train(name, picture, loss, lambda step: torch.zeros(()), self.steps, 0.1)
            with torch.no_grad():
                made = picture()
                places = torch.randperm(self.side**2, generator=generator)
                shuffled = truth.flatten(2)[..., places].reshape(truth.shape)
                unlike = {key: gram_distance(judge(x), judge(truth)).item() for key, x in
                          {"made": made, "another piece": make_texture(name, self.side, self.seed + 1),
                           "shuffled": shuffled, "noise": noise}.items()}  # fmt: skip
                same = _correlation(made, truth)
            rows.append({"texture": name, **unlike, "pixel correlation": same})
            pictures[name] = [truth, made, shuffled]
        worst = max(row["made"] for row in rows)
        criteria = [
            at_most("Gram error under held-out filters, worst texture", worst, 0.05),
            at_least("shuffled pixels / made, worst texture", min(row["shuffled"] / row["made"] for row in rows), 5.0),
            at_most(
                "it is another picture: |pixel correlation|", max(abs(row["pixel correlation"]) for row in rows), 0.5
            ),
        ]
        figure = self._draw(pictures, curves, rows)
        return Report("Relative Gram error under filters that were not used", rows, criteria, figure)

    def _draw(self, pictures: dict[str, list[Tensor]], curves: dict[str, list[float]], rows: list[dict]) -> Any:
        figure = new_figure(3.0 * len(pictures) + 4, 6.6)
        left, right = figure.subfigures(1, 2, width_ratios=(3.0 * len(pictures), 4))
        grid = left.subplots(3, len(pictures), squeeze=False)
        for column, (name, row) in enumerate(zip(pictures, rows, strict=True)):
            titles = (name, f"made from noise, error {row['made']:.3f}", f"its pixels shuffled, {row['shuffled']:.2f}")
            for axes, picture, title in zip(grid[:, column], pictures[name], titles, strict=True):
                show(axes, picture[0].movedim(0, -1), title)
        axes = right.subplots()
        for name, curve in curves.items():
            axes.semilogy([value / 100 for value in curve], label=name)
        tidy(axes, "Gram error of the filters used", "step", "relative squared error", legend=True)
        return figure


def _correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack([a.mean(1).flatten(), b.mean(1).flatten()]))[0, 1].item()
