"""The short experiments: each runs in small, leaves its table, JSON and picture, and can fail."""

import importlib
import json
import math

import pytest
import torch

from algonets.cli import main
from algonets.data import DatasetUnavailable
from algonets.experiments import EXPERIMENTS
from algonets.experiments._training import RunError
from algonets.experiments.lectures._environments import CartPole, Catch
from algonets.experiments.lectures._games import CONNECT4, TIC_TAC_TOE, LineGame, Solver, Stones
from algonets.experiments.lectures._textures import describer, gram_distance, make_texture
from algonets.experiments.lectures.control import _Memory
from algonets.experiments.lectures.lenet import _shift
from algonets.experiments.lectures.nowcast import SEEN, SIDE, clouds
from algonets.experiments.lectures.sequence import GUESS, adding
from algonets.nets import VGG, load_net, save_net
from algonets.nets.search import Game

TINY: dict[str, dict] = {
    "perceptron": {"seeds": 2, "widths": [1, 3], "steps": 3},
    "lenet": {"steps": 2, "train_size": 32, "shift": 2},
    "autoencoder": {"steps": 2, "train_size": 64, "labels": [10], "draws": 2, "tuning": 2},
    "sequence": {"lengths": [4, 6], "steps": 2, "test_size": 8, "hidden": 4},
    "segment": {"steps": 2, "train_size": 6, "test_size": 4, "batch_size": 3, "width": 2},
    "nowcast": {"steps": 2, "test_size": 4, "batch_size": 2, "channels": 2, "units": 4},
    "vqa": {"steps": 2, "train_size": 40, "test_size": 60, "batch_size": 4, "width": 4, "side": 16},
    "texture": {"textures": ["waves"], "steps": 2, "side": 20},
    "style": {"textures": ["bricks"], "steps": 2, "height": 16, "width": 20},
    "generate": {"steps": 3, "test_size": 40, "batch_size": 8, "width": 2, "latent": 3},
    "chairs": {"chairs": 9, "views": 4, "steps": 2, "width": 2, "side": 16, "tests": 3},
    "game": {
        "rounds": 1,
        "parallel": 2,
        "simulations": 3,
        "updates": 2,
        "batch_size": 4,
        "width": 2,
        "judged": 12,
        "matches": 1,
    },
    "control": {"seeds": 1, "steps": 3, "batch_size": 4, "test_size": 1},
    "genes": {"folds": 2, "steps": 2, "components": 4, "hidden": 3},
    "classify": {"blocks": [1], "steps": 2, "train_size": 16, "test_size": 8, "width": 2, "side": 8},
}
QUIET = {"enable_progress_bar": False, "logger": False}


def train(name, folder, **options):
    module, _, kind = EXPERIMENTS[name].partition(":")
    experiment = getattr(importlib.import_module(module), kind)
    return experiment(output=str(folder), trainer=QUIET, **{**TINY[name], **options}).run()


