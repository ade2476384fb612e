"""Style: the structure of one picture with the Gram matrices of another."""

from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional

from algonets.experiments import _options
from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._pictures import new_figure, show
from algonets.experiments._report import Report, at_least
from algonets.experiments.lectures._textures import (
    Picture,
    TextureName,
    describer,
    gram_distance,
    make_texture,
    photograph,
)

__all__ = ["StyleExperiment"]


@final
class StyleExperiment(AbstractExperiment):
    """Paint a photograph in the manner of textures: match their Gram matrices, keep light and dark where they are.

    Structure is the correlation of brightness with the photograph, both blurred by two pixels.

    Args:
        textures: The manners.
        filters: ``random``, or the file of a VGG: one of ours, such as ``algonets train classify`` writes, or the state
            of torchvision's VGG-19.
        height: Pixels of the photograph.
        width: Pixels of the photograph.
        steps: Of each picture.
        structure: Price of losing the structure.
        common: See the base class.
    """

    name = "style"

    def __init__(
        self,
        textures: list[TextureName] | None = None,
        filters: str = "random",
        height: int = 64,
        width: int = 96,
        steps: int = 250,
        structure: float = 10.0,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(textures=["waves", "cells", "bricks"] if textures is None else textures, filters=filters)
        self.keep(height=height, width=width, steps=steps, structure=structure)
        _options.at_least(9, height=height, width=width)

    def measure(self) -> Report:
        """Paint it in each manner."""
        describe, judge = describer(self.filters, self.seed), describer("random", self.seed + 1000, colour=False)
        content = photograph(self.height, self.width)
        outline = _normed(_blurred(content))
        rows, pictures = [], {}
        for name in self.textures:
            style = make_texture(name, max(self.height, self.width), self.seed)
            wanted = [part.detach() for part in describe(style)]
            picture = Picture(content)

            def loss(net: Picture, batch: Any, wanted: list[Tensor] = wanted) -> Tensor:
                painted = net()
                kept = (_normed(_blurred(painted)) - outline).square().mean()
                return gram_distance(describe(painted), wanted) + self.structure * kept / 10

            self.train(name, picture, loss, lambda step: torch.zeros(()), self.steps, 0.05)
            with torch.no_grad():
                painted = picture()
                before, after = (gram_distance(describe(x), wanted).item() for x in (content, painted))
                unmet = [gram_distance(judge(x), judge(style)).item() for x in (content, painted)]
                structure = (_normed(_blurred(painted)) * outline).mean().item()
            rows.append({"style": name, "before": before, "after": after, "down": before / after,
                         "down, held-out filters": unmet[0] / unmet[1], "structure": structure})  # fmt: skip
            pictures[name] = (style, painted)
        criteria = [
            at_least("style error, before / after, worst style", min(row["down"] for row in rows), 10.0),
            at_least("structure, worst style", min(row["structure"] for row in rows), 0.9),
        ]
        return Report("A photograph painted in other manners", rows, criteria, self._draw(content, pictures, rows))

    def _draw(self, content: Tensor, pictures: dict[str, tuple[Tensor, Tensor]], rows: list[dict]) -> Any:
        figure = new_figure(4 * (1 + len(pictures)), 5.4)
        grid = figure.subplots(2, 1 + len(pictures), height_ratios=(0.7, 1))
        grid[0, 0].axis("off")
        show(grid[1, 0], content[0].movedim(0, -1), "photograph")
        for column, (row, (style, painted)) in enumerate(zip(rows, pictures.values(), strict=True), 1):
            show(grid[0, column], style[0].movedim(0, -1), row["style"])
            title = f"style error {row['before']:.2f} to {row['after']:.3f}, structure {row['structure']:.2f}"
            show(grid[1, column], painted[0].movedim(0, -1), title)
        return figure


def _blurred(picture: Tensor) -> Tensor:
    """Brightness, averaged over 5 x 5 pixels."""
    return functional.avg_pool2d(picture.mean(1, keepdim=True), 5, 1, 2, count_include_pad=False)


def _normed(x: Tensor) -> Tensor:
    return (x - x.mean()) / x.std(unbiased=False).clamp_min(1e-6)
