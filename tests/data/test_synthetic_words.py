import string
import sys
import time

import pytest
import torch

from algonets.data import SyntheticWords, collate_words
from algonets.data.glyphs import FONTS, glyph_bank
from algonets.data.lexicon import TEST_WORDS, TRAIN_WORDS


def test_lexicon():
    words = [*TRAIN_WORDS, *TEST_WORDS]
    assert len(set(words)) == len(words) == 497
    assert {len(word) for word in words} == set(range(3, 10))
    assert set("".join(words)) == set("".join(TRAIN_WORDS)) == set(string.ascii_lowercase)
    pairs = {word[i : i + 2] for word in TRAIN_WORDS for i in range(len(word) - 1)}
    seen = [word[i : i + 2] in pairs for word in TEST_WORDS for i in range(len(word) - 1)]
    assert sum(seen) / len(seen) > 0.95


def test_glyphs_are_all_there_and_different():
    bank = glyph_bank()
    assert bank.shape == (len(FONTS), 26, 48, 48)
    assert bank.sum((2, 3)).min() > 30
    assert bank[..., [0, -1], :].max() == 0  # nothing is cut off at the top or the bottom
    for font in bank.flatten(2):
        assert torch.cdist(font, font).fill_diagonal_(99).min() > 2


def test_defaults():
    start = time.perf_counter()
    train, test = SyntheticWords(), SyntheticWords(train=False)
    assert time.perf_counter() - start < 30  # about 2 s on one core
    assert (len(train), len(test)) == (3000, 1000)
    assert set(train.words) == set(TRAIN_WORDS)
    assert set(test.words) == set(TEST_WORDS)
    assert (train.image_shape, train.num_classes, train.max_length) == ((1, 16, 16), 26, 9)
    batch = collate_words([train[i] for i in range(50)])
    assert batch.images.dtype == torch.float32
    assert (float(batch.images.min()), float(batch.images.max())) == (0.0, 1.0)
    assert "3000 words of 398 strings" in repr(train)


def test_seeds_and_parts():
    same = [SyntheticWords(size=5, seed=3) for _ in range(2)]
    other = SyntheticWords(size=5, seed=4)
    assert same[0].words == same[1].words
    assert all(same[0][i].images.equal(same[1][i].images) for i in range(5))
    assert other.words != same[0].words
    parts = [SyntheticWords(train, size=1, lexicon=["same"])[0].images for train in (True, False)]
    assert not parts[0].equal(parts[1])


def test_global_state_is_left_alone():
    import matplotlib

    torch.manual_seed(7)
    state, settings = torch.get_rng_state(), dict(matplotlib.rcParams)
    pyplot = "matplotlib.pyplot" in sys.modules
    SyntheticWords(size=3)
    assert torch.get_rng_state().equal(state)
    assert dict(matplotlib.rcParams) == settings
    assert ("matplotlib.pyplot" in sys.modules) == pyplot


def test_difficulty_zero_is_clean():
    clean = SyntheticWords(size=20, difficulty=0, lexicon=["noon"])
    images = clean[0].images
    assert images[0].equal(images[3])
    assert not images[0].equal(images[1])
    assert images[:, :, 0].max() < 0.1


def test_own_lexicon_and_empty():
    dataset = SyntheticWords(size=7, lexicon=["to", "be", "or"])
    counts = [dataset.words.count(word) for word in ("to", "be", "or")]
    assert sorted(counts) == [2, 2, 3]
    assert len(SyntheticWords(size=0)) == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"train": "test"}, TypeError, "True or False"),
        ({"size": -1}, ValueError, "at least 0"),
        ({"size": 2.5}, TypeError, "integer"),
        ({"seed": -1}, ValueError, "at least 0"),
        ({"difficulty": -0.1}, ValueError, "at least 0"),
        ({"difficulty": float("nan")}, ValueError, "finite"),
        ({"lexicon": []}, ValueError, "at least one word"),
        ({"lexicon": "word"}, TypeError, "sequence of words"),
        ({"lexicon": ["Word"]}, ValueError, "letters a to z, got 'Word'"),
        ({"lexicon": ["fine", ""]}, ValueError, "letters a to z"),
    ],
)
def test_rejects(options, error, message):
    with pytest.raises(error, match=message):
        SyntheticWords(**options)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    glyph_bank.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'algonets\[experiments\]'"):
        glyph_bank()
