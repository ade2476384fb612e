"""Segmentation: what skip connections and remembered maxima are worth at the outlines."""

from collections.abc import Callable
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.data import AerialBuildings, Shapes
from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._measures import boundary_f, evaluated, mean_iou
from algonets.experiments._pictures import bars, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least
from algonets.nets import SegNet, UNet

__all__ = ["SegmentExperiment"]

SHOWN = 4


@final
class SegmentExperiment(AbstractExperiment):
    """U-Net hands whole maps across, SegNet the places of maxima, the third network nothing.

    Args:
        data: shapes are generated; aerial are tiles with buildings, read from the data directory.
        steps: Of each network.
        batch_size: Pictures of a step.
        width: Channels at full resolution.
        train_size: Generated training pictures.
        test_size: Generated test pictures.
        crop: Side of the crops of aerial tiles.
        zoom: Of the aerial tiles, 19, 20 or 21.
        common: See the base class.
    """

    name = "segment"

    def __init__(
        self,
        data: Literal["shapes", "aerial"] = "shapes",
        steps: int = 350,
        batch_size: int = 8,
        width: int = 8,
        train_size: int = 600,
        test_size: int = 200,
        crop: int = 64,
        zoom: Literal[19, 20, 21] = 20,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, steps=steps, batch_size=batch_size, width=width)
        self.keep(train_size=train_size, test_size=test_size, crop=crop, zoom=zoom)

    def measure(self) -> Report:
        """Train three networks, look at their maps."""
        batches, images, masks, known = self._shapes() if self.data == "shapes" else self._aerial()
        kinds: dict[str, Callable[[], nn.Module]] = {
            "U-Net": lambda: UNet(3, 2, 3, self.width),
            "SegNet": lambda: SegNet(3, 2, 3, self.width),
            "no skip": lambda: UNet(3, 2, 3, self.width, skip=False),
        }
        rows, maps = [], {}
        for name, build in kinds.items():
            torch.manual_seed(self.seed)
            network = build()
            self.train(name.lower().replace(" ", "-"), network, _loss, batches(), self.steps, 5e-3)
            found = evaluated(network, images, at_once=20).argmax(1)
            seen = found * known + masks * (1 - known)  # where the photograph has no data nothing is judged
            rows.append({
                "network": name,
                "weights": sum(p.numel() for p in network.parameters()),
                "mean IoU": mean_iou(seen, masks, 2),
                "boundary F": boundary_f(seen[:, None] > 0, masks[:, None] > 0).mean().item(),
            })  # fmt: skip
            maps[name] = found[:SHOWN]
        scores = {row["network"]: row["mean IoU"] for row in rows}
        criteria = [at_least("U-Net - no skip, mean IoU", scores["U-Net"] - scores["no skip"], 0.04)]
        if self.data == "shapes":
            criteria.insert(0, at_least("U-Net, mean IoU", scores["U-Net"], 0.95))
        figure = self._draw(images, masks, maps, rows)
        return Report(f"Held-out {self.data}", rows, criteria, figure)

    def _shapes(self) -> tuple[Any, Tensor, Tensor, Tensor]:
        train, test = Shapes(True, self.train_size, seed=self.seed), Shapes(False, self.test_size, seed=self.seed)
        masks = test.masks[:, 0].long()
        images, seen = (0.6 * part.images + 0.4 * part.masks for part in (train, test))  # shapes are the brighter part
        tensors = (images, train.masks[:, 0].long(), torch.ones_like(train.masks[:, 0]))
        return lambda: minibatches(tensors, self.batch_size, self.seed), seen, masks, torch.ones_like(masks)

    def _aerial(self) -> tuple[Any, Tensor, Tensor, Tensor]:
        sets = [AerialBuildings(part, self.zoom, self.data_dir) for part in (True, False)]
        train, test = ([torch.stack(part) for part in zip(*[d[i] for i in range(len(d))], strict=True)] for d in sets)
        return lambda: self._crops(train), test[0], test[1][:, 0].long(), test[2][:, 0].long()

    def _crops(self, train: list[Tensor]) -> Callable[[int], tuple[Tensor, ...]]:
        """Random crops, turned and mirrored."""
        generator = torch.Generator().manual_seed(self.seed)
        joined, side = torch.cat(train, 1), self.crop

        def draw(high: int) -> int:
            return int(torch.randint(high, (), generator=generator))

        def batch(step: int) -> tuple[Tensor, ...]:
            crops = []
            for _ in range(self.batch_size):
                n, top, left = draw(len(joined)), *(draw(size - side + 1) for size in joined.shape[-2:])
                crop = joined[n, :, top : top + side, left : left + side].rot90(draw(4), (1, 2))
                crops.append(crop.flip(-1) if draw(2) else crop)
            image, mask, known = torch.stack(crops).split([3, 1, 1], 1)
            return image, mask[:, 0].long(), known[:, 0]

        return batch

    def _draw(self, images: Tensor, masks: Tensor, maps: dict[str, Tensor], rows: list[dict]) -> Any:
        figure = new_figure(13, 6)
        pictures, overlap = figure.subplots(1, 2, width_ratios=(1.7, 1))
        sheet = [images[:SHOWN], masks[:SHOWN, None].expand(-1, 3, -1, -1).float()]
        sheet += [_compared(found, masks[:SHOWN]) for found in maps.values()]
        show(
            pictures,
            mosaic(torch.cat(sheet), SHOWN),
            "held out; wrong pixels are red",
            rows=("picture", "truth", *maps),
        )
        overlap.remove()
        axes = figure.add_subplot(overlap.get_gridspec()[0, 1])
        values = {f"{row['network']}\n{key}": row[key] for key in ("mean IoU", "boundary F") for row in rows}
        bars(axes, values, 0.95 if self.data == "shapes" else None)
        axes.set_ylim(min(values.values()) - 0.1, 1.02)
        axes.tick_params(axis="x", labelrotation=60)
        tidy(axes, "Overlap, and outlines")
        return figure


def _compared(found: Tensor, truth: Tensor) -> Tensor:
    """White where both say shape, red where they differ."""
    grey = (found & truth).float()
    wrong = (found != truth).float()
    return torch.stack([torch.maximum(grey, 0.9 * wrong), torch.maximum(grey * (1 - wrong), 0.1 * wrong), grey], 1)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    images, masks, known = batch
    losses = functional.cross_entropy(network(images), masks, reduction="none")
    return (losses * known).sum() / known.sum().clamp_min(1)
