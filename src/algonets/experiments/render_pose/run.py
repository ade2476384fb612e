"""The experiment: poses from silhouettes, for every law."""

import time
from typing import Any, Literal

import torch
from rich.console import Console
from rich.table import Table

from algonets import tconorms
from algonets.experiments._silhouettes import LAWS, hard_silhouettes, law_of_width, load_shape, make_folder
from algonets.experiments._training import RunError, check_settings, write_json
from algonets.experiments.render_pose.pose import DISTANCE, apart, draw_starts, recover
from algonets.render import Camera

__all__ = ["RenderPoseExperiment"]

RANGES = ((15.0, 35.0), (35.0, 55.0))
SUCCESS = 5.0


class RenderPoseExperiment:
    """Find from where a thing was seen, given its silhouette and a start that is far off; a table over the laws.

    Writes a table to the console and, into the output folder: metrics.json and report.png.

    Args:
        shape: torus would look the same from many sides; spot, bunny and aeroplane are read from the data directory.
            The default is generated: three boxes of different size.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        laws: Names of laws; all by default.
        output: Folder for the results; by default runs/render-pose.
        overwrite: Replace a run in the output folder.
        seed: Of poses and starts.
        size: Side of the silhouettes in pixels.
        poses: How many, for each range of starts.
        steps: Of Adam.
        trainer: Unused, as there is no network; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        shape: Literal["boxes", "spot", "bunny", "aeroplane"] = "boxes",
        data_dir: str | None = None,
        laws: list[str] | None = None,
        output: str | None = None,
        overwrite: bool = False,
        seed: int = 0,
        size: int = 48,
        poses: int = 20,
        steps: int = 100,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        for name, value in {"size": size, "poses": poses, "steps": steps}.items():
            if value < 1:
                raise RunError(f"--{name} must be at least 1, got {value}.")
        unknown = [law for law in laws or () if law not in LAWS]
        if unknown:
            raise RunError(f"--laws must hold names of {', '.join(LAWS)}, got {unknown}.")
        self.shape, self.data_dir, self.laws = shape, data_dir, list(laws or LAWS)
        self.output = make_folder(output, "runs/render-pose")
        self.overwrite, self.seed, self.config = overwrite, seed, config
        self.size, self.poses, self.steps = size, poses, steps

    def run(self) -> dict[str, Any]:
        """Recover, count, report; returns the content of metrics.json."""
        settings = {name: getattr(self, name) for name in ("shape", "laws", "seed", "size", "poses", "steps")}
        check_settings(self.output, settings, resume=False, overwrite=self.overwrite)
        if self.config is not None:
            (self.output / "config.yaml").write_text(self.config)
        console, start = Console(), time.perf_counter()
        mesh = boxes() if self.shape == "boxes" else load_shape(self.shape, self.data_dir)
        generator = torch.Generator().manual_seed(self.seed)
        truth = torch.rand(self.poses, 2, generator=generator) * torch.tensor([80.0, 360.0]) - torch.tensor([40.0, 0.0])
        targets = hard_silhouettes(mesh, Camera.look_at(DISTANCE, truth[:, 0], truth[:, 1]), self.size)
        starts = [draw_starts(truth, *span, generator) for span in RANGES]
        results: dict[str, Any] = {}
        for name in self.laws:
            law = LAWS[name]
            found = recover(
                mesh,
                targets.repeat(len(RANGES), 1, 1),
                torch.cat(starts),
                lambda width, law=law: law_of_width(law, width),
                tconorms.Probabilistic(),
                steps=self.steps,
            )
            off = apart(found, truth.repeat(len(RANGES), 1)).view(len(RANGES), -1)
            results[name] = {
                f"{low:.0f}-{high:.0f}": {
                    "success": round(100 * float((errors <= SUCCESS).float().mean()), 1),
                    "median_degrees": round(float(errors.median()), 2),
                }
                for (low, high), errors in zip(RANGES, off, strict=True)
            }
            console.print(name, " ".join(f"{found['success']:.0f} %" for found in results[name].values()))
        metrics = settings | {"results": results, "seconds": round(time.perf_counter() - start, 1)}
        write_json(self.output / "metrics.json", metrics)
        _show(console, results)
        _draw(self.output / "report.png", results, self.shape)
        return metrics


def boxes() -> Any:
    """Three boxes in a row of steps: no symmetry."""
    from algonets.render import Mesh, cube

    box = cube()
    sizes = torch.tensor([[1.0, 0.5, 0.6], [0.4, 0.9, 0.4], [0.3, 0.3, 0.9]])
    places = torch.tensor([[0.0, -0.3, 0.0], [-0.3, 0.3, 0.1], [0.35, 0.0, -0.35]])
    vertices = (box.vertices * sizes[:, None] + places[:, None]).reshape(-1, 3)
    return Mesh(vertices, torch.cat([box.faces + 8 * k for k in range(3)])).normalised()


def _show(console: Console, results: dict[str, Any]) -> None:
    table = Table(title=f"Poses within {SUCCESS:.0f} degrees at the end, by degrees at the start")
    table.add_column("law")
    for span in next(iter(results.values())):
        table.add_column(f"{span}: %", justify="right")
        table.add_column("median off", justify="right")
    for name, spans in results.items():
        cells = [f"{value:.1f}" for found in spans.values() for value in found.values()]
        table.add_row(name, *cells)
    console.print(table)


def _draw(path: Any, results: dict[str, Any], shape: str) -> None:
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(8, 0.32 * len(results) + 1.6), layout="constrained", dpi=110)
    axes = figure.subplots()
    for k, (span, colour) in enumerate(zip(next(iter(results.values())), ("#1f3b73", "#d9902f"), strict=False)):
        values = [found[span]["success"] for found in results.values()]
        places = [j + 0.38 * (k - 0.5) for j in range(len(results))]
        axes.barh(places, values, 0.36, color=colour, label=f"start {span} degrees off")
    axes.set_yticks(range(len(results)), list(results))
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.set(xlabel=f"poses of {shape} found within {SUCCESS:.0f} degrees, %", xlim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.07), ncols=2)
    figure.savefig(path)
