import gzip
import hashlib
import pickle
import sys

import numpy as np
import pytest
import torch

from algonets.data import DatasetCorrupt, DatasetUnavailable, OcrLetters
from algonets.data.ocr_letters import disjoint_groups, parse_letters
from algonets.data.remote import RemoteFile

module = sys.modules[OcrLetters.__module__]


def letter_file(words: list[tuple[str, int]], seed: int = 0) -> bytes:
    """Words with their folds in the original format, unpacked."""
    random = np.random.default_rng(seed)
    lines, number = [], 0
    for which, (word, fold) in enumerate(words, 1):
        for position, letter in enumerate(word, 1):
            number += 1
            follower = number + 1 if position < len(word) else -1
            fields = [number, letter, follower, which, position, fold, *random.integers(0, 2, 128)]
            lines.append("\t".join(map(str, fields)) + "\t\n")
    return "".join(lines).encode()


@pytest.fixture
def small_file(tmp_path, monkeypatch, own_cache):
    """A data directory with twenty words in ten folds; the checksum is theirs."""
    words = [(word, fold) for fold in range(10) for word in (f"ab{chr(97 + fold)}", f"ba{chr(107 - fold)}")]
    packed = gzip.compress(letter_file(words))
    (tmp_path / "ocr_letters").mkdir()
    (tmp_path / "ocr_letters" / "letter.data.gz").write_bytes(packed)
    url = "http://127.0.0.1:1/letter.data.gz"
    file = RemoteFile("ocr_letters/letter.data.gz", (url,), hashlib.sha256(packed).hexdigest(), len(packed))
    monkeypatch.setattr(module, "_FILE", file)
    return tmp_path, words


def test_folds(small_file):
    folder, words = small_file
    inside = [word for word, fold in words if fold == 3]
    others = [word for word, fold in words if fold != 3]
    for split, train, wanted in (
        ("large", True, others),
        ("large", False, inside),
        ("small", True, inside),
        ("small", False, others),
    ):
        dataset = OcrLetters(split, 3, train, folder)
        assert dataset.words == wanted
        assert f"split={split!r}, fold=3, train={train}" in repr(dataset)


def test_disjoint_covers_everything_once(small_file):
    folder, words = small_file
    tested = []
    for fold in range(10):
        train, test = (OcrLetters("disjoint", fold, part, folder) for part in (True, False))
        assert not set(train.words) & set(test.words)
        assert len(train) + len(test) == len(words)
        tested += test.words
    assert sorted(tested) == sorted(word for word, _ in words)


