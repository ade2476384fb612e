"""Reading words: the chain helps, in every way, on real letters."""

import os
from pathlib import Path

import pytest
import torch

from algonets.data import SyntheticWords, collate_words
from algonets.experiments.words import WAYS, WordReader, WordsExperiment, evaluate
from algonets.experiments.words.model import distort

DATA = Path(os.environ.get("ALGONETS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
QUIET = {"enable_progress_bar": False}


@pytest.mark.slow
@pytest.mark.data
def test_the_chain_helps_on_handwriting(tmp_path):
    """A short run on a part of Taskar's letters: far more words right with the chain than without."""
    if not (DATA / "ocr_letters").is_dir():
        pytest.skip(f"no datasets at {DATA}: set ALGONETS_DATA")
    words = {}
    for way in ("independent", "analytic"):
        experiment = WordsExperiment(
            "ocr",
            way,
            data_dir=str(DATA),
            output=str(tmp_path / way),
            epochs=4,
            train_size=800,
            width=12,
            trainer=QUIET,
        )
        words[way] = experiment.run()["ways"][way]
    assert words["independent"]["letters"] > 50
    assert words["analytic"]["letters"] > words["independent"]["letters"] + 3
    assert words["analytic"]["words"] > words["independent"]["words"] + 10
    assert (tmp_path / "analytic" / "report.png").stat().st_size > 20_000


@pytest.mark.parametrize("way", WAYS)
def test_every_way_learns(way):
    """A hundred steps on clean letters: the loss falls and the words of the batch are read."""
    torch.manual_seed(0)
    data = SyntheticWords(size=24, lexicon=["sea", "tea", "ten"], difficulty=0.2)
    batch = collate_words([data[i] for i in range(len(data))])
    reader = WordReader(way, data.image_shape, data.alphabet, width=8, dropout=0.0, distortion=0.0)
    optimizer = torch.optim.Adam(reader.parameters(), 0.01)
    losses = []
    for _ in range(100):
        loss = reader.loss(reader.chain(batch.images, batch.lengths), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * max(losses)
    reading = evaluate(reader, data)
    assert reading.letter_accuracy > 0.9, (way, reading)


def test_accuracies_are_counted_right():
    data = SyntheticWords(size=4, lexicon=["ab", "abc"], difficulty=0.0)

    class Reads(WordReader):
        def read(self, chain):
            labels = torch.zeros(len(data), data.max_length, dtype=torch.int64)
            labels[:, 1] = 1  # "ab" everywhere, "aba" for three letters
            inside = torch.arange(data.max_length) < chain.lengths[:, None]
            return torch.where(inside, labels, -1)

    reading = evaluate(Reads("analytic", data.image_shape, data.alphabet, width=4), data)
    short = sum(word == "ab" for word in data.words)
    assert reading.word_accuracy == short / 4
    assert reading.letter_accuracy == (2 * 4) / sum(map(len, data.words))


def test_distortion_keeps_shape_and_moves_little():
    images = torch.zeros(50, 1, 16, 8)
    images[:, :, 6:10, 3:5] = 1
    torch.manual_seed(0)
    moved = distort(images, 0.7)
    assert moved.shape == images.shape and moved.min() >= 0 and moved.max() <= 1
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(8.0), indexing="ij")
    mass = moved.sum((1, 2, 3))
    drift = torch.stack([(moved[:, 0] * grid).sum((1, 2)) / mass for grid in (rows, columns)])
    centre = torch.tensor([7.5, 3.5])[:, None]
    assert ((drift - centre).std(1) > 0.2).all() and ((drift - centre).std(1) < 1.5).all()
    assert torch.allclose(distort(images, 1e-9), images, atol=1e-5)