@pytest.mark.parametrize("name", TINY)
def test_a_small_run(name, tmp_path, capsys):
    train(name, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["experiment"] == name and metrics["rows"] and metrics["criteria"] and metrics["seed"] == 0
    assert len({tuple(row) for row in metrics["rows"]}) == 1
    for criterion in metrics["criteria"]:
        value, bound = criterion["value"], criterion["bound"]
        assert math.isfinite(value)
        assert criterion["passed"] == (value >= bound if criterion["rule"] == ">=" else value <= bound)
    assert (tmp_path / "report.png").stat().st_size > 10_000
    shown = capsys.readouterr().out
    assert all(("yes " if c["passed"] else "no  ") + c["name"][:20] in shown for c in metrics["criteria"])


def test_every_lecture_is_tested():
    assert set(TINY) == {name for name, target in EXPERIMENTS.items() if ".lectures." in target}


def test_the_same_seed_gives_the_same_figures(tmp_path, capsys):
    found = [train("sequence", tmp_path / folder, seed=seed)["rows"] for folder, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert found[0] == found[1] != found[2]


def test_trained_networks_are_kept(tmp_path, capsys):
    pytest.importorskip("safetensors")
    train("lenet", tmp_path)
    net = load_net(tmp_path / "lenet-5.safetensors")
    assert net.image_shape == (1, 24, 24) and type(net).__name__ == "LeNet"


def test_the_command_line(tmp_path, capsys):
    command = ["train", "genes", "--output", str(tmp_path), "--folds", "2", "--steps", "2", "--components", "4"]
    command += ["--trainer.enable_progress_bar", "false"]
    assert main(command) == 0 and "linear SVM" in capsys.readouterr().out
    assert main(command) == 1 and "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert "folds: 2" in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("sequence", {"steps": 0}, "--steps must be at least 1"),
        ("sequence", {"lengths": [5, -1]}, "--lengths must be at least 1"),
        ("classify", {"blocks": []}, "--blocks must name at least one"),
        ("style", {"structure": -2.0}, "--structure must be positive"),
        ("texture", {"filters": "nothing.pth"}, "--filters must be 'random' or the file of a VGG"),
        ("game", {"seed": -1}, "--seed must be at least 0"),
        ("genes", {"folds": 1}, "--folds must be at least 2"),
        ("sequence", {"lengths": [6, 1]}, "--lengths must be at least 2"),
        ("generate", {"test_size": 1}, "--test_size must be at least 2"),
        ("style", {"height": 3}, "--height must be at least 9"),
        ("texture", {"side": 8}, "--side must be at least 9"),
        ("classify", {"side": 3}, "--side must be at least 4"),
    ],
)
def test_bad_options(name, options, words, tmp_path):
    with pytest.raises(RunError, match=words):
        train(name, tmp_path / "o", **options)


def test_genes_without_the_file(tmp_path):
    with pytest.raises(DatasetUnavailable, match=r"golub_leukemia\.npz"):
        train("genes", tmp_path / "o", data="golub", data_dir=str(tmp_path))


# ---- what single experiments stand on ----------------------------------------------------------------------------


def test_the_adding_problem():
    x, y = adding(500, 9, torch.Generator().manual_seed(0))
    assert torch.equal(x[..., 1].sum(-1), torch.full((500,), 2.0)) and x[:, :4, 1].sum(-1).eq(1).all()
    assert torch.allclose(y, (x[..., 0] * x[..., 1]).sum(-1))
    assert (y - 1).square().mean() == pytest.approx(GUESS, abs=0.03)


def test_clouds_stay_in_their_half():
    for left, other in ((0, slice(SIDE, None)), (SIDE, slice(None, SIDE))):
        film = clouds(50, left, torch.Generator().manual_seed(0))
        assert film[..., other].amax() < 0.25 and film.amax() > 0.9
    same = [clouds(5, left, torch.Generator().manual_seed(1)) for left in (0, SIDE)]
    assert torch.equal(same[0][..., :SIDE], same[1][..., SIDE:]) and same[0].shape[1] > SEEN


def test_shifted_images():
    images = torch.zeros(4, 1, 5, 5)
    images[:, :, 2, 2] = 1
    places = _shift(images, 1).flatten(1).argmax(-1).tolist()
    assert places == [2 * 5 + 3, 2 * 5 + 1, 3 * 5 + 2, 1 * 5 + 2]
    assert torch.equal(_shift(images, 0), images)


