"""New pictures: a network that draws digits, judged by a network that reads them."""

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments import _options
from algonets.experiments._digits import DigitData, Images, load_digits
from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._learner import Learner
from algonets.experiments._measures import accuracy, frechet_distance
from algonets.experiments._pictures import GREY, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.nets import DCGAN, LeNet, VariationalAutoencoder
from algonets.nets.features import features

__all__ = ["GenerateExperiment"]

SIDE = 16


@final
class GenerateExperiment(AbstractExperiment):
    """A DCGAN and a variational autoencoder draw digits of 16 x 16 pixels.

    How good they are is measured in the hidden layer of a LeNet trained to read digits: the Fréchet distance to
    held-out digits (as FID, with this network instead of Inception), and how many of each class it reads.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        steps: Of the DCGAN.
        batch_size: Images of a step.
        latent: Length of a code.
        width: Channels of the DCGAN.
        train_size: Use only so many training images.
        test_size: Images that are drawn for the measure.
        common: See the base class.
    """

    name = "generate"

    def __init__(
        self,
        data: DigitData = "digits",
        steps: int = 2500,
        batch_size: int = 48,
        latent: int = 32,
        width: int = 24,
        train_size: int = 20000,
        test_size: int = 5000,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, steps=steps, batch_size=batch_size, latent=latent, width=width)
        _options.at_least(2, train_size=train_size, test_size=test_size)
        self.keep(train_size=train_size, test_size=test_size)

    def measure(self) -> Report:
        """Train the reader, the DCGAN and its rival; draw and judge."""
        train, test = (_small(load_digits(self.data, part, self.data_dir, n)) for part, n in
                       ((True, self.train_size), (False, self.test_size)))  # fmt: skip
        reader = LeNet((1, SIDE, SIDE))
        self.train("reader", reader, _read, minibatches(train, 64, self.seed), self.steps, 3e-3)
        gan = DCGAN((1, SIDE, SIDE), self.latent, self.width)
        batches = minibatches((2 * train.images - 1,), self.batch_size, self.seed)
        self.fit("dcgan", _Adversaries(gan, self.steps), batches, self.steps)
        rival = VariationalAutoencoder(SIDE * SIDE, 256, self.latent)
        flat = minibatches((train.images.flatten(1),), self.batch_size, self.seed)
        self.train("variational", rival, lambda net, batch: net.loss(batch[0]), flat, self.steps, 1e-3)
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            drawn = {
                "DCGAN": gan.draw(self.test_size, generator) / 2 + 0.5,
                "variational autoencoder": rival.sample(self.test_size, generator).sigmoid().reshape(-1, 1, SIDE, SIDE),
                "noise": torch.rand(self.test_size, 1, SIDE, SIDE, generator=generator),
            }
        seen = _hidden(reader, test.images)
        some = torch.randperm(len(train.images), generator=generator)[: self.test_size]
        rows: list[dict[str, Any]] = []
        for name, images in {"real (training part)": train.images[some], **drawn}.items():
            share = torch.bincount(reader(images).argmax(-1), minlength=10) / len(images)
            distance = frechet_distance(_hidden(reader, images), seen)
            rows.append({"images": name, "distance": distance, "rarest class": share.min().item()})
            rows[-1]["nearest training image"] = _nearest(images[:200], train.images)
        found = {row["images"]: row for row in rows}
        criteria = [
            at_most("DCGAN, Fréchet distance", found["DCGAN"]["distance"], 25.0),
            at_least("DCGAN, share of the rarest class", found["DCGAN"]["rarest class"], 0.04),
            at_least("the reader on held-out digits", accuracy(reader, test.images, test.labels), 0.95),
        ]
        figure = self._draw(gan, drawn, test, rows)
        return Report("Digits that nobody wrote", rows, criteria, figure)

    def _draw(self, gan: DCGAN, drawn: dict[str, Tensor], test: Images, rows: list[dict]) -> Any:
        figure = new_figure(13, 5.4)
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.5, 1))
        grid = top.subplots(1, 3)
        named = {
            "real": test.images,
            "DCGAN": drawn["DCGAN"],
            "variational autoencoder": drawn["variational autoencoder"],
        }
        for axes, (name, images) in zip(grid, named.items(), strict=True):
            show(axes, mosaic(1 - images[:60], 12, gap=0), name)
        strip, distance = bottom.subplots(1, 2, width_ratios=(1.6, 1))
        ends = torch.randn(4, 2, self.latent, generator=torch.Generator().manual_seed(self.seed + 4))
        with torch.no_grad():  # between normal codes on the sphere, as the middle of a line is no likely code
            angle = torch.linspace(0, torch.pi / 2, 12)[None, :, None]
            between = gan((ends[:, :1] * angle.cos() + ends[:, 1:] * angle.sin()).flatten(0, 1)) / 2 + 0.5
        show(strip, mosaic(1 - between, 12, gap=0), "from one code to another (DCGAN)")
        names = [row["images"] for row in rows[:3]]
        distance.barh(names, [row["distance"] for row in rows[:3]], color="#1f3b73")
        for k, row in enumerate(rows[:3]):
            distance.text(row["distance"], k, f" {row['distance']:.1f}", va="center", fontsize=9)
        distance.axvline(25, color=GREY, ls="--", lw=1)
        distance.invert_yaxis()
        tidy(
            distance,
            f"distance to held-out digits (noise: {rows[3]['distance']:.0f})",
            "Fréchet distance of a reader's features",
        )
        return figure


class _Adversaries(Learner):
    """The two optimisers of a DCGAN, in turn."""

    network: DCGAN

    def __init__(self, network: DCGAN, steps: int):
        super().__init__(network, lambda net, batch: torch.zeros(()), steps, 2e-3)
        self.automatic_optimization = False

    def training_step(self, batch: tuple[Tensor], step: int) -> None:
        """One step of the judge, one of the artist."""
        judge, artist = self.optimizers()  # pyright: ignore[reportGeneralTypeIssues]
        images = batch[0]
        codes = torch.randn(len(images), self.network.latent, device=images.device)
        judged, drawn = self.network.losses(images, codes)
        judge.zero_grad()
        artist.zero_grad()
        self.manual_backward(judged, retain_graph=True)
        kept = [p.grad for p in self.network.discriminator.parameters()]
        judge.zero_grad()
        self.manual_backward(drawn)
        for parameter, gradient in zip(self.network.discriminator.parameters(), kept, strict=True):
            parameter.grad = gradient  # the artist's loss went through the judge, too
        judge.step()
        artist.step()
        self.note(judged + drawn)

    def configure_optimizers(self) -> Any:
        """Adam for each, with little momentum, as in the paper."""
        parts = (self.network.discriminator, self.network.generator)
        return [
            torch.optim.Adam(part.parameters(), 2e-4 if i == 0 else 1e-3, (0.5, 0.999)) for i, part in enumerate(parts)
        ], []


def _small(part: Images) -> Images:
    size = (SIDE, SIDE)
    small = functional.interpolate(part.images, size, mode="bilinear", align_corners=False, antialias=True)
    return Images(small.clamp(0, 1), part.labels)


def _read(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(network(batch[0]), batch[1])


@torch.no_grad()
def _hidden(reader: LeNet, images: Tensor) -> Tensor:
    return features(reader, images, ["classifier.4"])["classifier.4"]


def _nearest(images: Tensor, train: Tensor) -> float:
    """Mean distance to the nearest training image: near 0 would mean that it copies."""
    return torch.cdist(images.flatten(1), train.flatten(1)).amin(1).mean().item()
