"""The experiment: average and classify warped signals, learn to parse a small grammar."""

import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from algonets.experiments._options import at_least, check_folder, open_folder, positive
from algonets.experiments._training import check_settings, write_json
from algonets.experiments.align.grammar import make_sentences, measure, train
from algonets.experiments.align.series import CLASSES, Series, averages, classify, make_series

__all__ = ["AlignExperiment"]

PARSERS = ("CKY", "Eisner", "local")


class AlignExperiment:
    """Alignments and trees at work, on generated data; half a minute.

    Time series of three classes, each warped in its own way, are averaged pointwise and under soft-DTW and classified
    by the nearest average. Then parsers learn the trees of a small grammar with ambiguous words: CKY its phrases,
    Eisner's algorithm its heads; the baseline picks each head on its own. Writes a table to the console and, into the
    output folder: metrics.json and report.png.

    Args:
        output: Folder for the results; by default runs/align.
        overwrite: Replace a run in the output folder.
        seed: Of data and networks.
        series: Training signals a class.
        temperature: Of soft-DTW.
        sentences: Training sentences.
        test_size: Test signals, and test sentences.
        epochs: Passes over the sentences.
        trainer: Unused; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        output: str | None = None,
        overwrite: bool = False,
        seed: int = 0,
        series: int = 10,
        temperature: float = 0.05,
        sentences: int = 300,
        test_size: int = 300,
        epochs: int = 12,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        check_folder(output, False, overwrite)
        at_least(1, series=series, sentences=sentences, test_size=test_size, epochs=epochs)
        positive(temperature=temperature)
        self.output, self.overwrite, self.seed, self.config = Path(output or "runs/align"), overwrite, seed, config
        self.series, self.temperature, self.sentences = series, temperature, sentences
        self.test_size, self.epochs = test_size, epochs

    def run(self) -> dict[str, Any]:
        """Average, classify, parse, report; returns the content of metrics.json."""
        console, start = Console(), time.perf_counter()
        open_folder(self.output, self.config)
        names = ("seed", "series", "temperature", "sentences", "test_size", "epochs")
        settings = {name: getattr(self, name) for name in names}
        check_settings(self.output, settings, resume=False, overwrite=self.overwrite)
        generator = torch.Generator().manual_seed(self.seed)
        learned, unseen = (make_series(n, generator) for n in (CLASSES * self.series, self.test_size))
        centres = averages(learned, self.temperature)
        signals = {
            "mean, Euclidean": classify(unseen, centres["mean"], None),
            "mean, soft-DTW": classify(unseen, centres["mean"], self.temperature),
            "barycenter, soft-DTW": classify(unseen, centres["barycenter"], self.temperature),
        }
        training, test = (make_sentences(n, generator) for n in (self.sentences, self.test_size))
        trees = {}
        for kind in PARSERS:
            trees[kind] = measure(kind, train(kind, training, self.epochs, self.seed), test)
            console.print(f"{kind}: {trees[kind]['right']:.1f} % right")
        metrics = {**settings, "signals_right": {k: round(v, 2) for k, v in signals.items()}, "parsers": trees}
        _draw(self.output / "report.png", learned, centres)
        metrics["seconds"] = round(time.perf_counter() - start, 1)
        write_json(self.output / "metrics.json", metrics)
        _show(console, metrics)
        return metrics


def _draw(path: Path, learned: Series, centres: dict[str, torch.Tensor]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, CLASSES, figsize=(11, 3), sharey=True, layout="constrained")
    for k, axes in enumerate(grid):
        axes.plot(learned.values[learned.labels == k].T, color="0.8", lw=0.8)
        axes.plot(centres["mean"][k], color="tab:orange", lw=2.5, label="mean")
        axes.plot(centres["barycenter"][k], color="tab:blue", lw=2.5, label="soft-DTW barycenter")
        axes.set(title=f"class {k + 1}", xlabel="time")
    grid[0].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _show(console: Console, metrics: dict[str, Any]) -> None:
    table = Table(title="% right on unseen signals and sentences")
    for column in ("what", "right", "whole sentences"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, value in metrics["signals_right"].items():
        table.add_row(f"nearest {name}", f"{value:.1f}", "")
    names = {"CKY": "phrases by CKY", "Eisner": "heads by Eisner", "local": "heads one by one"}
    for kind, found in metrics["parsers"].items():
        table.add_row(names[kind], f"{found['right']:.1f}", f"{found['sentences']:.1f}")
    console.print(table)
