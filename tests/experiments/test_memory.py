"""Recalling digits: what the issue asks for, in short; and that the figures mean what they say."""

import os
from pathlib import Path

import pytest
import torch

from algonets.experiments._training import RunError
from algonets.experiments.memory import MEMORIES, MemoryExperiment, classify, load_patterns, make_memory, recall
from algonets.experiments.memory.capacity import EXPECTED, correlation, digit_capacity, random_capacity, random_overlaps
from algonets.experiments.memory.recall import hopfield, repeated, trace
from algonets.memory import flip

DATA = Path(os.environ.get("ALGONETS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def test_digits_are_stored_once():
    pytest.importorskip("sklearn")
    digits = load_patterns("digits", None, 20)
    assert digits.n == 64 and digits.unseen.shape == (20, 64) and len(digits.labels) == len(digits.stored)
    assert len({tuple(row) for row in digits.stored.tolist()}) == len(digits.stored)


@pytest.mark.parametrize("name", MEMORIES)
def test_every_memory_recalls_few_unlike_patterns(name):
    patterns = torch.where(torch.rand(3, 100, generator=torch.Generator().manual_seed(0)) < 0.5, -1.0, 1.0)
    memory = make_memory(name, patterns)
    assert recall(memory, patterns, "flip", 0.2, 2, 0) == (100.0, 100.0)
    assert recall(memory, patterns, "occlude", 0.25, 1, 0).exact == 100.0
    found = classify(memory, patterns, torch.arange(3), flip(patterns, 0.1), torch.arange(3))
    assert found == {"accuracy": 100.0, "memories": 100.0}
    assert repeated(memory, patterns, 0.1, 3) == {"draws": 3, "exact": 100.0, "worst": 100.0, "draws_with_all": 3}


def test_recall_counts():
    patterns = torch.ones(2, 4)
    forgets = lambda queries: torch.cat([queries[:1], -torch.ones(1, 4)])  # noqa: E731
    assert recall(forgets, patterns, "flip", 0.0, 1, 0) == (50.0, 50.0)


def test_a_trace_falls_and_ends_where_the_memory_does():
    patterns = torch.where(torch.rand(4, 80, generator=torch.Generator().manual_seed(0)) < 0.5, -1.0, 1.0)
    network = hopfield("hebb", patterns)
    found = trace(network, flip(patterns[0], 0.2, torch.Generator().manual_seed(1)), 4, 0)
    assert all(after < before for before, after in zip(found.energies, found.energies[1:], strict=False))
    assert found.energies[-1] == pytest.approx(float(network.energy(found.states[-1])) / 80, abs=1e-4)
    assert torch.equal(found.states[-1], patterns[0]) and found.steps[-1] == len(found.energies) - 1


def test_alike_patterns_are_lost_by_hebb_alone():
    base = torch.where(torch.rand(1, 100, generator=torch.Generator().manual_seed(0)) < 0.5, -1.0, 1.0)
    patterns = flip(base.expand(20, 100), 0.1, torch.Generator().manual_seed(1))
    assert correlation(patterns)["mean_overlap"] == pytest.approx(0.64, abs=0.05)
    kept = digit_capacity(patterns, [1, 20])
    assert kept["hebb"] == {"1": 100.0, "20": 0.0}
    assert kept["pseudo_inverse"]["20"] == 100.0


@pytest.mark.parametrize("options", [{"patterns": 0}, {"beta": 0.0}, {"output": ""}, {"units": 0}])
def test_wrong_options(options):
    with pytest.raises(RunError):
        MemoryExperiment(**options)


@pytest.mark.slow
def test_capacities_of_random_patterns():
    found = random_overlaps(2000)
    assert all(found[f"{load:g}"] == pytest.approx(value, abs=0.05) for load, value in EXPECTED.items())
    kept = random_capacity(400)
    assert kept["storkey"]["0.15"] == kept["pseudo_inverse"]["0.15"] == kept["perceptron"]["0.15"] == 100.0
    assert kept["hebb"]["0.15"] < 50


@pytest.mark.slow
@pytest.mark.data
def test_the_lecture_on_mnist():
    """118 digits, 20 % of the bits flipped: all come back from three memories; Hebb keeps two of two."""
    if not (DATA / "mnist").is_dir():
        pytest.skip(f"no datasets at {DATA}: set ALGONETS_DATA")
    digits = load_patterns("mnist", str(DATA), 200)
    patterns = digits.stored[:118]
    for name in ("pseudo_inverse", "modern", "hamming"):
        assert recall(make_memory(name, patterns), patterns, "flip", 0.2, 1, 0).exact == 100.0, name
    assert correlation(patterns)["mean_overlap"] == pytest.approx(0.66, abs=0.02)
    kept = digit_capacity(digits.stored, [2, 118])
    assert kept["hebb"] == {"2": 100.0, "118": 0.0} and kept["pseudo_inverse"]["118"] == 100.0
    seen = (patterns, digits.labels[:118], digits.unseen, digits.unseen_labels)
    nearest = classify(lambda queries: queries, *seen)
    assert classify(make_memory("hamming", patterns), *seen)["accuracy"] == nearest["accuracy"] > 50


@pytest.mark.slow
def test_a_run_on_the_embedded_digits(tmp_path):
    pytest.importorskip("sklearn")
    found = MemoryExperiment(output=str(tmp_path), units=200, unseen=50).run()
    assert found["stored"] == 10 and found["recall"]["hamming"]["flip"]["0"]["exact"] == 100.0
    for name in ("report.png", "curves.png", "metrics.json", "settings.json"):
        assert (tmp_path / name).is_file()
    with pytest.raises(RunError, match="holds a run already"):
        MemoryExperiment(output=str(tmp_path)).run()
