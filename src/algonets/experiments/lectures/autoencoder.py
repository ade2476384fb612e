"""Codes: a linear autoencoder is PCA, a deep one beats it, and pretraining helps where labels are few."""

from typing import Any, NamedTuple, cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._digits import DigitData, load_digits
from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._measures import accuracy
from algonets.experiments._pictures import bars, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.nets import Autoencoder

__all__ = ["AutoencoderExperiment"]

HIDDEN = {"digits": (128, 64), "mnist": (256, 64)}


class _Pca(NamedTuple):
    """Mean, principal components ``(n, k)``; restores by projection."""

    mean: Tensor
    axes: Tensor

    def encode(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.axes

    def __call__(self, x: Tensor) -> Tensor:
        return self.encode(x) @ self.axes.T + self.mean


@final
class AutoencoderExperiment(AbstractExperiment):
    """Linear and deep autoencoders against PCA; a classifier on pretrained codes against one from nothing.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        code: Length of the code.
        steps: Of each autoencoder and of each stage of the pretraining.
        batch_size: Images of a step.
        train_size: Use only so many training images.
        labels: How many labels the classifiers see.
        draws: How many sets of labels.
        tuning: Steps of the classifiers.
        common: See the base class.
    """

    name = "autoencoder"

    def __init__(
        self,
        data: DigitData = "digits",
        code: int = 10,
        steps: int = 3000,
        batch_size: int = 128,
        train_size: int = 10000,
        labels: list[int] | None = None,
        draws: int = 8,
        tuning: int = 400,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, code=code, steps=steps, batch_size=batch_size, train_size=train_size)
        self.keep(labels=[50, 100] if labels is None else labels, draws=draws, tuning=tuning)

    def measure(self) -> Report:
        """Compress, restore, classify."""
        train, test = (load_digits(self.data, part, self.data_dir, n) for part, n in
                       ((True, self.train_size), (False, 5000)))  # fmt: skip
        x, held_out = train.images.flatten(1), test.images.flatten(1)
        pca = _pca(x, self.code)
        linear = Autoencoder((x.shape[1], self.code), "identity")
        deep = Autoencoder((x.shape[1], *HIDDEN[self.data], self.code), "elu")
        plane = Autoencoder((x.shape[1], *HIDDEN[self.data], 2), "elu")
        centred = x - x.mean(0)
        whole = min(len(x), 2000)
        self.train("linear", linear, _restore, minibatches((centred,), max(whole, self.batch_size)), self.steps, 3e-3)
        for name, net in (("deep", deep), ("plane", plane)):
            self.train(name, net, _restore, minibatches((centred,), self.batch_size, self.seed), self.steps, 3e-3)
        systems: dict[str, Any] = {"PCA": pca, "linear autoencoder": linear, "deep autoencoder": deep}
        errors = {name: [_error(net, part, x.mean(0)) for part in (x, held_out)] for name, net in systems.items()}
        few = self._few_labels(train, test)
        rows: list[dict[str, Any]] = [
            {"system": name, "code": self.code, "error, training": a, "error, test": b}
            for name, (a, b) in errors.items()
        ]
        ratio = errors["linear autoencoder"][0] / errors["PCA"][0]
        criteria = [
            at_most("linear autoencoder / PCA, training error", ratio, 1.001),
            at_least("PCA is the best plane: linear autoencoder / PCA", ratio, 1 - 1e-4),
            at_most("deep autoencoder / PCA, test error", errors["deep autoencoder"][1] / errors["PCA"][1], 0.7),
        ]
        criteria += [
            at_least(f"points gained by pretraining, {n} labels", few[n]["pretrained"] - few[n]["from nothing"], 1.5)
            for n in self.labels
        ]
        figure = self._draw(train, test, {**systems, "mean": x.mean(0)}, plane, few)
        angle = torch.linalg.svdvals(pca.axes.T @ torch.linalg.qr(linear.decoder.state_dict()["0.weight"]).Q)
        found = {"few labels": few, "cosines of the principal angles": angle.tolist()}
        return Report(f"{self.code} numbers for a digit: mean squared error", rows, criteria, figure, found)

    def _few_labels(self, train: Any, test: Any) -> dict[int, dict[str, float]]:
        """Mean accuracy, in percent, of classifiers with and without pretraining."""
        x, held_out = train.images.flatten(1), test.images.flatten(1)
        sizes = (x.shape[1], *HIDDEN[self.data])
        deep = Autoencoder(sizes, "sigmoid", "sigmoid", noise=0.3)
        seen = x
        for k in range(len(sizes) - 1):  # layer by layer: each learns to restore what the one below gives
            stage = deep.stage(k)
            self.train(f"stage-{k}", stage, lambda net, batch: net.loss(batch[0]),
                       minibatches((seen,), self.batch_size, self.seed), self.steps, 3e-3)  # fmt: skip
            with torch.no_grad():
                seen = stage.encode(seen)
        found: dict[int, dict[str, float]] = {}
        for count in self.labels:
            generator = torch.Generator().manual_seed(self.seed)
            kept = [torch.randperm(len(x), generator=generator)[:count] for _ in range(self.draws)]
            found[count] = {}
            for way in ("from nothing", "pretrained"):
                torch.manual_seed(self.seed)
                nets = nn.ModuleList(Autoencoder(sizes, "sigmoid", "sigmoid").classifier(10) for _ in kept)
                if way == "pretrained":
                    for net in nets:
                        cast(nn.Sequential, net)[0].load_state_dict(deep.encoder.state_dict())
                batch = [(x[some], train.labels[some]) for some in kept]
                self.train(
                    f"{count}-{way.replace(' ', '-')}", nets, _all_right, lambda step, b=batch: b, self.tuning, 1e-2
                )
                found[count][way] = 100 * sum(accuracy(net, held_out, test.labels) for net in nets) / len(nets)
        return found

    def _draw(self, train: Any, test: Any, systems: dict[str, Any], plane: Autoencoder, few: dict) -> Any:
        figure = new_figure(13, 4.2)
        images, pca, code, labels = figure.subplots(1, 4, width_ratios=(1.35, 1, 1, 0.9))
        some, mean = test.images[:8], systems["mean"]
        with torch.no_grad():
            flat = some.flatten(1)
            restored = [flat, systems["PCA"](flat), systems["deep autoencoder"](flat - mean) + mean]
            sheet = mosaic(1 - torch.cat(restored).reshape(-1, *some.shape[1:]), len(some))
            x = test.images[:1500].flatten(1)
            places = {"PCA": _pca(train.images.flatten(1), 2).encode(x), "deep autoencoder": plane.encode(x - mean)}
        show(images, sheet, f"restored from {self.code} numbers", rows=("digit", "PCA", "deep"))
        for axes, (name, z) in zip((pca, code), places.items(), strict=True):
            axes.scatter(z[:, 0], z[:, 1], c=test.labels[:1500], cmap="tab10", s=5)
            axes.set(xticks=[], yticks=[])
            tidy(axes, f"2 numbers, {name}")
        for digit in range(10):
            z = places["deep autoencoder"][test.labels[:1500] == digit]
            code.text(*z.median(0).values.tolist(), str(digit), fontsize=13, weight="bold", ha="center", va="center")
        names = {f"{n},\n{'pre' if way == 'pretrained' else 'none'}": v for n in few for way, v in few[n].items()}
        bars(labels, names, form="{:.1f}")
        labels.set_ylim(min(names.values()) - 10, max(names.values()) + 2)
        tidy(labels, "few labels, with and\nwithout pretraining", "", "test accuracy, %")
        return figure


def _restore(net: Autoencoder, batch: tuple[Tensor]) -> Tensor:
    return net.loss(batch[0])


def _all_right(nets: nn.ModuleList, batch: list[tuple[Tensor, Tensor]]) -> Tensor:
    return sum((functional.cross_entropy(net(x), y) for net, (x, y) in zip(nets, batch, strict=True)), torch.zeros(()))


def _pca(x: Tensor, k: int) -> _Pca:
    mean = x.mean(0)
    _, vectors = torch.linalg.eigh((x - mean).T.double() @ (x - mean).double())
    return _Pca(mean, vectors[:, -k:].flip(-1).float())


def _error(net: Any, x: Tensor, mean: Tensor) -> float:
    with torch.no_grad():
        restored = net(x) if isinstance(net, _Pca) else net(x - mean) + mean
    return (restored - x).square().mean().item()
