"""The experiment: the relaxed program beside the renderer, and shapes learnt through both."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from algonets.distributions import Distribution, Logistic
from algonets.experiments._silhouettes import LAWS, hard_silhouettes, law_of_width, make_folder, ring_of_cameras
from algonets.experiments._training import RunError, check_settings, write_json
from algonets.experiments.relax_silhouette.program import covered, distances_of, relaxed_silhouettes
from algonets.render import Camera, Mesh, Rasterizer, icosphere, iou, laplacian_loss, torus

__all__ = ["RelaxSilhouetteExperiment"]

Render = Callable[[Tensor, Distribution], Tensor]


class RelaxSilhouetteExperiment:
    """Write a silhouette renderer as a Python loop, relax it, and learn a shape through it.

    Compares its images and gradients with those of the Rasterizer for every law, and learns a torus' outline through
    both. Writes metrics.json and report.png into the output folder.

    Args:
        output: Folder for the results; by default runs/relax-silhouette.
        overwrite: Replace a run in the output folder.
        size: Side of the silhouettes in pixels.
        views: How many silhouettes are given.
        steps: Of Adam.
        trainer: Unused, as there is no network; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        output: str | None = None,
        overwrite: bool = False,
        size: int = 16,
        views: int = 3,
        steps: int = 40,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        for name, value in {"size": size, "views": views, "steps": steps}.items():
            if value < 1:
                raise RunError(f"--{name} must be at least 1, got {value}.")
        self.output, self.overwrite, self.config = make_folder(output, "runs/relax-silhouette"), overwrite, config
        self.size, self.views, self.steps = size, views, steps

    def run(self) -> dict[str, Any]:
        """Compare, learn, report; returns the content of metrics.json."""
        settings = {name: getattr(self, name) for name in ("size", "views", "steps")}
        check_settings(self.output, settings, resume=False, overwrite=self.overwrite)
        if self.config is not None:
            (self.output / "config.yaml").write_text(self.config)
        console = Console()
        metrics: dict[str, Any] = settings | {"largest_difference": compare(self.size)}
        worst = max(max(pair.values()) for pair in metrics["largest_difference"].values())
        console.print(f"Images and gradients of {len(LAWS)} laws differ from the Rasterizer's by at most {worst:.1g}.")
        cameras, truth = ring_of_cameras(self.views, (-20.0, 10.0, 40.0)), torus(0.68, 0.3)
        targets = hard_silhouettes(truth, cameras, self.size)
        ways: dict[str, Render] = {
            "relaxed program": lambda faces, law: relaxed_silhouettes(faces, self.size, law),
            "Rasterizer": lambda faces, law: Rasterizer(self.size, law, cutoff=0).silhouette(faces),
        }
        shapes = {}
        for name, render in ways.items():
            start = time.perf_counter()
            shapes[name] = learn(render, targets, cameras, self.steps)
            seconds = time.perf_counter() - start
            score = 100 * float(iou(hard_silhouettes(shapes[name], cameras, self.size), targets).mean())
            metrics[name] = {"iou": round(score, 2), "seconds": round(seconds, 2)}
            console.print(f"{name}: exact IoU {score:.1f} % after {self.steps} steps in {seconds:.1f} s")
        write_json(self.output / "metrics.json", metrics)
        _draw(self.output / "report.png", shapes["relaxed program"], targets, cameras, self.size)
        return metrics


def compare(size: int) -> dict[str, dict[str, float]]:
    """Largest differences of images and gradients, in float64, for every law."""
    sphere, result = icosphere(0), {}
    for name, law in LAWS.items():
        vertices = (sphere.vertices.double() * 0.7).requires_grad_()
        faces = Camera.look_at(4.0, 17.0, 23.0).project(vertices)[sphere.faces][..., :2]
        wide = law_of_width(law, 0.05)
        images = [relaxed_silhouettes(faces[None], size, wide)[0], Rasterizer(size, wide, cutoff=0).silhouette(faces)]
        weights = torch.linspace(-1, 1, size * size, dtype=torch.float64).view(size, size)
        grads = [torch.autograd.grad((image * weights).sum(), vertices, retain_graph=True)[0] for image in images]
        result[name] = {
            "image": float((images[0] - images[1]).detach().abs().max()),
            "gradient": float((grads[0] - grads[1]).abs().max() / grads[1].abs().max().clamp_min(1e-300)),
        }
    return result


def learn(render: Render, targets: Tensor, cameras: Camera, steps: int) -> Mesh:
    """Move the vertices of a sphere of 80 faces until its soft silhouettes are the targets."""
    sphere = icosphere(1)
    shift = torch.zeros_like(sphere.vertices, requires_grad=True)
    optimizer = torch.optim.Adam([shift], 0.03)
    for step in range(steps):
        vertices = 0.6 * sphere.vertices + shift
        law = Logistic(0.06 * 0.1 ** (step / steps))
        image = render(cameras.project(vertices)[..., sphere.faces, :][..., :2], law)
        loss = 1 - iou(image, targets).mean() + laplacian_loss(vertices, sphere.faces)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sphere.with_vertices((0.6 * sphere.vertices + shift).detach())


def _draw(path: Path, mesh: Mesh, targets: Tensor, cameras: Camera, size: int) -> None:
    import matplotlib.figure

    faces = cameras.project(mesh.vertices)[..., mesh.faces, :][..., :2]
    with torch.no_grad():
        soft = relaxed_silhouettes(faces, size, Logistic(0.03))
        hard = covered(distances_of(faces, size).flatten(0, 1)).view_as(soft)
    shown = min(len(targets), 4)
    rows = (("target", targets), ("program, hard", hard), ("relaxed", soft))
    figure = matplotlib.figure.Figure(figsize=(2 * shown + 0.4, 6.2), layout="constrained", dpi=110)
    grid = figure.subplots(len(rows), shown, squeeze=False)
    for line, (name, images) in zip(grid, rows, strict=True):
        for axes, image in zip(line, images, strict=False):
            axes.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(name)
    figure.savefig(path)
