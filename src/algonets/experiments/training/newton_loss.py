"""Newton losses against ordinary ones, on orders, paths and edit distances."""

from typing import Any, Literal

from algonets.experiments._report import Criterion, at_least
from algonets.experiments.training.newton_tasks import METHODS, MODES, EditTask, PathTask, SortTask, VectorTask, train
from algonets.experiments.training.study import Study, best_setting, entry

__all__ = ["NewtonLossExperiment"]

TITLES = {"base": "base", "hessian": "Newton, Hessian", "fisher": "Newton, Fisher"}
SCALED = ("NeuralSort", "SoftSort")
FACTORS = (10.0, 20.0)
DAMPINGS = (1e-3, 1e-1, 1.0, 1e1, 1e3)


class NewtonLossExperiment(Study):
    """Learn orders, shortest paths and letters, by the loss itself and by Newton losses of it.

    Args:
        parts: ``scaled``: orders of vectors, outputs 10 and 20 times too large, SGD; ``sorting``: numbers of four
            digits, four methods, Adam; ``paths``: perturbed shortest paths; ``edit``: soft edit distances to words
            with a letter left out, Adam; or ``all``.
        seeds: How many.
        steps: Of training; ``scaled`` takes 60.
        search_steps: Of a trial that chooses damping and rate on validation data.
        sizes: Numbers a set; by default 5 and 10.
        common: See the base class.
    """

    name = "newton-loss"

    def __init__(
        self,
        parts: Literal["all", "scaled", "sorting", "paths", "edit"] = "all",
        seeds: int = 3,
        steps: int = 300,
        search_steps: int = 100,
        sizes: list[int] | None = None,
        **common: Any,
    ):
        super().__init__(**common)
        sizes = [5, 10] if sizes is None else sizes
        self.keep(parts=parts, seeds=seeds, steps=steps, search_steps=search_steps, sizes=sizes)
        tasks: dict[str, tuple[Any, str, int]] = {}
        if parts in ("all", "scaled"):
            for name in SCALED:
                for factor in FACTORS:
                    task = VectorTask(name, 5, factor)
                    tasks[f"{name}, n = 5, outputs x {factor:g}, SGD"] = (task, "sgd", min(60, steps))
        if parts in ("all", "sorting"):
            for n in sizes:
                tasks |= {f"{name}, n = {n}": (SortTask(name, n), "adam", steps) for name in METHODS}
        if parts in ("all", "paths"):
            tasks["paths, 6 x 6"] = (PathTask(), "adam", steps)
            tasks["paths, outputs x 10, SGD"] = (PathTask(factor=10.0), "sgd", min(60, steps))
        if parts in ("all", "edit"):
            tasks["edit distance, 4 letters"] = (EditTask(), "adam", steps)
        self.tasks = tasks

    def prepare(self) -> dict[str, Any]:
        """Choose rate and damping of everything on validation data."""
        chosen = {}
        for name in self.tasks:
            chosen[name] = self.once(f"chosen for {name}", lambda name=name: self._choose(name))
            self.console.print(f"{name}: " + ", ".join(f"{mode} {found}" for mode, found in chosen[name].items()))
        return chosen

    def _choose(self, name: str) -> dict[str, dict[str, float]]:
        task, optimizer, steps = self.tasks[name]
        short = min(steps, self.search_steps)
        found = {}
        for mode in MODES:
            rate, damping = best_setting(
                lambda rate, damping, seed, mode=mode: (
                    -sum(train(task, mode, damping, rate, short, seed, optimizer, "validation"))
                ),
                _grid(mode, optimizer),
                seeds=(1000, 1001) if optimizer == "sgd" else (1000,),
            )
            found[mode] = {"rate": rate, "damping": damping}
        return found

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Train everything with what was chosen."""
        found: dict[str, Any] = {}
        for name, (task, optimizer, steps) in self.tasks.items():
            found[name] = {}
            for mode in MODES:
                outcome = train(
                    task, mode, **self.chosen[name][mode], steps=steps, seed=seed, optimizer=optimizer, part="test"
                )
                found[name][mode] = outcome._asdict()
        return found

    def criteria(self, mean: Any) -> list[Criterion]:
        """The target of the badly scaled start."""
        scaled = [name for name in mean if name.split(",")[0] in SCALED and "outputs x" in name]
        gains = [mean[name]["hessian"]["parts"] - mean[name]["base"]["parts"] for name in scaled]
        told = "points element by element that the Hessian gains"
        return [at_least(f"{name}: {told}", gain, 10.0) for name, gain in zip(scaled, gains, strict=True)]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Exact (element-wise) percent."""
        rows = []
        for name, found in mean.items():
            cells = [
                f"{entry(found[m]['exact'], deviation[name][m]['exact'], 1)} ({found[m]['parts']:.1f})" for m in MODES
            ]
            rows.append([name, *cells])
        return ["task", *[f"{title}: exact % (parts %)" for title in TITLES.values()]], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Bars of exact and element-wise scores."""
        figure.set_size_inches(11, 0.9 + 0.5 * len(mean))
        axes = figure.subplots(1, 2, sharey=True)
        colours = ("0.6", "#1f3b73", "#c0392b")
        for panel, key, title in zip(
            axes, ("exact", "parts"), ("whole answers right, %", "parts right, %"), strict=True
        ):
            for k, name in enumerate(mean):
                for j, mode in enumerate(MODES):
                    value, error = mean[name][mode][key], deviation[name][mode][key]
                    label = TITLES[mode] if k == 0 else None
                    panel.barh(k + 0.27 * (j - 1), value, 0.25, xerr=error, color=colours[j], label=label, capsize=2)
            panel.set(xlabel=title, yticks=range(len(mean)), yticklabels=list(mean), xlim=(0, 105))
        axes[0].invert_yaxis()
        axes[0].legend(frameon=False, fontsize=8, loc="lower right")


def _grid(mode: str, optimizer: str) -> list[tuple[float, float]]:
    """Pairs of rate and damping. SGD: rates in units of what the damping leaves; Adam adapts by itself."""
    if optimizer == "adam":
        return [(3e-3, 1.0)] if mode == "base" else [(3e-3, damping) for damping in DAMPINGS]
    if mode == "base":
        return [(10.0 ** (k / 2), 1.0) for k in range(-8, 1)]
    return [(rate, damping) for damping in DAMPINGS for rate in _rates(damping)]


def _rates(damping: float) -> list[float]:
    """A large damping divides the gradient, so that the rate must grow with it."""
    return [max(damping, 0.1) * 10.0 ** (k / 2) for k in range(-6, 0)]
