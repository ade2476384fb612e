"""Few patients, many genes: principal components, a sparse autoencoder and a softmax, as Fakoor et al. 2013."""

from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.data import GeneExpression
from algonets.experiments import _options
from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._pictures import bars, new_figure, tidy
from algonets.experiments._report import Report, at_least
from algonets.nets import Autoencoder

__all__ = ["GenesExperiment"]


@final
class GenesExperiment(AbstractExperiment):
    """Tell two leukaemias apart by gene expression, in cross-validation; a linear SVM beside it.

    Means, components, autoencoder and classifier all see the training folds only.

    Args:
        data: generated microarrays, or ``golub``, read from the data directory.
        folds: Of the cross-validation, stratified.
        components: Of the PCA.
        hidden: Units of the sparse autoencoder.
        sparsity: Price of active units.
        steps: Of the autoencoder, and of the classifier on its code.
        common: See the base class.
    """

    name = "genes"

    def __init__(
        self,
        data: Literal["generated", "golub"] = "generated",
        folds: int = 5,
        components: int = 40,
        hidden: int = 40,
        sparsity: float = 0.05,
        steps: int = 200,
        **common: Any,
    ):
        super().__init__(**common)
        _options.at_least(2, folds=folds)
        self.keep(data=data, folds=folds, components=components, hidden=hidden, sparsity=sparsity, steps=steps)

    def measure(self) -> Report:
        """Cross-validate."""
        x, y = self._load()
        fold = _folds(y, self.folds, self.seed)
        names = ("PCA, sparse autoencoder, softmax", "PCA, softmax", "linear SVM", "most frequent class")
        found = {name: torch.zeros_like(y) for name in names}
        for k in range(self.folds):
            train, test = fold != k, fold == k
            a, b = (x[part] - x[train].mean(0) for part in (train, test))
            axes = torch.linalg.svd(a, full_matrices=False).Vh[: self.components].T
            p, q = a @ axes, b @ axes
            size = p.std()
            p, q = p / size, q / size
            torch.manual_seed(self.seed)
            net = Autoencoder((p.shape[1], self.hidden), "tanh", "sigmoid", sparsity=self.sparsity)
            self.train(f"autoencoder-{k}", net, lambda n, batch: n.loss(batch), lambda step, p=p: p, self.steps, 1e-2)
            systems = {names[0]: net.classifier(2), names[1]: nn.Linear(p.shape[1], 2)}
            for name, classifier in systems.items():
                batch = (p, y[train])
                self.train(f"{'code' if 'auto' in name else 'pca'}-{k}", classifier, _loss,
                           lambda step, batch=batch: batch, self.steps, 5e-3, weight_decay=0.05)  # fmt: skip
                with torch.no_grad():
                    found[name][test] = classifier(q).argmax(-1)
            found[names[2]][test] = _support_vectors(a, y[train], b)
            found[names[3]][test] = y[train].mode().values
        right = {name: (guess == y).double().mean().item() for name, guess in found.items()}
        wrong = {name: int((guess != y).sum()) for name, guess in found.items()}
        rows = [{"system": name, "right": right[name], "wrong patients": wrong[name]} for name in names]
        criteria = [at_least(f"{names[0]}, {self.folds}-fold", right[names[0]], 0.95)]
        criteria.append(at_least("more than the most frequent class", right[names[0]] - right[names[3]], 0.2))
        figure = self._draw(x, y, found, right)
        return Report(f"{len(y)} patients, {x.shape[1]} genes, {self.folds} folds", rows, criteria, figure)

    def _load(self) -> tuple[Tensor, Tensor]:
        if self.data == "golub":
            data = GeneExpression(self.data_dir)
            x = data.activity  # each patient in units of their own: arrays differ in brightness
            return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), data.labels
        generator = torch.Generator().manual_seed(self.seed)
        y = (torch.arange(72) % 3 == 0).long()  # 24 of one kind, 48 of the other, 1500 genes in correlated groups
        groups = torch.randn(30, 1500, generator=generator)
        x = torch.randn(72, 30, generator=generator) @ groups / 8 + torch.randn(72, 1500, generator=generator)
        x[:, :60] += 1.0 * (2.0 * y[:, None] - 1)
        return x, y

    def _draw(self, x: Tensor, y: Tensor, found: dict[str, Tensor], right: dict[str, float]) -> Any:
        figure = new_figure(12, 4.2)
        map_of, plane, scores = figure.subplots(1, 3, width_ratios=(1.4, 1, 1.1))
        z = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
        gap = z[y == 1].mean(0) - z[y == 0].mean(0)
        genes = torch.cat([gap.argsort()[:25], gap.argsort()[-25:]])
        patients = y.argsort(stable=True)
        map_of.imshow(
            z[patients][:, genes].T, aspect="auto", cmap="RdBu_r", vmin=-2.5, vmax=2.5, interpolation="nearest"
        )
        map_of.axvline(int((y == 0).sum()) - 0.5, color="black", lw=1)
        map_of.set(xticks=[], yticks=[])
        tidy(map_of, "the 50 most different genes (of all patients)", "patients", "genes")
        axes = torch.linalg.svd(z, full_matrices=False).Vh[:2].T
        place = z @ axes
        wrong = found["PCA, sparse autoencoder, softmax"] != y
        for label, colour in ((0, "#1f3b73"), (1, "#d9702f")):
            plane.plot(*place[y == label].T, "o", color=colour, label=GeneExpression.classes[label], ms=5)
        plane.plot(*place[wrong].T, "x", color="black", ms=10, label="wrong")
        plane.set(xticks=[], yticks=[])
        tidy(plane, "two principal components", legend=True)
        bars(scores, {name.replace(", ", ",\n"): value for name, value in right.items()}, 0.95)
        scores.set_ylim(0, 1.08)
        scores.tick_params(axis="x", labelrotation=50, labelsize=8)
        tidy(scores, "cross-validated", "", "right")
        return figure


def _folds(y: Tensor, folds: int, seed: int) -> Tensor:
    """The fold of each patient: each class is spread evenly."""
    generator = torch.Generator().manual_seed(seed)
    fold = torch.zeros_like(y)
    for label in y.unique():
        places = (y == label).nonzero().flatten()
        fold[places[torch.randperm(len(places), generator=generator)]] = torch.arange(len(places)) % folds
    return fold


def _support_vectors(x: Tensor, y: Tensor, test: Tensor) -> Tensor:
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=0.01, max_iter=20000).fit((x / x.std()).numpy(), y.numpy())
    return torch.from_numpy(machine.predict((test / x.std()).numpy())).long()


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(network(batch[0]), batch[1])