def test_images_and_pickle(small_file):
    folder, _ = small_file
    dataset = pickle.loads(pickle.dumps(OcrLetters(data_dir=folder)))
    sample = dataset[0]
    assert dataset.image_shape == (1, 16, 8)
    assert (dataset.alphabet, dataset.num_classes) == ("abcdefghijklmnopqrstuvwxyz", 26)
    assert sample.images.dtype == torch.float32
    assert set(sample.images.unique().tolist()) == {0.0, 1.0}
    rows = letter_file([("aba", 0), ("bak", 0), *small_file[1][2:]]).decode().splitlines()
    pixels = [float(value) for value in rows[6].split("\t")[6:-1]]
    assert sample.images[0].flatten().tolist() == pixels


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"split": "huge"}, ValueError, "one of large, small, disjoint, got 'huge'"),
        ({"fold": 10}, ValueError, "between 0 and 9, got 10"),
        ({"fold": -1}, ValueError, "at least 0"),
        ({"fold": 1.0}, TypeError, "integer"),
        ({"fold": True}, TypeError, "integer"),
        ({"train": "test"}, TypeError, "True or False"),
        ({"data_dir": "/nowhere/at/all"}, DatasetUnavailable, "existing directory"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        OcrLetters(**options)


def test_empty_directory_offline(own_cache, tmp_path, monkeypatch):
    file = RemoteFile("ocr_letters/letter.data.gz", ("http://127.0.0.1:1/letter.data.gz",), "0" * 64, 9)
    monkeypatch.setattr(module, "_FILE", file)
    with pytest.raises(DatasetUnavailable, match=r"ocr_letters/letter\.data\.gz was not found in"):
        OcrLetters(data_dir=tmp_path)


def test_truncated_local_file(own_cache, tmp_path):
    (tmp_path / "ocr_letters").mkdir()
    (tmp_path / "ocr_letters" / "letter.data.gz").write_bytes(gzip.compress(b"1\to\t2\t")[:-3])
    with pytest.raises(DatasetCorrupt, match="damaged or another file: expected 1329012 bytes"):
        OcrLetters(data_dir=tmp_path)


LINES = letter_file([("ab", 0), ("c", 1)])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "lines of 6 fields"),
        (LINES[:-1], "lines of 6 fields and 128"),
        (LINES + b"1\ta\n", "lines of 6 fields and 128"),
        (LINES.replace(b"c\t-1\t", b"c\t"), "6 fields before"),
        (LINES.replace(b"3\tc", b"x\tc"), "6 fields before"),
        (LINES.replace(b"\tc\t", b"\t?\t"), "letters from a to z"),
        (LINES[:-3] + b"7\t\n", "0 or 1"),
    ],
)
def test_parse_rejects(tmp_path, raw, message):
    (tmp_path / "f.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(DatasetCorrupt, match=message):
        parse_letters(tmp_path / "f.gz")


def test_parse_rejects_a_truncated_gzip(tmp_path):
    (tmp_path / "f.gz").write_bytes(gzip.compress(LINES)[:-20])
    with pytest.raises(DatasetCorrupt, match="whole gzip file"):
        parse_letters(tmp_path / "f.gz")


def test_groups_keep_a_holder_of_each_letter_outside():
    words = ["ab", "cd", "ae", "cf", "be", "df"] * 3
    group = disjoint_groups(words, groups=3)
    assert group == disjoint_groups(words[::-1], groups=3)
    for letter in "abcdef":
        assert len({group[word] for word in words if letter in word}) > 1
    assert disjoint_groups(["xy"], groups=2) == {"xy": 0}  # impossible, so the rule is dropped


@pytest.mark.data
def test_agrees_with_the_npz_beside_it(real_data):
    path = real_data / "ocr_letters" / "ocr_letters.npz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    table = parse_letters(real_data / "ocr_letters" / "letter.data.gz")
    with np.load(path) as other:
        assert np.array_equal(table.images, other["images"])
        assert np.array_equal(table.labels, other["labels"])
        assert np.array_equal(table.folds, other["fold"])
        assert np.array_equal(table.offsets, other["word_offsets"])
    assert all(len(set(table.folds[a:b])) == 1 for a, b in zip(table.offsets, table.offsets[1:], strict=False))


@pytest.mark.data
def test_real_folds(real_data):
    sizes = [626, 704, 684, 698, 693, 651, 739, 717, 690, 675]
    for fold in (0, 6):
        for split in ("large", "small"):
            parts = [OcrLetters(split, fold, train, real_data) for train in (True, False)]
            few, many = parts if split == "small" else parts[::-1]
            assert (len(few), len(many)) == (sizes[fold], 6877 - sizes[fold])
            assert (few.max_length, len(set(many.words))) == (14, 55)


@pytest.mark.data
def test_real_disjoint_split(real_data):
    words = parse_letters(real_data / "ocr_letters" / "letter.data.gz").strings()
    group = disjoint_groups(words)
    parts = [[[word for word in words if (group[word] == fold) == test] for test in (0, 1)] for fold in range(10)]
    for train, test in parts:
        assert len(set(test)) in (5, 6)
        assert 640 < len(test) < 740
        assert set("".join(test)) <= set("".join(train))
    assert OcrLetters("disjoint", 7, True, real_data).words == parts[7][0]
    assert OcrLetters("disjoint", 7, False, real_data).words == parts[7][1]
