"""The experiment: store digits in every memory, disturb them, recall them; no training loop, a few seconds."""

import time
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from algonets.experiments._options import at_least, check_folder, open_folder, positive
from algonets.experiments._training import RunError, check_settings, write_json
from algonets.experiments.memory.capacity import EXPECTED, correlation, digit_capacity, random_capacity, random_overlaps
from algonets.experiments.memory.patterns import Patterns, load_patterns
from algonets.experiments.memory.recall import COVERED, MEMORIES, NOISE, RULES, classify, make_memory, recall, repeated
from algonets.experiments.memory.report import save_curves, save_steps

__all__ = ["MemoryExperiment"]

LOADS = (0.05, 0.10, 0.15, 0.20)
LECTURE = 0.15
QUERIES = 100
DRAWS = 20


class MemoryExperiment:
    """Recall digits from noise: Hopfield's network with each rule, Hamming's network, and the modern one.

    Writes a table to the console and, into the output folder: metrics.json, report.png (a recall step by step) and
    curves.png (recall against noise, energies, capacities).

    Args:
        data: ``digits`` come with scikit-learn (n = 64); ``mnist`` is read from the data directory or downloaded
            (n = 784).
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/memory-<data>.
        overwrite: Replace a run in the output folder.
        seed: Of noise and of random patterns.
        patterns: How many digits are stored; by default 0.15 n (118 of MNIST).
        beta: Steepness of the modern memory.
        unseen: How many digits of the test part are classified.
        units: Of the network that stores random patterns.
        trainer: Unused, as nothing is trained in steps; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        data_dir: str | None = None,
        output: str | None = None,
        overwrite: bool = False,
        seed: int = 0,
        patterns: int | None = None,
        beta: float = 0.5,
        unseen: int = 1000,
        units: int = 2000,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.data: Literal["digits", "mnist"] = data
        self.data_dir, self.seed, self.overwrite, self.config = data_dir, seed, overwrite, config
        check_folder(output, False, overwrite)
        self.output = Path(output or f"runs/memory-{data}")
        at_least(1, patterns=patterns, unseen=unseen, units=units)
        positive(beta=beta)
        self.patterns, self.beta, self.unseen, self.units = patterns, beta, unseen, units

    def run(self) -> dict[str, Any]:
        """Store, disturb, recall, report; returns the content of metrics.json."""
        console, start = Console(), time.perf_counter()
        open_folder(self.output, self.config)
        digits = load_patterns(self.data, self.data_dir, self.unseen)
        count = self.patterns or round(LECTURE * digits.n)
        if count > len(digits.stored):
            raise RunError(f"--patterns must be at most {len(digits.stored)} for --data {self.data}, got {count}.")
        settings = {"data": self.data, "seed": self.seed, "patterns": count, "beta": self.beta}
        settings |= {"unseen": self.unseen, "units": self.units}
        check_settings(self.output, settings, resume=False, overwrite=self.overwrite)
        metrics: dict[str, Any] = {"data": self.data, "n": digits.n, "stored": count, "seed": self.seed}
        metrics |= self._recall(digits, count, console)
        metrics["loads"] = self._loads(digits)
        metrics["correlation"] = correlation(digits.stored[:count])
        counts = sorted({c for c in (1, 2, 3, 5, 7, 10, 20, 40, 80, 157, count) if c <= 0.25 * digits.n})
        metrics["digit_capacity"] = digit_capacity(digits.stored, counts)
        metrics["random"] = {
            "n": self.units,
            "hebb_overlap": random_overlaps(self.units, seed=self.seed),
            "expected": {f"{load:g}": value for load, value in EXPECTED.items()},
            "kept_at_n_400": random_capacity(400, self.seed),
        }
        metrics["criteria"] = _criteria(metrics)
        traces = save_steps(
            self.output / "report.png", digits.stored[:count], 5 % count, digits.side, 0.2, self.beta, self.seed
        )
        save_curves(self.output / "curves.png", metrics, traces)
        metrics["seconds"] = round(time.perf_counter() - start, 1)
        write_json(self.output / "metrics.json", metrics)
        _show(console, metrics)
        console.print(f"Pictures: {self.output / 'report.png'}, curves.png    figures: {self.output / 'metrics.json'}")
        return metrics

    def _recall(self, digits: Patterns, count: int, console: Console) -> dict[str, Any]:
        """Recall from noise and from covered images, and classify what was never stored."""
        patterns, labels = digits.stored[:count], digits.labels[:count]
        draws = -(-QUERIES // count)
        found: dict[str, Any] = {}
        classes: dict[str, Any] = {}
        for name in MEMORIES:
            begin = time.perf_counter()
            memory = make_memory(name, patterns, self.beta)
            stored = time.perf_counter() - begin
            found[name] = {
                "flip": {f"{x:g}": _rounded(recall(memory, patterns, "flip", x, draws, self.seed)) for x in NOISE},
                "occlude": {f"{x:g}": _rounded(recall(memory, patterns, "occlude", x, 1, self.seed)) for x in COVERED},
                "store_seconds": round(stored, 3),
            }
            if name in RULES:
                one_by_one = make_memory(name, patterns, self.beta, "asynchronous")
                found[name]["flip_asynchronous"] = {
                    f"{x:g}": _rounded(recall(one_by_one, patterns, "flip", x, draws, self.seed)) for x in NOISE
                }
            if name in ("pseudo_inverse", "modern", "hamming"):
                found[name]["flip_0.2_repeated"] = repeated(memory, patterns, 0.2, DRAWS)
            classes[name] = classify(memory, patterns, labels, digits.unseen, digits.unseen_labels)
            console.print(f"{name}: done after {time.perf_counter() - begin:.1f} s")
        nearest = classify(lambda queries: queries, patterns, labels, digits.unseen, digits.unseen_labels)
        classes["nearest_neighbour"] = {"accuracy": nearest["accuracy"]}
        return {"recall": found, "classification": classes}

    def _loads(self, digits: Patterns) -> dict[str, Any]:
        """Exact recall at 20 % noise for several numbers of patterns."""
        result: dict[str, Any] = {name: {} for name in MEMORIES}
        for load in LOADS:
            patterns = digits.stored[: max(1, round(load * digits.n))]
            for name in MEMORIES:
                memory = make_memory(name, patterns, self.beta)
                found = recall(memory, patterns, "flip", 0.2, -(-QUERIES // len(patterns)), self.seed)
                result[name][f"{load:g}"] = _rounded(found)
        return result


def _rounded(found: Any) -> dict[str, float]:
    return {name: round(value, 2) for name, value in found._asdict().items()}


def _criteria(metrics: dict[str, Any]) -> dict[str, bool]:
    """What the experiment is to show."""
    noisy = {name: found["flip"]["0.2"]["exact"] == 100 for name, found in metrics["recall"].items()}
    kept = metrics["random"]["kept_at_n_400"]
    overlaps = metrics["random"]["hebb_overlap"]
    exact = ("pseudo_inverse", "modern", "hamming") if metrics["data"] == "mnist" else ()  # 64 bits are too few
    return {
        **{f"{name} exact at 20 % noise": noisy[name] for name in exact},
        **{f"{name} keeps 0.15 n random patterns": kept[name]["0.15"] == 100 for name in ("storkey", "pseudo_inverse")},
        "Hebb's overlaps as expected": all(abs(overlaps[f"{k:g}"] - v) <= 0.05 for k, v in EXPECTED.items()),
        "Hamming classifies as the nearest neighbour": metrics["classification"]["hamming"]["accuracy"]
        == metrics["classification"]["nearest_neighbour"]["accuracy"],
    }


def _show(console: Console, metrics: dict[str, Any]) -> None:
    table = Table(
        title=f"{metrics['stored']} {metrics['data']} digits ({metrics['n']} bits): % recalled exactly, by bits flipped"
    )
    table.add_column("memory")
    for level in NOISE:
        table.add_column(f"{100 * level:.0f} %", justify="right")
    table.add_column("20 % one by one", justify="right")
    for level in COVERED:
        table.add_column(f"{100 * level:.0f} % covered", justify="right")
    table.add_column("unseen right", justify="right")
    for name, found in metrics["recall"].items():
        values = [f"{value['exact']:.0f}" for value in found["flip"].values()]
        values.append(f"{found['flip_asynchronous']['0.2']['exact']:.0f}" if name in RULES else "")
        values += [f"{value['exact']:.0f}" for value in found["occlude"].values()]
        table.add_row(name, *values, f"{metrics['classification'][name]['accuracy']:.1f}")
    nearest = metrics["classification"]["nearest_neighbour"]["accuracy"]
    table.add_row("1-nearest neighbour", *[""] * (1 + len(NOISE) + len(COVERED)), f"{nearest:.1f}")
    console.print(table)
    alike = metrics["correlation"]
    console.print(
        f"Digits overlap by {alike['mean_overlap']:.2f} on average (fair coins: 0); without their mean activity by "
        f"{alike['mean_overlap_centred']:.2f}. Hebb's rule learns first of all what they share."
    )
    for name, good in metrics["criteria"].items():
        console.print(f"[{'green' if good else 'red'}]{'yes' if good else 'no '}[/] {name}")
