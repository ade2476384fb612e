"""Questions about pictures: what the order of words, and looking, are worth."""

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.data import Scenes
from algonets.data.scenes import SceneBatch
from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._measures import evaluated
from algonets.experiments._pictures import bars, new_figure, show, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.nets import VqaNet

__all__ = ["VqaExperiment"]

MODELS: dict[str, dict[str, Any]] = {
    "language only": {"question": "lstm", "look": False},
    "bag of words + CNN": {"question": "bag", "look": True},
    "LSTM + CNN": {"question": "lstm", "look": True},
}


@final
class VqaExperiment(AbstractExperiment):
    """Three models answer questions about generated scenes: shapes, counts, and relations.

    Args:
        steps: Of each model.
        batch_size: Questions of a step.
        train_size: Questions to train on. Coming again, they teach the order of words sooner than ever new ones.
        width: Of the models.
        side: Pixels of a scene.
        test_size: Questions of the test.
        common: See the base class.
    """

    name = "vqa"

    def __init__(
        self,
        steps: int = 2500,
        batch_size: int = 128,
        train_size: int = 20_000,
        width: int = 32,
        side: int = 32,
        test_size: int = 2000,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(
            steps=steps, batch_size=batch_size, train_size=train_size, width=width, side=side, test_size=test_size
        )

    def measure(self) -> Report:
        """Train three models, ask them, and ask the best about the wrong pictures."""
        scenes = Scenes(self.side)
        test = scenes.draw(self.test_size, torch.Generator().manual_seed(self.seed + 1))
        seen = scenes.draw(self.train_size, torch.Generator().manual_seed(self.seed + 2))
        rows, answers = [], {}
        for name, options in MODELS.items():
            torch.manual_seed(self.seed)
            network = VqaNet(
                len(scenes.words), len(scenes.answers), (3, self.side, self.side), width=self.width, **options
            )
            draws = torch.Generator().manual_seed(self.seed + 4)
            self.train(
                name.lower().replace(" + ", "-").replace(" ", "-"), network, _loss,
                lambda step, g=draws: self._batch(seen, g), self.steps, 1e-3,
            )  # fmt: skip
            answers[name] = evaluated(network, test.words, test.images).argmax(-1)
            rows.append(_row(name, answers[name], test, scenes))
        shuffled = evaluated(network, test.words, test.images.roll(1, 0)).argmax(-1)
        rows.append(_row("LSTM + CNN, wrong pictures", shuffled, test, scenes))
        rows.append(_row("most frequent answer", self._frequent(scenes, test), test, scenes))
        whole = {row["model"]: row["all"] for row in rows}
        criteria = [
            at_least("LSTM + CNN", whole["LSTM + CNN"], 0.93),
            at_most("bag of words + CNN", whole["bag of words + CNN"], 0.85),
            at_most(
                "language only - most frequent answer", whole["language only"] - whole["most frequent answer"], 0.03
            ),
            at_most("LSTM + CNN on wrong pictures", whole["LSTM + CNN, wrong pictures"], 0.6),
        ]
        return Report("Right answers", rows, criteria, self._draw(scenes, test, answers, rows))

    def _batch(self, seen: SceneBatch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        chosen = torch.randint(self.train_size, (self.batch_size,), generator=generator)
        return seen.images[chosen], seen.words[chosen], seen.answers[chosen]

    def _frequent(self, scenes: Scenes, test: SceneBatch) -> Tensor:
        """The answer most frequent among training questions of the same kind."""
        seen = scenes.draw(5000, torch.Generator().manual_seed(self.seed + 3))
        best = torch.stack([seen.answers[seen.kinds == k].mode().values for k in range(len(scenes.kinds))])
        return best[test.kinds]

    def _draw(self, scenes: Scenes, test: SceneBatch, answers: dict[str, Tensor], rows: list[dict]) -> Any:
        figure = new_figure(13, 5)
        left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
        grid = left.subplots(2, 3)
        chosen = [int((test.kinds == k).nonzero()[i]) for i in (0, 1) for k in range(3)]
        for axes, i in zip(grid.flat, chosen, strict=True):
            show(axes, test.images[i].movedim(0, -1))
            said = [
                f"{name}: {scenes.answers[found[i]]}{'' if found[i] == test.answers[i] else '  (wrong)'}"
                for name, found in answers.items()
            ]
            axes.set_title(f"{scenes.text(test.words[i])}?", fontsize=9, weight="bold")
            axes.set_xlabel("\n".join(said), fontsize=8, loc="left")
        axes = right.subplots()
        bars(axes, {row["model"].replace(" + ", "\n+ ").replace(", ", ",\n"): row["all"] for row in rows}, 0.93)
        axes.tick_params(axis="x", labelrotation=60)
        axes.set_ylim(0, 1.08)
        tidy(axes, "It must look, and it must know the order of words", "", "right answers")
        return figure


def _row(name: str, found: Tensor, test: SceneBatch, scenes: Scenes) -> dict[str, Any]:
    right = (found == test.answers).double()
    by = {kind: right[test.kinds == k].mean().item() for k, kind in enumerate(scenes.kinds)}
    return {"model": name, "all": right.mean().item(), **by}


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    images, words, answers = batch
    return functional.cross_entropy(network(words, images), answers)
