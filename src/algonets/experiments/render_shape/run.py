"""The experiment: shapes from silhouettes, and the matrix of laws and t-conorms."""

from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from algonets import distributions, tconorms
from algonets.experiments._options import check_folder
from algonets.experiments._silhouettes import (
    SHAPES,
    hard_silhouettes,
    law_of_width,
    load_shape,
    make_folder,
    ring_of_cameras,
)
from algonets.experiments._training import RunError, check_settings, write_json
from algonets.experiments.render_shape.cameras import HELD_OUT, TRAINED
from algonets.experiments.render_shape.deform import deform, score
from algonets.experiments.render_shape.matrix import fill_matrix
from algonets.experiments.render_shape.report import save_evolution, save_matrix, save_shapes
from algonets.render import icosphere

__all__ = ["RenderShapeExperiment"]

Shape = Literal["torus", "spot", "bunny", "aeroplane"]


class RenderShapeExperiment:
    """Deform a sphere until its silhouettes are those of a thing, and score views that were not shown.

    Writes a table to the console and, into the output folder: metrics.json, report.png and evolution.gif; with
    --compare metrics.json and matrix.png, for every law with every t-conorm.

    Args:
        shapes: Things, of torus (generated), spot, bunny, aeroplane (read from the data directory).
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        compare: Every law with every t-conorm on the first shape, with few small views.
        output: Folder for the results; by default runs/render-shape, or runs/render-shape-compare.
        overwrite: Replace a run in the output folder.
        resume: Go on with an interrupted --compare in the output folder.
        seed: Of the choice of views.
        size: Side of the silhouettes in pixels.
        views: How many silhouettes are given.
        views_a_step: How many of them a step looks at.
        steps: Of Adam.
        level: Subdivisions of the sphere; 3 are 642 vertices.
        compare_steps: Steps of each pair with --compare.
        trainer: Unused, as there is no network; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        shapes: list[Shape] = ["torus"],  # noqa: B006 - it is read only, and jsonargparse shows it
        data_dir: str | None = None,
        compare: bool = False,
        output: str | None = None,
        overwrite: bool = False,
        resume: bool = False,
        seed: int = 0,
        size: int = 64,
        views: int = 24,
        views_a_step: int = 8,
        steps: int = 300,
        level: int = 3,
        compare_steps: int = 80,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        for name, value in {"size": size, "views": views, "views_a_step": views_a_step, "steps": steps}.items():
            if value < 1:
                raise RunError(f"--{name} must be at least 1, got {value}.")
        if not shapes or any(shape not in SHAPES for shape in shapes):
            raise RunError(f"--shapes must hold some of {', '.join(SHAPES)}, got {shapes}.")
        if not 0 <= level <= 6:
            raise RunError(f"--level must be from 0 to 6, got {level}.")
        if resume and not compare:
            raise RunError("--resume goes on with a --compare alone. Leave it out, the run is short.")
        check_folder(output, resume, overwrite)
        self.shapes, self.data_dir, self.compare = list(shapes), data_dir, compare
        self.output = make_folder(output, "runs/render-shape-compare" if compare else "runs/render-shape")
        self.overwrite, self.resume, self.seed, self.config = overwrite, resume, seed, config
        self.size, self.views, self.views_a_step, self.steps, self.level = size, views, views_a_step, steps, level
        self.compare_steps = compare_steps

    def run(self) -> dict[str, Any]:
        """Deform, score, report; returns the content of metrics.json."""
        settings = {
            name: getattr(self, name) for name in ("shapes", "compare", "seed", "size", "views", "steps", "level")
        }
        if self.compare:
            settings |= {"compare_steps": self.compare_steps}
        check_settings(self.output, settings, resume=self.resume, overwrite=self.overwrite)
        if self.config is not None:
            (self.output / "config.yaml").write_text(self.config)
        metrics = settings | (self._matrix() if self.compare else self._shapes())
        write_json(self.output / "metrics.json", metrics)
        return metrics

    def _shapes(self) -> dict[str, Any]:
        console, results, pictures = Console(), {}, {}
        template = icosphere(self.level)
        template = template.with_vertices(0.6 * template.vertices)
        cameras, held = ring_of_cameras(self.views, TRAINED), ring_of_cameras(12, HELD_OUT, turn=7.0)
        for shape in self.shapes:
            truth = load_shape(shape, self.data_dir)
            targets, hidden = (hard_silhouettes(truth, which, self.size) for which in (cameras, held))
            found = deform(
                template,
                targets,
                cameras,
                lambda width: law_of_width(distributions.Logistic, width),
                tconorms.Probabilistic(),
                steps=self.steps,
                views=self.views_a_step,
                snapshots=24,
                seed=self.seed,
            )
            results[shape] = {
                "held_out_iou": round(score(found.mesh, hidden, held), 2),
                "trained_iou": round(score(found.mesh, targets, cameras), 2),
                "sphere_iou": round(score(template, hidden, held), 2),
                "seconds": round(found.seconds, 1),
            }
            pictures[shape] = (truth, found.mesh)
            save_evolution(self.output / f"{shape}.gif", truth, template, found.snapshots)
            console.print(f"{shape}: {results[shape]['held_out_iou']:.1f} % after {found.seconds:.0f} s")
        save_shapes(self.output / "report.png", pictures, results)
        table = Table(title=f"Exact IoU at {self.size}x{self.size} after {self.steps} steps, %")
        for name in ("shape", "held-out views", "given views", "sphere, held-out views", "s"):
            table.add_column(name, justify="left" if name == "shape" else "right")
        for shape, found in results.items():
            table.add_row(shape, *(f"{value:.1f}" for value in found.values()))
        console.print(table)
        return {"results": results}

    def _matrix(self) -> dict[str, Any]:
        if self.overwrite:
            (self.output / "cells.json").unlink(missing_ok=True)
        found = fill_matrix(
            self.output / "cells.json",
            load_shape(self.shapes[0], self.data_dir),
            size=max(8, self.size // 2),
            level=min(self.level, 2),
            steps=self.compare_steps,
            seed=self.seed,
        )
        title = f"{self.shapes[0]}: exact IoU of held-out views, % (sphere {found['sphere_iou']:.1f})"
        save_matrix(self.output / "matrix.png", found["matrix"], title)
        return found
