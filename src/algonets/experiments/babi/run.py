"""The experiment: train readers on bAbI tasks, compare with the published table, show what was read."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning
import torch
from rich.console import Console
from rich.table import Table

from algonets.data import Babi, BabiQuestion
from algonets.experiments._options import at_least, check_folder, open_folder
from algonets.experiments._training import (
    RunError,
    TrainingClock,
    check_settings,
    checkpoint_path,
    epoch_loader,
    fit,
    make_trainer,
    write_json,
)
from algonets.experiments.babi.evaluate import Answers, evaluate
from algonets.experiments.babi.model import MODELS, Model, Recipe, StoryReader
from algonets.experiments.babi.published import FAILED, PUBLISHED
from algonets.experiments.babi.report import Reading, save_errors, save_readings
from algonets.experiments.babi.stories import StoryBatch, StorySet, Vocabulary

__all__ = ["BabiExperiment"]

TASKS = 20
DEFAULTS: dict[Model, dict[str, Recipe]] = {
    "memory": {"task": Recipe(100, 20, 0.01, 25), "joint": Recipe(60, 30, 0.01, 15)},
    "lstm": {"task": Recipe(20, 0, 0.005, 25), "joint": Recipe(5, 0, 0.005, 15)},
    "bag": {"task": Recipe(40, 0, 0.005, 25), "joint": Recipe(20, 0, 0.005, 15)},
}
WIDTH: dict[Model, dict[str, int]] = {
    "memory": {"task": 20, "joint": 50},
    "lstm": {"task": 50, "joint": 100},
    "bag": {"task": 50, "joint": 100},
}
PICTURED = (1, 2, 15, 16)


class BabiExperiment:
    """Answer questions about stories: a memory network that reads them several times, and two baselines.

    Writes a table to the console and, into the output folder: metrics.json, report.png (which sentences were read),
    errors.png (beside the published errors), and for each reader a checkpoint, TensorBoard logs and the settings.

    Args:
        tasks: Numbers of tasks from 1 to 20 with commas, such as ``1,2,16``, or ``all``.
        model: ``memory`` is the end-to-end memory network; ``lstm`` reads word by word; ``bag`` counts words; ``all``
            compares.
        training: ``task`` trains a reader for each task, ``joint`` one for all of them.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/babi.
        resume: Go on with an interrupted run in the output folder.
        overwrite: Replace a run in the output folder.
        seed: Of initial weights and training.
        starts: How often the memory network is trained from other weights; that with the least training loss counts.
        enough: A start with a training loss below this is the last one.
        epochs: Passes over the questions; by default, after the linear start of the memory network, 100 (a task)
            or 60 (joint); 20 and 5 for the LSTM, 40 and 20 for the bag of words.
        batch_size: Questions a step.
        hops: How often the memory network reads a story.
        memories: Most sentences of a story.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        tasks: str = "1,6,15",
        model: Literal["all", "memory", "lstm", "bag"] = "all",
        training: Literal["task", "joint"] = "task",
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        starts: int = 3,
        enough: float = 0.01,
        epochs: int | None = None,
        batch_size: int = 32,
        hops: int = 3,
        memories: int = 50,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.tasks = _tasks(tasks)
        self.models: list[Model] = list(MODELS) if model == "all" else [model]
        self.training, self.data_dir = training, data_dir
        check_folder(output, resume, overwrite)
        self.output = Path(output or "runs/babi")
        self.resume, self.overwrite, self.seed, self.config = resume, overwrite, seed, config
        at_least(1, starts=starts, batch_size=batch_size, hops=hops, memories=memories, epochs=epochs)
        if not enough >= 0:
            raise RunError(f"--enough must not be negative, got {enough}.")
        self.enough = enough
        self.starts, self.epochs, self.batch_size, self.hops, self.memories = starts, epochs, batch_size, hops, memories
        self.trainer_options = dict(trainer or {})

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        groups = [self.tasks] if self.training == "joint" else [[task] for task in self.tasks]
        metrics: dict[str, Any] = {"training": self.training, "seed": self.seed, "models": {}}
        readings: list[Reading] = []
        for model in self.models:
            results: dict[str, Any] = {}
            for tasks in groups:
                data = _Data.load(tasks, self.memories, self.data_dir)
                reader, starts = self._best(model, data, console)
                for task, test in data.tests.items():
                    answers = evaluate(reader, test)
                    results[str(task)] = {"name": data.names[task], **_rounded(answers), "starts": starts}
                    if model == "memory" and (task in PICTURED or len(self.tasks) <= 3):
                        questions = data.questions[task]
                        name = f"{task} {data.names[task]}"
                        readings.append(Reading(name, reader, questions, test, answers, data.vocabulary))
                    console.print(f"{model}, task {task}: error {answers.error:.1f} %")
            metrics["models"][model] = {"tasks": results, **_summary(results)}
            write_json(self.output / "metrics.json", metrics)
        console.print(_table(metrics))
        if readings:
            save_readings(self.output / "report.png", readings)
        save_errors(self.output / "errors.png", metrics["models"], self.training)
        console.print(f"Pictures: {self.output / 'report.png'}, errors.png    figures: {self.output / 'metrics.json'}")
        return metrics

    def _best(self, model: Model, data: "_Data", console: Console) -> tuple[StoryReader, list[dict[str, Any]]]:
        """Train from several initial weights; that with the least training loss wins, as in the paper."""
        best: StoryReader | None = None
        starts = []
        for start in range(self.starts if model == "memory" else 1):
            reader, seconds = self._train(model, data, start)
            error = sum(evaluate(reader, test).error for test in data.tests.values()) / len(data.tests)
            loss = round(reader.final_loss, 5)
            starts.append({"train_loss": loss, "error": round(error, 2), "train_seconds": round(seconds, 1)})
            if best is None or reader.final_loss < best.final_loss:
                best = reader
            if reader.final_loss < self.enough:
                break
        if best is None:
            raise RunError("--starts must be at least 1.")
        return best, starts

    def _train(self, model: Model, data: "_Data", start: int) -> tuple[StoryReader, float]:
        recipe = DEFAULTS[model][self.training]
        if self.epochs is not None:
            recipe = recipe._replace(epochs=self.epochs, linear=min(recipe.linear, self.epochs))
        label = f"task{data.tasks[0]:02}" if self.training == "task" else "joint"
        folder = self.output / model / (f"{label}-{start}" if model == "memory" else label)
        vocabulary = data.vocabulary
        options = {
            "vocabulary": len(vocabulary),
            "memories": vocabulary.memories,
            "words": vocabulary.words,
            "width": WIDTH[model][self.training],
            "hops": self.hops,
        }
        settings = {"tasks": data.tasks, "model": model, **options, **recipe._asdict(), "seed": self.seed}
        check_settings(folder, settings | {"batch_size": self.batch_size}, self.resume, self.overwrite)
        seed = self.seed + 1000 * start
        torch.manual_seed(seed)
        reader = StoryReader(model, **options, recipe=recipe)
        trainer = make_trainer(folder, recipe.linear + recipe.epochs, seed, self.trainer_options, model)
        newest = checkpoint_path(folder)
        resuming = newest if self.resume and newest.exists() else None
        fit(trainer, reader, _Loader(data.train, self.batch_size, seed), resuming)
        clock = next(c for c in trainer.callbacks if isinstance(c, TrainingClock))  # pyright: ignore
        return reader, clock.elapsed()


