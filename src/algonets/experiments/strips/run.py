"""The experiment: train three readers on the same strips, compare their errors, draw a lattice."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from algonets.data import OcrLetters, SyntheticWords
from algonets.dp import Lattice, edit_distance
from algonets.experiments._options import at_least, check_folder, open_folder, positive
from algonets.experiments._training import check_settings, write_json
from algonets.experiments.strips.model import ColumnReader, GraphReader, SegmentedReader
from algonets.experiments.strips.report import save_lattice
from algonets.experiments.strips.strip import Strip, cuts_found, make_strips
from algonets.experiments.strips.training import Schedule, train_reader

__all__ = ["StripsExperiment"]

READERS: dict[str, Callable[[int, int], nn.Module]] = {
    "given segmentation": SegmentedReader,
    "graph transformer": GraphReader,
    "CTC": ColumnReader,
}


class StripsExperiment:
    """Read words whose letters nobody cut apart.

    Letters are pasted into one strip with random overlap and spacing. Three readers learn from the same strips: one
    that is told where the letters are, CTC over the columns, and a graph transformer (over-segmentation, a recogniser
    on each candidate piece, a lattice of interpretations) trained end to end. Writes a table to the console and, into
    the output folder: metrics.json and report.png (a lattice with its best path).

    Args:
        data: ``synthetic`` letters are drawn on the spot; ``ocr`` letters are read from the data directory or
            downloaded (split "large", fold 0).
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/strips-<data>.
        resume: Go on with an interrupted run in the output folder.
        overwrite: Replace a run in the output folder.
        seed: Of the data, of the networks and of the order.
        size: Training strips; words come again, with other gaps, if there are fewer.
        test_size: Test strips, at most one a word.
        epochs: Passes over the training words.
        width: Channels of the networks' first layers.
        learning_rate: Highest rate of the one-cycle schedule of Adam.
        batch_size: Words a step.
        trainer: Unused; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Literal["synthetic", "ocr"] = "synthetic",
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        size: int = 3000,
        test_size: int = 300,
        epochs: int = 10,
        width: int = 16,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.data: Literal["synthetic", "ocr"] = data
        self.data_dir, self.seed, self.overwrite, self.config = data_dir, seed, overwrite, config
        check_folder(output, resume, overwrite)
        self.resume = resume
        self.output = Path(output or f"runs/strips-{data}")
        at_least(1, size=size, test_size=test_size, epochs=epochs, width=width, batch_size=batch_size)
        positive(learning_rate=learning_rate)
        self.size, self.test_size, self.epochs, self.width = size, test_size, epochs, width
        self.learning_rate, self.batch_size = learning_rate, batch_size

    def run(self) -> dict[str, Any]:
        """Train, read, report; returns the content of metrics.json."""
        console, start = Console(), time.perf_counter()
        open_folder(self.output, self.config)
        names = ("data", "seed", "size", "test_size", "epochs", "width", "learning_rate", "batch_size")
        settings = {name: getattr(self, name) for name in names}
        check_settings(self.output, settings, self.resume, self.overwrite)
        train, test = self._strips()
        words = sorted({strip.word for strip in (*train, *test)})
        lexicon = [[ord(c) - ord("a") for c in word] for word in words]
        metrics: dict[str, Any] = {**settings, "lexicon_words": len(lexicon), "readers": {}}
        metrics["cuts_a_letter"] = round(sum(len(s.cuts) - 1 for s in test) / sum(len(s.labels) for s in test), 2)
        found = [cuts_found(strip) for strip in test]
        metrics["boundaries_cut"] = round(100 * sum(a for a, _ in found) / max(1, sum(b for _, b in found)), 2)
        path = self.output / "metrics.json"
        done = json.loads(path.read_text())["readers"] if self.resume and path.exists() else {}
        metrics["readers"] = done
        checkpoints = self.output / "checkpoints"
        checkpoints.mkdir(exist_ok=True)
        plan = Schedule(self.epochs, self.batch_size, self.learning_rate, self.seed)
        for name, make in READERS.items():
            torch.manual_seed(self.seed)
            reader: Any = make(train[0].image.shape[0], self.width)
            checkpoint = checkpoints / f"{name.replace(' ', '_')}.pt"
            seconds = train_reader(
                reader, train, plan, checkpoint, self.resume, lambda line, name=name: console.print(f"{name}: {line}")
            )
            closed: Any = Lattice.from_lexicon(lexicon) if isinstance(reader, GraphReader) else lexicon
            if name not in done:
                done[name] = {
                    "train_seconds": round(seconds, 1),
                    "free": _errors(test, self._read(reader, test, None)),
                    "lexicon": _errors(test, self._read(reader, test, closed)),
                }
            if isinstance(reader, GraphReader):
                save_lattice(self.output / "report.png", reader, test[:40])
            write_json(path, metrics)
            console.print(f"{name}: {done[name]}")
        metrics["seconds"] = round(time.perf_counter() - start, 1)
        write_json(path, metrics)
        _show(console, metrics)
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _strips(self) -> tuple[list[Strip], list[Strip]]:
        if self.data == "ocr":
            parts = [OcrLetters("large", 0, train=train, data_dir=self.data_dir) for train in (True, False)]
        else:
            parts = [SyntheticWords(True, self.size, self.seed), SyntheticWords(False, self.test_size, self.seed)]
        held_out = min(self.test_size, len(parts[1]))
        return make_strips(parts[0], self.size, self.seed), make_strips(parts[1], held_out, self.seed + 1)

    def _read(self, reader: Any, strips: list[Strip], lexicon: Any) -> list[list[int]]:
        batches = range(0, len(strips), self.batch_size)
        return [word for k in batches for word in reader.read(strips[k : k + self.batch_size], lexicon)]


def _errors(strips: list[Strip], found: list[list[int]]) -> dict[str, float]:
    """Character error rate and word accuracy in percent."""
    wrong = letters = right = 0
    for strip, word in zip(strips, found, strict=True):
        wrong += int(edit_distance(strip.labels, torch.tensor(word, dtype=torch.int64)).item())
        letters += len(strip.labels)
        right += strip.labels.tolist() == word
    return {"character_errors": round(100 * wrong / letters, 2), "words_right": round(100 * right / len(strips), 2)}


def _show(console: Console, metrics: dict[str, Any]) -> None:
    table = Table(title=f"{metrics['data']} strips: % on {metrics['test_size']} test words")
    for column in ("reader", "character errors", "words right", "errors, lexicon", "words right, lexicon", "seconds"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for name, found in metrics["readers"].items():
        cells = [f"{value:.1f}" for part in ("free", "lexicon") for value in found[part].values()]
        table.add_row(name, *cells, f"{found['train_seconds']:.0f}")
    console.print(table)
