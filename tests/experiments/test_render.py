"""The experiments on silhouettes, in short; and that their figures mean what they say."""

import json

import pytest
import torch

from algonets import tconorms
from algonets.distributions import Logistic
from algonets.experiments._silhouettes import FOLDS, LAWS, hard_silhouettes, law_of_width, load_shape, ring_of_cameras
from algonets.experiments._training import RunError
from algonets.experiments.relax_silhouette import RelaxSilhouetteExperiment
from algonets.experiments.relax_silhouette.run import compare
from algonets.experiments.render_pose import RenderPoseExperiment, apart, recover
from algonets.experiments.render_pose.pose import draw_starts
from algonets.experiments.render_pose.run import boxes
from algonets.experiments.render_reconstruct import RenderReconstructExperiment, superquadrics
from algonets.experiments.render_shape import RenderShapeExperiment, deform, score
from algonets.experiments.render_shape.matrix import fill_matrix
from algonets.render import Camera, icosphere


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.__name__)
def test_laws_of_equal_width(law):
    low, high = law_of_width(law, 0.3).quantile(torch.tensor([0.25, 0.75], dtype=torch.float64)).tolist()
    first, last = Logistic(0.3).quantile(torch.tensor([0.25, 0.75], dtype=torch.float64)).tolist()
    assert high - low == pytest.approx(last - first, rel=1e-9)


def test_a_shape_scores_itself():
    shape, cameras = load_shape("torus", None), ring_of_cameras(3, (10.0,))
    targets = hard_silhouettes(shape, cameras, 16)
    assert score(shape, targets, cameras) == 100 and 0.05 < targets.mean() < 0.6


def test_deformation_learns():
    cameras = ring_of_cameras(4, (0.0, 40.0))
    targets = hard_silhouettes(load_shape("torus", None), cameras, 20)
    start = icosphere(1).with_vertices(0.6 * icosphere(1).vertices)
    found = deform(
        start, targets, cameras, Logistic, tconorms.Probabilistic(), steps=40, learning_rate=0.03, snapshots=3
    )
    assert score(found.mesh, targets, cameras) > score(start, targets, cameras) + 15
    assert len(found.snapshots) == 3 and len(found.losses) == 40


def test_render_shape(tmp_path):
    options = {"size": 16, "views": 3, "views_a_step": 2, "steps": 3, "level": 1}
    metrics = RenderShapeExperiment(**options, output=str(tmp_path)).run()
    assert 0 < metrics["results"]["torus"]["held_out_iou"] <= 100
    assert (tmp_path / "report.png").stat().st_size > 10_000 and (tmp_path / "torus.gif").read_bytes()[:3] == b"GIF"
    with pytest.raises(RunError, match="holds a run already"):
        RenderShapeExperiment(**options, output=str(tmp_path)).run()


@pytest.mark.slow
def test_render_shape_compares(tmp_path):
    options = {"compare": True, "size": 16, "level": 0, "compare_steps": 1, "output": str(tmp_path)}
    metrics = RenderShapeExperiment(**options).run()
    assert len(metrics["matrix"]) == len(LAWS) and all(len(row) == 9 for row in metrics["matrix"].values())
    assert (tmp_path / "matrix.png").stat().st_size > 10_000
    assert RenderShapeExperiment(**options, resume=True).run() == metrics  # all cells were there


def test_an_interrupted_matrix_goes_on(tmp_path, monkeypatch):
    from algonets.experiments.render_shape import matrix

    monkeypatch.setattr(matrix, "LAWS", {name: LAWS[name] for name in ("Logistic", "Gamma")})
    monkeypatch.setattr(matrix, "FOLDS", {name: FOLDS[name] for name in ("Max", "Probabilistic")})
    done: list[int] = []

    def deform_until(*arguments, **options):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return deform(*arguments, **options)

    options = {"size": 8, "level": 0, "steps": 1, "seed": 0}
    shape = load_shape("torus", None)
    whole = fill_matrix(tmp_path / "whole.json", shape, **options)
    monkeypatch.setattr(matrix, "deform", deform_until)
    with pytest.raises(KeyboardInterrupt):
        fill_matrix(tmp_path / "cells.json", shape, **options)
    done.clear()
    again = fill_matrix(tmp_path / "cells.json", shape, **options)
    assert len(done) == 1 and again["matrix"] == whole["matrix"]


