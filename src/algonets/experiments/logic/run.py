"""The experiment: train a network of gates, harden it, simplify it, run it."""

import time
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from algonets import logic
from algonets.experiments._options import at_least, check_folder, one_device, open_folder, positive
from algonets.experiments._training import RunError, check_settings, checkpoint_path, fit, make_trainer, write_json
from algonets.experiments.logic.baselines import baselines
from algonets.experiments.logic.report import save_graph, save_report
from algonets.experiments.logic.rule import find_rule, formula
from algonets.experiments.logic.tasks import Data, Preset, Task, build, load, preset
from algonets.experiments.logic.training import GateLearner, Rows, accuracy, intervals

__all__ = ["LogicExperiment"]


class LogicExperiment:
    """Learn a logic circuit by gradient descent, and run it bit-packed.

    Writes into the output folder: metrics.json, report.png (accuracy over time, gates learned), circuit.bin (see
    ``algonets export circuit`` and ``algonets run circuit``), of the first MONK's problem rule.png, a circuit to read;
    checkpoints and TensorBoard logs.

    Args:
        data: ``digits`` come with scikit-learn; the others are read from the data directory or downloaded.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/logic-<data>.
        resume: Go on with an interrupted run in the output folder.
        overwrite: Replace a run in the output folder.
        seed: Of wiring, weights, order and split.
        layers: Of gates; by default what suits the data, like the following.
        width: Gates of a layer, a multiple of the number of classes.
        bits: Thermometer bits a pixel (images only).
        kernels: Of the first of three convolutional blocks in front of the layers (images only); 0: none. A block is
            trees of depth 3 on 3 x 3 places, pooled by "or" of 2 x 2; each next block has three times the kernels.
        temperature: That divides the counts of the classes.
        steps: Of training.
        rate: Learning rate of Adam, which falls to 0.
        batch: Rows of a step.
        initialization: ``normal`` or ``residual``; by default residual with ``kernels``.
        parametrization: ``softmax`` (16 weights a gate), ``light`` or ``walsh`` (4); by default what suits the data.
        sampling: ``soft``, or ``gumbel``: forward is a drawn hard gate.
        marks: How often accuracies are recorded and a checkpoint is written.
        compare: Also train a linear model, a tree and a perceptron.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Data = "digits",
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        layers: int | None = None,
        width: int | None = None,
        bits: int | None = None,
        kernels: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        rate: float | None = None,
        batch: int | None = None,
        initialization: Literal["residual", "normal"] | None = None,
        parametrization: Literal["softmax", "light", "walsh"] | None = None,
        sampling: Literal["soft", "gumbel"] = "soft",
        marks: int = 20,
        compare: bool = False,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.data, self.data_dir, self.seed, self.config = data, data_dir, seed, config
        check_folder(output, resume, overwrite)
        self.resume, self.overwrite = resume, overwrite
        self.output = Path(output or f"runs/logic-{data}")
        self.trainer_options = one_device("logic", trainer)
        given = {"layers": layers, "width": width, "bits": bits, "kernels": kernels, "temperature": temperature}
        start = "residual" if initialization is None and kernels else initialization
        given |= {"steps": steps, "rate": rate, "batch": batch, "initialization": start}
        given["parametrization"] = parametrization
        chosen = {name: value for name, value in given.items() if value is not None}
        self.size = Preset(**(vars(preset(data)) | chosen))
        at_least(1, layers=layers, width=width, steps=steps, batch=batch, marks=marks)
        at_least(0, seed=seed, kernels=kernels)
        positive(temperature=self.size.temperature, rate=self.size.rate)
        images = preset(data).bits > 0
        if (bits is not None) and (bits > 0) != images:
            raise RunError(f"--bits must be positive for images and left out for tables, got {bits}.")
        if kernels and not images:
            raise RunError(f"--kernels convolve images, and {data} is a table. Leave it out.")
        self.sampling = sampling
        self.marks, self.compare = min(marks, self.size.steps), compare

    def run(self) -> dict[str, Any]:
        """Train, harden, simplify, measure, report; returns the content of metrics.json."""
        console = Console()
        task = load(self.data, self.data_dir, self.seed)
        if self.size.kernels:
            task = task.as_images()
        if self.size.width % task.classes:
            raise RunError(f"--width must be a multiple of the {task.classes} classes, got {self.size.width}.")
        open_folder(self.output, self.config)
        settings = {"data": self.data, "seed": self.seed, **vars(self.size)}
        settings["sampling"] = self.sampling
        check_settings(self.output, {**settings, "marks": self.marks}, self.resume, self.overwrite)
        torch.manual_seed(self.seed)
        network = build(task, self.size, self.sampling, self.seed)
        console.print(f"{self.data}: {len(task.train)} rows; {_described(self.size)}. {task.note}")
        learner = self._train(network, task, console)
        metrics = settings | {"note": task.note, "threads": torch.get_num_threads(), "history": learner.history}
        metrics |= self._circuit(network, task)
        if self.compare or task.names:
            metrics["baselines"] = baselines(task, metrics["gates_before"], self.seed)
        if self.data == "monk1":  # the one whose rule is short
            metrics["rule"] = self._rule(task)
        write_json(self.output / "metrics.json", metrics)
        save_report(self.output / "report.png", metrics)
        _show(console, metrics)
        console.print(f"Results: {self.output}/metrics.json, report.png, circuit.bin")
        return metrics

    def _train(self, network: logic.Sequential, task: Task, console: Console) -> GateLearner:
        """Train, from the newest checkpoint if there is one to go on from."""
        show = lambda entry: console.print("  ".join(f"{name} {value}" for name, value in entry.items()))  # noqa: E731
        learner, lengths = GateLearner(network, task, self.size, show), intervals(self.size.steps, self.marks)
        newest = checkpoint_path(self.output)
        resuming = self.resume and newest.exists()
        if resuming:
            console.print(f"going on from {newest}")
        options = {"reload_dataloaders_every_n_epochs": 1, **self.trainer_options}
        trainer = make_trainer(self.output, self.marks, self.seed, options, "logic")
        rows = Rows(network[0], task, self.size.batch, self.seed, lengths)
        fit(trainer, learner, rows, newest if resuming else None)
        network.cpu().eval()
        return learner

    def _circuit(self, network: logic.Sequential, task: Task) -> dict[str, Any]:
        start = time.perf_counter()
        circuit = logic.compile(network, task.test[:1])
        built = time.perf_counter() - start
        circuit.save(self.output / "circuit.bin")
        counts = torch.zeros(16, dtype=torch.int64)
        for layer in network:
            if isinstance(layer, logic.LogicLayer | logic.LogicConv2d):
                counts += layer.gates().flatten().bincount(minlength=16)
        with torch.no_grad():
            hard = logic.harden(network)
            same = torch.equal(circuit(task.test), torch.cat([hard(part) for part in task.test.split(2000)]))
            soft = accuracy(network, task.test, task.test_labels)
        rows = task.test.repeat(max(1, 20_000 // len(task.test)), *[1] * (task.test.ndim - 1))
        found = circuit.stats(seconds=0.3)
        found["examples_per_second_from_bytes"] = _rate(circuit, rows)
        return {
            "soft_accuracy": round(soft, 2),
            "hard_accuracy": round(accuracy(circuit, task.test, task.test_labels), 2),
            "train_hard_accuracy": round(accuracy(circuit, task.train, task.train_labels), 2),
            "circuit_equals_hardened_network": same,
            "compile_seconds": round(built, 3),
            "gate_types": dict(zip(logic.GATES, counts.tolist(), strict=True)),
            **{name: round(value) if isinstance(value, float) else value for name, value in found.items()},
        }

    def _rule(self, task: Task) -> dict[str, Any]:
        circuit, fitted = find_rule(task)
        right = float((circuit(task.test)[:, 0] == task.test_labels).float().mean())
        save_graph(self.output / "rule.png", circuit, task.names, f"{self.data}: {100 * right:.1f} % of the test right")
        text = formula(circuit, task.names)
        return {"gates": len(circuit.kind), "train": round(fitted, 2), "test": round(100 * right, 2), "formula": text}


def _rate(circuit: logic.Circuit, rows: torch.Tensor, seconds: float = 0.3) -> float:
    circuit.counts(rows)
    runs, start = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - start < seconds:
        circuit.counts(rows)
        runs += 1
    return runs * len(rows) / (time.perf_counter() - start)


def _described(size: Preset) -> str:
    trees = f"{size.kernels}, {3 * size.kernels}, {9 * size.kernels} trees of depth 3, then " if size.kernels else ""
    return f"{trees}{size.layers} x {size.width} gates"


def _show(console: Console, metrics: dict[str, Any]) -> None:
    console.print(
        f"test accuracy: hard {metrics['hard_accuracy']:.2f} %, soft {metrics['soft_accuracy']:.2f} %; "
        f"{metrics['gates_before']:,} gates, {metrics['gates']:,} after simplification, depth {metrics['depth']}; "
        f"{metrics['file_bytes']:,} bytes; {metrics['examples_per_second'] / 1e6:.2f} M examples/s from bits, "
        f"{metrics['examples_per_second_from_bytes'] / 1e6:.2f} M from bytes"
    )
    for name, found in metrics.get("baselines", {}).items():
        console.print(f"{name}: {found['accuracy']:.2f} %")
    if "rule" in metrics:
        rule = metrics["rule"]
        console.print(f"rule of {rule['gates']} gates, test {rule['test']:.2f} %: {rule['formula']}")
