"""Drawing chairs: from class and view to picture, for views and chairs that were never seen."""

import math
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional

from algonets.data import Chairs
from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._measures import device_of, iou
from algonets.experiments._pictures import GREY, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least
from algonets.nets import UpConvNet

__all__ = ["ChairsExperiment"]

GOALS = {"unseen views": 0.85, "between two chairs": 0.85, "chair arithmetic": 0.78}


@final
class ChairsExperiment(AbstractExperiment):
    """A network draws chairs whose number and azimuth it is told, then views and chairs that it never saw.

    Unseen views are compared with the nearest view of the same chair; halves of two chairs and ``a - b + c`` with the
    same sum of the pictures. The truth is rendered from the measures of the chairs, which the network is never told.

    Args:
        chairs: How many.
        views: Azimuths of each; a quarter of them is held out.
        steps: Of training.
        batch_size: Pictures of a step.
        width: Channels of the network.
        side: Pixels of a picture, a multiple of 8.
        tests: New chairs, of each kind.
        common: See the base class.
    """

    name = "chairs"

    def __init__(
        self,
        chairs: int = 80,
        views: int = 24,
        steps: int = 4000,
        batch_size: int = 64,
        width: int = 16,
        side: int = 32,
        tests: int = 60,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(chairs=chairs, views=views, steps=steps, batch_size=batch_size, width=width, side=side, tests=tests)

    def measure(self) -> Report:
        """Render, train, draw what was not seen."""
        generator = torch.Generator().manual_seed(self.seed)
        source = Chairs(self.side)
        shapes = source.draw(self.chairs, generator)
        turns = torch.arange(self.views) * math.tau / self.views
        which, turn = (part.flatten() for part in torch.meshgrid(
            torch.arange(self.chairs), torch.arange(self.views), indexing="ij"))  # fmt: skip
        images, masks = source.render(shapes[which], turns[turn])
        held_out = torch.rand(len(which), generator=generator) < 0.25
        seen = ~held_out
        network = UpConvNet(self.chairs, 2, 3, (1, self.side, self.side), self.width)
        batches = minibatches((which[seen], turns[turn][seen], images[seen], masks[seen]), self.batch_size, self.seed)
        moves = torch.Generator().manual_seed(self.seed + 1)
        self.train("chairs", network, _loss, lambda step: _moved(batches(step), moves), self.steps, 3e-3)
        eye = torch.eye(self.chairs)
        views = turns[turn[held_out]]
        drawn = {"unseen views": _draw(network, eye[which[held_out]], views)}
        truth = {"unseen views": (images[held_out], masks[held_out])}
        table = torch.where(seen, turn, 10**6).reshape(self.chairs, self.views)
        gap = (table[which[held_out]] - turn[held_out, None]).abs()
        nearest = torch.minimum(gap, self.views - gap).abs().argmin(-1)  # the nearest seen view of the same chair
        plain = {"unseen views": masks.reshape(self.chairs, self.views, *masks.shape[1:])[which[held_out], nearest]}
        for kind, (weights, measures, view) in self._new_chairs(shapes, generator).items():
            drawn[kind], truth[kind] = _draw(network, weights, view), source.render(measures, view)
            plain[kind] = (_summed(source, shapes, weights, view) > 0.5).float()
        rows = []
        for kind in GOALS:
            ours = iou(drawn[kind][1] > 0.5, truth[kind][1] > 0.5).mean().item()
            theirs = iou(plain[kind] > 0.5, truth[kind][1] > 0.5).mean().item()
            grey = (drawn[kind][0] - truth[kind][0]).abs().mean().item()
            rows.append(
                {"drawn": kind, "pictures": len(drawn[kind][0]), "IoU": ours, "baseline": theirs, "grey error": grey}
            )
        criteria = [at_least(f"IoU, {row['drawn']}", row["IoU"], GOALS[row["drawn"]]) for row in rows]
        criteria += [at_least(f"IoU - baseline, {row['drawn']}", row["IoU"] - row["baseline"], 0.05) for row in rows]
        figure = self._picture(network, shapes, turns, drawn, truth, rows)
        return Report("Chairs that were never seen: overlap of the masks", rows, criteria, figure)

    def _new_chairs(self, shapes: Tensor, generator: torch.Generator) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Weights of the classes, true measures and azimuths of halves of two chairs, and of ``a - b + c``."""
        found = {}
        for kind, signs in (("between two chairs", (0.5, 0.5)), ("chair arithmetic", (1.0, -1.0, 1.0))):
            weights, measures = [], []
            for _ in range(1000 * self.tests):
                some = torch.randperm(self.chairs, generator=generator)[: len(signs)]
                sum_of = (torch.tensor(signs)[:, None] * shapes[some]).sum(0)
                if ((sum_of >= 0) & (sum_of <= 1)).all():  # a chair that the data could have had
                    weights.append(torch.zeros(self.chairs).index_put((some,), torch.tensor(signs)))
                    measures.append(sum_of)
                if len(weights) == self.tests:
                    break
            view = math.tau * torch.rand(len(weights), generator=generator)
            found[kind] = (torch.stack(weights), torch.stack(measures), view)
        return found

    def _picture(self, network: UpConvNet, shapes: Tensor, turns: Tensor, drawn: Any, truth: Any, rows: list) -> Any:
        figure = new_figure(13, 5.6)
        left, right = figure.subfigures(1, 2, width_ratios=(1.9, 1))
        top, middle = left.subplots(2, 1, height_ratios=(1, 1.4))
        share = torch.linspace(0, 1, 10)[:, None]
        ends = torch.eye(self.chairs)[:4]
        rows_of = [
            _draw(network, (1 - share) * ends[2 * k] + share * ends[2 * k + 1], turns[2 + k].expand(10))[0]
            for k in (0, 1)
        ]
        rows_of.append(_draw(network, ends[:1].expand(10, -1), torch.linspace(0, math.tau, 11)[:10])[0])
        show(top, mosaic(torch.cat(rows_of), 10), "", rows=("chair to chair", "chair to chair", "a turn"),
             cmap="gray")  # fmt: skip
        top.set_title("what the network draws", fontsize=11)
        sheet, names = [], []
        for kind in GOALS:
            sheet += [truth[kind][0][:10], drawn[kind][0][:10]]
            names += [f"{kind}: true", "drawn"]
        show(middle, mosaic(torch.cat(sheet), 10), "never seen in training", rows=names)
        axes = right.subplots()
        place = torch.arange(len(rows))
        for shift, key, colour in ((-0.2, "IoU", "#1f3b73"), (0.2, "baseline", "0.7")):
            axes.bar(
                place + shift, [row[key] for row in rows], 0.4, color=colour, label="network" if shift < 0 else key
            )
            for k, row in enumerate(rows):
                axes.text(k + shift, row[key], f"{row[key]:.2f}", ha="center", va="bottom", fontsize=9)
        for k, goal in enumerate(GOALS.values()):
            axes.plot([k - 0.45, k + 0.45], [goal, goal], color=GREY, ls="--", lw=1)
        axes.set_xticks(place, [row["drawn"].replace(" ", "\n", 1) for row in rows])
        axes.set_ylim(0, 1.15)
        tidy(axes, "overlap with the true mask", "", "IoU", legend=True)
        return figure


@torch.no_grad()
def _draw(network: UpConvNet, weights: Tensor, azimuth: Tensor) -> tuple[Tensor, Tensor]:
    """Picture and mask."""
    device = device_of(network)
    image, mask = network(weights.to(device), _circle(azimuth).to(device))
    return image.sigmoid().cpu(), (mask > 0).float().cpu()


def _summed(source: Chairs, shapes: Tensor, weights: Tensor, views: Tensor) -> Tensor:
    """The same sums of masks instead of classes: what one gets without a network."""
    masks = []
    for row, view in zip(weights, views, strict=True):
        used = row != 0
        _, parts = source.render(shapes[used], view.expand(int(used.sum())))
        masks.append((parts * row[used][:, None, None, None]).sum(0))
    return torch.stack(masks)


def _circle(azimuth: Tensor) -> Tensor:
    return torch.stack([azimuth.sin(), azimuth.cos()], -1)


def _moved(batch: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
    """Enlarge and displace half of the pictures by a transform that the network is told."""
    which, azimuth, images, masks = batch
    draw = 2 * torch.rand(len(which), 3, generator=generator) - 1
    draw = draw * (torch.rand(len(which), 1, generator=generator) < 0.5)
    zoom, shift = 1 + 0.15 * draw[:, 0], 0.12 * draw[:, 1:]
    matrix = torch.zeros(len(which), 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = zoom
    matrix[:, :, 2] = shift
    both = torch.cat([1 - images, masks], 1)  # outside is background
    grid = functional.affine_grid(matrix, list(both.shape), align_corners=False)
    image, mask = functional.grid_sample(both, grid, align_corners=False).split(1, 1)
    return which, azimuth, draw, 1 - image, mask


def _loss(network: UpConvNet, batch: tuple[Tensor, ...]) -> Tensor:
    which, azimuth, transform, images, masks = batch
    classes = functional.one_hot(which, network.num_classes).float()
    image, mask = network(classes, _circle(azimuth), transform)
    picture = (image.sigmoid() - images).square().mean()
    return 10 * picture + functional.binary_cross_entropy_with_logits(mask, masks.clamp(0, 1))