def test_games_and_their_solver():
    assert isinstance(TIC_TAC_TOE, Game) and len(TIC_TAC_TOE.all_positions()) == 4520
    solver = Solver(TIC_TAC_TOE)
    assert solver(TIC_TAC_TOE.start()) == 0 and len(solver.best(TIC_TAC_TOE.start())) == 9
    corner = TIC_TAC_TOE.play(TIC_TAC_TOE.start(), 0)
    assert solver.best(corner) == [4]  # the only answer to a corner is the middle
    assert len(CONNECT4.lines) == 17
    state = CONNECT4.start()
    for move in (2, 1, 2, 1, 2, 1):
        state = CONNECT4.play(state, move)
    assert state == Stones(own=0b00100_00100_00100, other=0b00010_00010_00010)
    assert Solver(CONNECT4).best(state) == [2] and CONNECT4.result(CONNECT4.play(state, 2)) == -1.0
    assert CONNECT4.encode(state)[0, :3, 2].eq(1).all() and CONNECT4.encode(state).sum() == 6
    full = LineGame(1, 2, 2, falling=False)
    assert full.result(Stones(1, 2)) == 0.0 and full.allowed(Stones(1, 2)) == []
    assert TIC_TAC_TOE.mirror(torch.arange(9)).tolist() == [2, 1, 0, 5, 4, 3, 8, 7, 6]
    some = CONNECT4.positions(20, 0, least=10)
    assert len(set(some)) == 20 and all((s.own | s.other).bit_count() >= 10 for s in some)


def test_catch_can_be_won_and_lost():
    world = Catch(0)
    for aim, reward in ((1, 1.0), (-1, -1.0)):
        world.reset()
        total, over = 0.0, False
        while not over:
            ahead = world.ball[1] - world.paddle
            goal = ahead if aim == 1 else (-1 if world.ball[1] > 3 else 1)
            seen, gained, over, late = world.step(1 + (goal > 0) - (goal < 0))
            total += gained
            assert not late and seen.shape == (1, 10, 8) and 1 <= seen.sum() <= 2
        assert total == reward


def test_cartpole_is_seeded():
    pytest.importorskip("gymnasium")
    first, second = CartPole(3), CartPole(3)
    assert torch.equal(first.reset(), second.reset()) and torch.equal(first.step(1)[0], second.step(1)[0])
    assert not torch.equal(first.reset(), CartPole(3).reset())


def test_memory_forgets_the_oldest():
    memory = _Memory((1,), 3)
    for k in range(5):
        memory.add(torch.tensor([float(k)]), k, 0.0, torch.tensor([0.0]), False)
    drawn = memory.draw(50, torch.Generator().manual_seed(0))
    assert set(drawn[1].tolist()) == {2, 3, 4} and torch.equal(drawn[0][:, 0].long(), drawn[1])


def test_textures_are_alike_and_pictures_differ(tmp_path):
    describe = describer("random", 0)
    for name in ("waves", "cells", "bricks"):
        one, two = make_texture(name, 40, 0), make_texture(name, 40, 1)
        assert one.shape == (1, 3, 40, 40) and not torch.equal(one, two) and 0 <= one.min() < one.max() <= 1
        shuffled = one.flatten(2)[..., torch.randperm(1600, generator=torch.Generator().manual_seed(0))].reshape(
            one.shape
        )
        assert gram_distance(describe(two), describe(one)) < 0.5 * gram_distance(describe(shuffled), describe(one))
        assert gram_distance(describe(one), describe(one)) == 0


def test_filters_of_trained_networks(tmp_path):
    pytest.importorskip("safetensors")
    save_net(VGG(3, 10, (1, 1), 4), tmp_path / "vgg.safetensors")
    picture = torch.rand(1, 3, 16, 16)
    assert [tuple(x.shape) for x in describer(str(tmp_path / "vgg.safetensors"), 0)(picture)] == [
        (1, 4, 16, 16),
        (1, 8, 8, 8),
    ]
    state = {}  # names and order as torchvision's VGG-19, in small
    for place, (inputs, outputs) in {0: (3, 2), 2: (2, 2), 5: (2, 4)}.items():
        state |= {
            f"features.{place}.weight": torch.randn(outputs, inputs, 3, 3),
            f"features.{place}.bias": torch.zeros(outputs),
        }
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "vgg.pth")
    maps = describer(str(tmp_path / "vgg.pth"), 0)(picture)
    assert [tuple(x.shape[1:]) for x in maps] == [(2, 16, 16), (2, 16, 16), (4, 8, 8)]
    save_net(VGG(1, 10, (1,), 4), tmp_path / "grey.safetensors")
    with pytest.raises(RunError, match="colour"):
        describer(str(tmp_path / "grey.safetensors"), 0)