class _Data(NamedTuple):
    """The questions of one or more tasks for one reader."""

    tasks: list[int]
    names: dict[int, str]
    vocabulary: Vocabulary
    train: StorySet
    tests: dict[int, StorySet]
    questions: dict[int, list[BabiQuestion]]

    @classmethod
    def load(cls, tasks: list[int], memories: int, data_dir: str | None) -> "_Data":
        train = {task: Babi(task, True, data_dir) for task in tasks}
        tests = {task: Babi(task, False, data_dir) for task in tasks}
        together = [question for part in train.values() for question in part.questions]
        vocabulary = Vocabulary(together, memories)
        return cls(
            tasks,
            {task: part.name for task, part in train.items()},
            vocabulary,
            StorySet(together, vocabulary),
            {task: StorySet(part.questions, vocabulary) for task, part in tests.items()},
            {task: part.questions for task, part in tests.items()},
        )


class _Loader(lightning.LightningDataModule):
    """Batches of questions; built late, when the trainer knows its processes."""

    def __init__(self, dataset: StorySet, batch_size: int, seed: int):
        super().__init__()
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed

    def train_dataloader(self) -> Any:
        """Return the loader of this process."""
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        return epoch_loader(self.dataset, self.batch_size, self.seed, rank, world, _as_it_is)

    def transfer_batch_to_device(self, batch: StoryBatch, device: torch.device, dataloader_idx: int) -> StoryBatch:
        """Move the tensors; Lightning's own way looks at each of them for much longer than moving takes."""
        return StoryBatch(*(part.to(device) for part in batch))


def _as_it_is(batch: StoryBatch) -> StoryBatch:
    """A set of stories makes its batches itself."""
    return batch


def _tasks(text: str) -> list[int]:
    if text == "all":
        return list(range(1, TASKS + 1))
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= TASKS for part in parts):
        raise RunError(f"--tasks must be numbers from 1 to {TASKS} with commas, or all, got {text!r}.")
    return sorted({int(part) for part in parts})


def _rounded(answers: Answers) -> dict[str, Any]:
    found = {} if answers.found is None else {"facts_found": round(answers.found, 1)}
    return {"error": round(answers.error, 2), **found}


def _summary(results: dict[str, Any]) -> dict[str, Any]:
    errors = [result["error"] for result in results.values()]
    return {"mean_error": round(sum(errors) / len(errors), 2), "failed": sum(error > FAILED for error in errors)}


def _table(metrics: dict[str, Any]) -> Table:
    models = metrics["models"]
    tasks = list(next(iter(models.values()))["tasks"])
    known = [name for name in PUBLISHED if name.endswith("joint" if metrics["training"] == "joint" else "per task")]
    table = Table(title=f"Error in percent on the test questions, training: {metrics['training']}")
    table.add_column("task")
    for name in (*models, *(f"{name} (published)" for name in known)):
        table.add_column(name, justify="right")
    for task in tasks:
        ours = [f"{model['tasks'][task]['error']:.1f}" for model in models.values()]
        name = next(iter(models.values()))["tasks"][task]["name"]
        table.add_row(f"{task} {name}", *ours, *(f"{PUBLISHED[k][int(task) - 1]:.1f}" for k in known))
    of_tasks = {k: [PUBLISHED[k][int(task) - 1] for task in tasks] for k in known}
    means = [model["mean_error"] for model in models.values()] + [sum(e) / len(e) for e in of_tasks.values()]
    failed = [model["failed"] for model in models.values()] + [sum(x > FAILED for x in e) for e in of_tasks.values()]
    table.add_row("mean error", *(f"{value:.1f}" for value in means), style="bold")
    table.add_row(f"failed (> {FAILED:g} %)", *map(str, failed), style="bold")
    return table
