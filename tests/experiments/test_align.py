"""Warped series and a small grammar: the data are what they say, and a tiny run of the whole."""

import json

import pytest
import torch

from algonets.dp import CKY, ProjectiveDependency
from algonets.experiments.align import AlignExperiment
from algonets.experiments.align.grammar import _span_parts, make_sentences
from algonets.experiments.align.series import averages, classify, make_series


def test_sentences_have_binary_trees_and_projective_heads():
    sentences = make_sentences(40, torch.Generator().manual_seed(0))
    for sentence in sentences:
        n = len(sentence.words)
        assert len(sentence.heads) == n and len(sentence.spans) == n - 1
        parts = _span_parts([sentence], n).unsqueeze(3)
        wanted = CKY(20 * parts - 10)
        assert torch.equal(wanted.argmax(), parts)  # its spans are a tree
        trees = ProjectiveDependency(torch.zeros(1, n, n))
        arcs = trees.parts(torch.tensor([sentence.heads]))
        assert ProjectiveDependency(20 * arcs - 10).heads()[0].tolist() == sentence.heads


def test_averages_of_warped_series():
    train = make_series(12, torch.Generator().manual_seed(0))
    centres = averages(train, 0.05)
    assert centres["mean"].shape == centres["barycenter"].shape == (3, 48)
    assert centres["barycenter"][0].max() > centres["mean"][0].max()  # the peaks stay
    test = make_series(60, torch.Generator().manual_seed(1))
    assert classify(test, centres["barycenter"], 0.05) > 80


def test_a_tiny_run(tmp_path):
    pytest.importorskip("matplotlib")
    run = AlignExperiment(str(tmp_path / "run"), series=2, sentences=8, test_size=6, epochs=1)
    metrics = run.run()
    assert set(metrics["parsers"]) == {"CKY", "Eisner", "local"}
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["signals_right"] == metrics["signals_right"]
    assert (tmp_path / "run" / "report.png").stat().st_size > 1000
