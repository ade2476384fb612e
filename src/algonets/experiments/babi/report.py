"""Pictures: which sentences were read for an answer, and the errors beside the published ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from algonets.data import BabiQuestion
from algonets.experiments.babi.evaluate import Answers
from algonets.experiments.babi.model import StoryReader
from algonets.experiments.babi.published import FAILED, PUBLISHED
from algonets.experiments.babi.stories import StoryBatch, StorySet, Vocabulary

__all__ = ["Reading", "save_errors", "save_readings"]

INK, GOOD, BAD = "#1f3b73", "#1b7837", "#c0392b"
SHOWN = 14


class Reading:
    """A question, its answer, and what was read for it.

    Args:
        name: of the task.
        reader: a memory network.
        questions: of the test.
        tensors: the same.
        answers: what the reader gave.
        vocabulary: of the reader.
    """

    def __init__(
        self,
        name: str,
        reader: StoryReader,
        questions: list[BabiQuestion],
        tensors: StorySet,
        answers: Answers,
        vocabulary: Vocabulary,
    ):
        right = (answers.given == tensors.batch.answers).tolist()
        index = _telling(questions, right)
        self.name, self.question = name, questions[index]
        self.answer = vocabulary.names[int(answers.given[index])]
        batch = StoryBatch(*(part[index : index + 1] for part in tensors.batch))
        with torch.inference_mode():
            weights = reader.attention(batch)[0]
        self.weights = weights[:, -min(len(self.question.story), weights.shape[-1]) :]


def _telling(questions: list[BabiQuestion], right: list[bool]) -> int:
    """A question answered right, with many supporting facts in a story of about ten sentences."""

    def value(i: int) -> tuple[bool, int, int]:
        question = questions[i]
        return right[i], len(question.facts), -abs(len(question.story) - 10)

    return max(range(min(len(questions), 300)), key=value)


def save_readings(path: Path, readings: list[Reading]) -> None:
    """Draw the weights of the sentences, hop by hop; supporting facts are marked."""
    import matplotlib.figure

    rows = [min(len(r.question.story), SHOWN) for r in readings]
    figure = matplotlib.figure.Figure(figsize=(8.5, 0.27 * sum(rows) + 0.9 * len(rows)), layout="constrained", dpi=110)
    grid = figure.subplots(len(readings), 1, height_ratios=rows, squeeze=False)[:, 0]
    for axes, reading, shown in zip(grid, readings, rows, strict=True):
        story = [" ".join(sentence) for sentence in reading.question.story]
        first = len(story) - shown
        axes.imshow(reading.weights[:, -shown:].T.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(reading.weights)), [f"hop {k + 1}" for k in range(len(reading.weights))], fontsize=8)
        axes.set_yticks(range(shown), story[first:], fontsize=8)
        for place, label in enumerate(axes.get_yticklabels()):
            if first + place in reading.question.facts:
                label.set(color=GOOD, fontweight="bold")
        for hop, weights in enumerate(reading.weights[:, -shown:]):
            for place, weight in enumerate(weights.tolist()):
                if weight >= 0.1:
                    colour = "white" if weight > 0.6 else INK
                    axes.text(hop, place, f"{weight:.2f}", ha="center", va="center", fontsize=7, color=colour)
        asked = " ".join(reading.question.question)
        right = reading.answer == reading.question.answer
        title = f"{reading.name}: {asked}? {reading.answer}" + ("" if right else f" (right: {reading.question.answer})")
        axes.set_title(title, fontsize=9, loc="left", color=INK if right else BAD)
        axes.tick_params(length=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def save_errors(path: Path, models: Mapping[str, Mapping[str, Any]], training: str) -> None:
    """Draw the error of each task beside the published one."""
    import matplotlib.figure

    tasks = sorted({int(task) for model in models.values() for task in model["tasks"]})
    size = max(0.55 * len(tasks) * (1 + len(models)) / 2.5, 6)
    figure = matplotlib.figure.Figure(figsize=(size, 3.4), layout="constrained", dpi=110)
    axes = figure.subplots()
    published = PUBLISHED["memory, joint" if training == "joint" else "memory, per task"]
    bars = {name: [model["tasks"].get(str(t), {}).get("error", 0) for t in tasks] for name, model in models.items()}
    bars["memory, published"] = [published[t - 1] for t in tasks]
    colours = {"memory": INK, "memory, published": "#9fb4d9", "lstm": "#d9902f", "bag": "#b0b0b0"}
    width = 0.8 / len(bars)
    for k, (name, heights) in enumerate(bars.items()):
        places = [i + (k - (len(bars) - 1) / 2) * width for i in range(len(tasks))]
        axes.bar(places, heights, width, color=colours[name], label=name)
    axes.axhline(FAILED, color=BAD, lw=0.8, ls="--")
    axes.set_xticks(range(len(tasks)), [str(t) for t in tasks])
    axes.set(xlabel="task", ylabel="error %", ylim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(bars), fontsize=8, loc="upper left")
    figure.savefig(path)
