"""The experiment: train on silhouettes, score voxels of unseen shapes against the mean shape."""

import time
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from torch import Tensor

from algonets.distributions import Logistic
from algonets.experiments._silhouettes import make_folder
from algonets.experiments._training import RunError, check_settings, write_json
from algonets.experiments.render_reconstruct.family import (
    VEHICLES,
    Family,
    cameras_of,
    photograph,
    superquadrics,
    vehicles,
)
from algonets.experiments.render_reconstruct.model import Reconstructor
from algonets.render import Mesh, Rasterizer, flattening_loss, iou, laplacian_loss, voxelise

__all__ = ["RenderReconstructExperiment"]

SIDES = 12


class RenderReconstructExperiment:
    """Learn shapes from one picture, from silhouettes alone; score voxels of shapes that were never seen.

    The network sees a shaded picture and from which side it was taken; the loss sees silhouettes of two sides. Writes
    metrics.json and report.png into the output folder.

    Args:
        data: superquadrics are generated; vehicles are read from the data directory, stretched at random, one of the
            five held out.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/render-reconstruct.
        overwrite: Replace a run in the output folder.
        seed: Of shapes, network and batches.
        train_size: Shapes to train on.
        test_size: Unseen shapes.
        size: Side of the pictures in pixels.
        resolution: Voxels on a side.
        steps: Of Adam.
        batch_size: Shapes in a step.
        trainer: Unused: the loop is a few lines; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Literal["superquadrics", "vehicles"] = "superquadrics",
        data_dir: str | None = None,
        output: str | None = None,
        overwrite: bool = False,
        seed: int = 0,
        train_size: int = 200,
        test_size: int = 50,
        size: int = 32,
        resolution: int = 24,
        steps: int = 600,
        batch_size: int = 16,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        sizes = {"train_size": train_size, "test_size": test_size, "size": size, "resolution": resolution}
        for name, value in (sizes | {"steps": steps, "batch_size": batch_size}).items():
            if value < 1:
                raise RunError(f"--{name} must be at least 1, got {value}.")
        self.data, self.data_dir = data, data_dir
        self.output = make_folder(output, "runs/render-reconstruct")
        self.overwrite, self.seed, self.config = overwrite, seed, config
        self.train_size, self.test_size, self.size, self.resolution = train_size, test_size, size, resolution
        self.steps, self.batch_size = steps, batch_size

    def run(self) -> dict[str, Any]:
        """Photograph, train, score, report; returns the content of metrics.json."""
        names = ("data", "seed", "train_size", "test_size", "size", "resolution", "steps", "batch_size")
        settings = {name: getattr(self, name) for name in names}
        check_settings(self.output, settings, resume=False, overwrite=self.overwrite)
        if self.config is not None:
            (self.output / "config.yaml").write_text(self.config)
        console, begin = Console(), time.perf_counter()
        train, test = self._families()
        prepared = time.perf_counter() - begin
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = Reconstructor()
            losses = self._train(model, train)
        seconds = time.perf_counter() - begin - prepared
        found = reconstruct(model, test)
        scores = iou(self._voxels(model, found).float(), test.voxels.float(), dims=3)
        mean = (train.voxels.float().mean(0) >= 0.5).float()
        mean_scores = iou(mean.expand_as(test.voxels.float()), test.voxels.float(), dims=3)
        metrics = settings | {
            "voxel_iou": round(100 * float(scores.mean()), 2),
            "mean_shape_iou": round(100 * float(mean_scores.mean()), 2),
            "better_than_mean_shape": round(100 * float((scores > mean_scores).float().mean()), 1),
            "last_losses": round(sum(losses[-20:]) / len(losses[-20:]), 4),
            "preparation_seconds": round(prepared, 1),
            "train_seconds": round(seconds, 1),
        }
        write_json(self.output / "metrics.json", metrics)
        _draw(self.output / "report.png", model, found, test, scores)
        console.print(
            f"Voxel IoU of {len(scores)} unseen {self.data}: {metrics['voxel_iou']:.1f} %, mean shape "
            f"{metrics['mean_shape_iou']:.1f} %; {seconds:.0f} s of training"
        )
        return metrics

    def _families(self) -> tuple[Family, Family]:
        generator = torch.Generator().manual_seed(self.seed)
        if self.data == "superquadrics":
            meshes = [superquadrics(count, generator) for count in (self.train_size, self.test_size)]
        else:
            held = [VEHICLES[3]]
            known = [name for name in VEHICLES if name not in held]
            meshes = [
                vehicles(self.train_size, generator, known, self.data_dir),
                vehicles(self.test_size, generator, held, self.data_dir),
            ]
        train, test = (photograph(part, SIDES, self.size, self.resolution) for part in meshes)
        return train, test

    def _train(self, model: Reconstructor, family: Family) -> list[float]:
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        losses = []
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = 1e-3 * 0.05 ** (step / self.steps)
            which = torch.randint(len(family.pictures), (self.batch_size,))
            sides = torch.randint(SIDES, (2, self.batch_size))
            azimuth = sides * (360.0 / SIDES)
            vertices = model(family.pictures[which, sides[0]], azimuth[0])
            law = Logistic(0.03 * 0.1 ** min(1.0, step / (0.8 * self.steps)))
            renderer = Rasterizer(self.size, law)
            loss = torch.zeros(())
            for side, angle in zip(sides, azimuth, strict=True):
                faces = cameras_of(angle).project(vertices)[..., model.faces, :]
                loss = loss + 1 - iou(renderer.silhouette(faces), family.pictures[which, side, 1]).mean()
            smooth = (
                2 * laplacian_loss(vertices, model.faces).mean() + 1e-3 * flattening_loss(vertices, model.faces).mean()
            )
            optimizer.zero_grad()
            (loss + smooth).backward()
            optimizer.step()
            losses.append(float(loss.detach()) / 2)
        return losses

    def _voxels(self, model: Reconstructor, vertices: Tensor) -> Tensor:
        return voxelise(vertices, model.faces, self.resolution)


@torch.no_grad()
def reconstruct(model: Reconstructor, family: Family) -> Tensor:
    """Vertices of each shape from one picture; the sides go round."""
    sides = torch.arange(len(family.pictures)) % SIDES
    return model(family.pictures[torch.arange(len(sides)), sides], sides * (360.0 / SIDES))


def _draw(path: Path, model: Reconstructor, vertices: Tensor, family: Family, scores: Tensor) -> None:
    import matplotlib.figure

    from algonets.experiments.render_shape.report import picture

    shown = min(len(vertices), 6)
    figure = matplotlib.figure.Figure(figsize=(1.8 * shown, 5.6), layout="constrained", dpi=110)
    grid = figure.subplots(3, shown, squeeze=False)
    for k in range(shown):
        side = k % SIDES
        found = Mesh(vertices[k], model.faces)
        grid[0, k].imshow(family.pictures[k, side, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        grid[1, k].imshow(picture(found, side * 360.0 / SIDES, 96, 25.0).numpy())
        grid[2, k].imshow(picture(found, side * 360.0 / SIDES + 120, 96, 25.0).numpy())
        grid[1, k].set_title(f"voxel IoU {100 * float(scores[k]):.0f} %", fontsize=9)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, name in zip(grid[:, 0], ("the picture", "found, same side", "found, turned"), strict=True):
        axes.set_ylabel(name)
    figure.savefig(path)