def test_angles():
    assert apart(torch.tensor([0.0, 10.0]), torch.tensor([0.0, 40.0])).item() == pytest.approx(30.0, abs=1e-3)
    assert apart(torch.tensor([80.0, 0.0]), torch.tensor([80.0, 180.0])).item() == pytest.approx(20.0, abs=1e-3)
    truth = torch.tensor([[10.0, 20.0], [-30.0, 200.0]])
    off = apart(draw_starts(truth, 15.0, 35.0, torch.Generator().manual_seed(0)), truth)
    assert (off >= 15).all() and (off <= 35).all()


def test_a_pose_is_recovered():
    truth, start = torch.tensor([[20.0, 60.0]]), torch.tensor([[5.0, 75.0]])
    targets = hard_silhouettes(boxes(), Camera.look_at(4.0, truth[:, 0], truth[:, 1]), 24)
    found = recover(boxes(), targets, start, Logistic, tconorms.Probabilistic(), steps=50)
    assert float(apart(found, truth)) < 5 < float(apart(start, truth))


def test_render_pose(tmp_path):
    metrics = RenderPoseExperiment(laws=["Logistic", "Uniform"], size=12, poses=2, steps=2, output=str(tmp_path)).run()
    assert set(metrics["results"]) == {"Logistic", "Uniform"}
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert (tmp_path / "report.png").stat().st_size > 5_000


def test_superquadrics_are_closed_and_differ():
    found = superquadrics(3, torch.Generator().manual_seed(0))
    for mesh in found:
        a, b, c = mesh.triangles().unbind(1)
        assert (a * torch.linalg.cross(b, c)).sum() > 0 and mesh.vertices.norm(dim=1).max() < 1.3
    assert not torch.equal(found[0].vertices, found[1].vertices)


def test_render_reconstruct(tmp_path):
    options = {"train_size": 3, "test_size": 2, "size": 16, "resolution": 8, "steps": 2, "batch_size": 2}
    metrics = RenderReconstructExperiment(**options, output=str(tmp_path)).run()
    assert 0 < metrics["voxel_iou"] <= 100 and 0 < metrics["mean_shape_iou"] <= 100
    assert (tmp_path / "report.png").stat().st_size > 5_000


def test_relaxed_program_equals_the_rasterizer():
    for name, found in compare(6).items():
        assert found["image"] < 1e-12 and found["gradient"] < 1e-9, name


def test_relax_silhouette(tmp_path, monkeypatch):
    from algonets.experiments.relax_silhouette import run

    monkeypatch.setattr(run, "compare", lambda size: {"Logistic": {"image": 0.0, "gradient": 0.0}})
    metrics = RelaxSilhouetteExperiment(size=6, views=1, steps=1, output=str(tmp_path)).run()
    assert metrics["Rasterizer"]["iou"] > 0 and (tmp_path / "report.png").stat().st_size > 3_000


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda out: RenderShapeExperiment(shapes=["teapot"], output=out), "--shapes must hold"),
        (lambda out: RenderShapeExperiment(steps=0, output=out), "--steps must be"),
        (lambda out: RenderShapeExperiment(level=9, output=out), "--level must be"),
        (lambda out: RenderShapeExperiment(resume=True, output=out), "--resume goes on"),
        (lambda out: RenderPoseExperiment(laws=["Normal"], output=out), "--laws must hold"),
        (lambda out: RenderPoseExperiment(poses=0, output=out), "--poses must be"),
        (lambda out: RenderReconstructExperiment(steps=0, output=out), "--steps must be"),
        (lambda out: RelaxSilhouetteExperiment(size=0, output=out), "--size must be"),
        (lambda out: RenderShapeExperiment(output=""), "--output must name"),
    ],
)
def test_bad_options(make, text, tmp_path):
    with pytest.raises(RunError, match=text):
        make(str(tmp_path))
