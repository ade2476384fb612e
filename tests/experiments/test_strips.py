"""Strips without segmentation: the parts, and a tiny run of the whole."""

import json

import pytest
import torch

from algonets.data import SyntheticWords
from algonets.data.words import WordSample
from algonets.dp import Lattice
from algonets.experiments._training import RunError
from algonets.experiments.strips import StripsExperiment
from algonets.experiments.strips.model import ColumnReader, GraphReader
from algonets.experiments.strips.strip import cuts_found, make_strips, over_segment
from algonets.experiments.words import WordsExperiment


@pytest.fixture(scope="module")
def strips():
    pytest.importorskip("matplotlib")
    return make_strips(SyntheticWords(True, 4, 0), 4, 0)


def test_strips_hold_their_letters(strips):
    for strip in strips:
        assert len(strip.begins) == len(strip.ends) == len(strip.labels) == len(strip.word)
        assert strip.cuts[0] == 0 and strip.cuts[-1] == strip.image.shape[1] and strip.cuts == sorted(set(strip.cuts))
        assert len(strip.cuts) > len(strip.labels)
        assert all(strip.cuts[j] > strip.cuts[i] for i, j in strip.spans)
    found = [cuts_found(strip) for strip in strips]
    assert sum(a for a, _ in found) >= 0.9 * sum(b for _, b in found) > 0
    assert over_segment(torch.zeros(4, 3)) == [0, 3]


def test_the_right_readings_spell_the_word_and_are_some_of_all(strips):
    torch.manual_seed(0)
    reader = GraphReader(16, 2).eval()
    every, right = reader.sums(strips)
    assert (every > right).all() and right.isfinite().all()
    with torch.no_grad():
        lattice = reader.lattice(strips)
        torch.testing.assert_close(lattice.forward(), every)
        words = Lattice.stack([Lattice.from_lexicon([strip.labels.tolist()]) for strip in strips])
        torch.testing.assert_close(lattice.intersect(words).forward(), right)
    lexicon = Lattice.from_lexicon([[ord(c) - 97 for c in strip.word] for strip in strips])
    read = ["".join(chr(97 + c) for c in word) for word in reader.read(strips, lexicon)]
    assert {*read} <= {strip.word for strip in strips}


def test_every_word_can_be_read_from_its_pieces():
    """Words of two wide letters with wide spaces, too: once they had no path, as no piece was so wide."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 16, 8, generator=generator) * 0.7 + 0.3  # ink in all columns
    wide = WordSample(images, torch.tensor([0, 1]), "ab")
    many = make_strips([wide], 50, 1)
    assert max(strip.image.shape[1] for strip in many) == 1 + 8 + 3 + 8 + 1
    with torch.no_grad():
        _, right = GraphReader(16, 2).eval().sums(many)
    assert right.isfinite().all()


def test_ctc_learns_a_few_words_by_heart(strips):
    torch.manual_seed(0)
    reader = ColumnReader(16, 4)
    optimizer = torch.optim.Adam(reader.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss = reader.loss(strips)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_a_tiny_run(tmp_path):
    pytest.importorskip("matplotlib")
    run = StripsExperiment(size=8, test_size=4, epochs=1, width=2, batch_size=4, output=str(tmp_path / "run"))
    metrics = run.run()
    assert set(metrics["readers"]) == {"given segmentation", "CTC", "graph transformer"}
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["readers"] == metrics["readers"]
    assert (tmp_path / "run" / "report.png").stat().st_size > 1000
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been interrupted before the end
    again = StripsExperiment(
        size=8, test_size=4, epochs=1, width=2, batch_size=4, output=str(tmp_path / "run"), resume=True
    ).run()
    assert again["readers"] == metrics["readers"]
    with pytest.raises(RunError, match="size"):
        StripsExperiment(size=0)


def test_words_without_segmentation_are_strips(tmp_path):
    options = {"train_size": 8, "epochs": 1, "width": 2, "batch_size": 4, "output": str(tmp_path / "run")}
    words = WordsExperiment(segmentation="none", **options)
    assert isinstance(words.strips, StripsExperiment)
    assert (words.strips.size, words.strips.width, words.strips.epochs) == (8, 2, 1)
    with pytest.raises(RunError, match="--segmentation none does not know --way"):
        WordsExperiment(segmentation="none", way="all")
