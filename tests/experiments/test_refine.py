"""Refining maps: figures are counted right, methods have equal parameters, runs can be resumed."""

import itertools
import json

import numpy
import pytest
import torch

from algonets.experiments._training import RunError
from algonets.experiments.refine import METHODS, RefineExperiment, boundary_f, build_network, iou
from algonets.experiments.refine.coarse import coarse_maps

TINY = {"train_size": 6, "test_size": 5, "side": 16, "steps": 4, "interval": 2, "batch_size": 2, "iterations": 2}
QUIET = {"enable_progress_bar": False}


def square(first, last, n=12):
    mask = torch.zeros(1, 1, n, n, dtype=torch.bool)
    mask[..., first:last, first:last] = True
    return mask


def test_iou_by_hand():
    small, large, none = square(4, 8), square(3, 9), square(0, 0)
    assert iou(small, large).item() == pytest.approx(16 / 36)
    assert iou(none, none).item() == 1 and iou(small, none).item() == 0


def test_boundary_f_by_hand():
    small, large, none = square(4, 8), square(3, 9), square(0, 0)
    assert boundary_f(small, small).item() == 1 and boundary_f(none, none).item() == 1
    assert boundary_f(small, none).item() == 0
    assert boundary_f(small, large, 1).item() == 1  # one pixel apart
    far = boundary_f(square(2, 4), square(7, 10), 1)
    assert far.item() == 0
    # Outlines of 12 pixels and 20; without tolerance they share none.
    assert boundary_f(small, large, 0).item() == 0
    half = square(4, 8)
    half[..., 6:] = False  # 4 x 2: all 8 pixels are outline, 6 of them of the square's 12
    assert boundary_f(half, small, 0).item() == pytest.approx(2 * (6 / 8) * (6 / 12) / (6 / 8 + 6 / 12))


def test_competitors_have_about_equal_parameters():
    sizes = {
        m: sum(p.numel() for p in build_network(m, 5).parameters()) for m in ("pde", "one-step", "cnn", "pixel-mlp")
    }
    assert sizes["pde"] == sizes["one-step"]
    assert all(abs(size / sizes["pde"] - 1) < 0.03 for size in sizes.values()), sizes


@pytest.mark.parametrize("method", METHODS)
def test_maps_begin_with_the_coarse_one(method):
    coarse, image = torch.randn(2, 1, 16, 20), torch.rand(2, 3, 16, 20)
    steps = build_network(method, 3)(coarse, image)
    assert torch.equal(steps[0], coarse) and steps.shape[1:] == coarse.shape
    assert len(steps) == {"coarse": 1, "pde": 4, "mean-field": 4}.get(method, 2)


def test_all_methods_run_and_are_resumed(tmp_path):
    """Interrupted after some methods, a run goes on to the figures of an uninterrupted one."""
    whole = RefineExperiment(**TINY, output=str(tmp_path / "whole"), trainer=QUIET).run()
    assert set(whole["methods"]) == set(METHODS)
    assert len(whole["methods"]["pde"]["iou_over_iterations"]) == 3
    assert (tmp_path / "whole" / "report.png").stat().st_size > 10_000
    assert (tmp_path / "whole" / "evolution.gif").read_bytes()[:3] == b"GIF"
    parts = str(tmp_path / "parts")
    RefineExperiment(**TINY, methods=["coarse", "pde"], output=parts, trainer=QUIET).run()
    (tmp_path / "parts" / "pde" / "result.json").unlink()  # as if interrupted at the end
    again = RefineExperiment(**TINY, output=parts, resume=True, trainer=QUIET).run()
    for method in METHODS:
        for key in ("iou", "boundary_f", "iou_over_iterations"):
            assert again["methods"][method][key] == whole["methods"][method][key], method
    assert json.loads((tmp_path / "parts" / "metrics.json").read_text())["methods"].keys() == whole["methods"].keys()
    with pytest.raises(RunError, match="holds a run already"):
        RefineExperiment(**TINY, output=parts, trainer=QUIET).run()


def test_aerial_tiles(tmp_path):
    """On made-up tiles: classifiers, maps that are kept, refinement."""
    folder = tmp_path / "data" / "aerial_oam_buildings"
    folder.mkdir(parents=True)
    draw = numpy.random.default_rng(0)
    numpy.savez(
        folder / "oam_buildings.npz",
        images=draw.integers(0, 255, (3, 32, 32, 3), dtype=numpy.uint8),
        masks=draw.integers(0, 2, (3, 32, 32), dtype=numpy.uint8),
        valid=numpy.ones((3, 32, 32), numpy.uint8),
        zoom=numpy.full(3, 19, numpy.uint8),
        tile_xyz=numpy.array([[309612, 7, 19], [309613, 7, 19], [309614, 7, 19]], numpy.int32),
    )
    options = {"steps": 2, "interval": 1, "batch_size": 2, "crop": 16, "classifier_steps": 2, "iterations": 2}
    experiment = RefineExperiment(
        "aerial",
        ["coarse", "pde"],
        **options,
        data_dir=str(tmp_path / "data"),
        output=str(tmp_path / "run"),
        trainer=QUIET,
    )
    metrics = experiment.run()
    assert set(metrics["methods"]) == {"coarse", "pde"} and (tmp_path / "run" / "coarse.pt").is_file()


def test_coarse_maps_leave_out_their_own_ground():
    """The map of a picture does not depend on the mask of its own group."""
    torch.manual_seed(0)
    images, masks = torch.rand(3, 3, 32, 32), (torch.rand(3, 1, 32, 32) > 0.5).float()
    known, other = torch.ones_like(masks), masks.clone()
    other[0] = 1 - other[0]
    first, second = (coarse_maps((images, m, known), images[:1], [0, 1, 1], 2, 16, 0)[0] for m in (masks, other))
    assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"steps": 0}, "--steps must be at least 1"),
        ({"side": 8}, "--side must be at least 16"),
        ({"learning_rate": 0.0}, "--learning_rate must be positive"),
        ({"resume": True, "overwrite": True}, "exclude each other"),
        ({"output": ""}, "--output must name a folder"),
        ({"trainer": {"devices": 2}}, "one device"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(RunError, match=text):
        RefineExperiment(**options)


@pytest.mark.slow
def test_the_equation_refines(tmp_path):
    """Better than the coarse map and the best Perona-Malik of the grid, and better with each iteration."""
    methods = ["coarse", "perona-malik", "pde"]
    metrics = RefineExperiment(
        methods=methods, steps=250, train_size=200, test_size=60, output=str(tmp_path), trainer=QUIET
    ).run()["methods"]
    steps = metrics["pde"]["iou_over_iterations"]
    assert all(b > a for a, b in itertools.pairwise(steps)), steps
    assert metrics["pde"]["iou"] > metrics["perona-malik"]["iou"] + 3 > metrics["coarse"]["iou"] + 3
