"""Tables of bits: the rules of the MONK's problems, the files, what is refused."""

import gzip
import hashlib
import sys

import pytest
import torch

from algonets.data import Adult, BreastCancer, DatasetCorrupt, DatasetUnavailable, Monks, RemoteFile

adult = sys.modules[Adult.__module__]
cancer = sys.modules[BreastCancer.__module__]
monks = sys.modules[Monks.__module__]

ROW = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, Cuba, "
)


def need(folder, name):
    if not (folder / name).is_dir():
        pytest.skip(f"{folder}/{name} is not there")


@pytest.mark.data
def test_monks_follow_their_rules(real_data):
    need(real_data, "monks")
    rules = {
        1: lambda a: (a[0] == a[1]) | (a[4] == 1),
        2: lambda a: (torch.stack(a) == 1).sum(0) == 2,
        3: lambda a: ((a[4] == 3) & (a[3] == 1)) | ((a[4] != 4) & (a[1] != 3)),
    }
    for problem, rule in rules.items():
        train, test = Monks(problem, True, real_data), Monks(problem, False, real_data)
        assert len(test) == 432 and test.bits.shape == (432, 17)
        assert (test.bits.sum(1) == 6).all() and len(test.names) == 17
        assert torch.equal(test.labels, rule(list(test.attributes.T)).long())
        wrong = int((train.labels != rule(list(train.attributes.T)).long()).sum())
        assert wrong == (6 if problem == 3 else 0)
        bits, label = train[0]
        assert bits.dtype == torch.float32 and label == int(train.labels[0])


@pytest.mark.data
def test_breast_cancer(real_data):
    need(real_data, "breast_cancer")
    data = BreastCancer(real_data)
    assert len(data) == 286 and int(data.labels.sum()) == 85
    assert data.bits.shape == (286, len(data.names))
    assert sorted(set(data.bits.sum(1).tolist())) == [8, 9]  # nine rows have an unknown value


@pytest.mark.data
def test_adult(real_data):
    need(real_data, "adult")
    train, test = Adult(True, real_data), Adult(False, real_data)
    assert (len(train), int(train.labels.sum())) == (32561, 7841)
    assert (len(test), int(test.labels.sum())) == (16281, 3846)
    assert train.bits.shape[1] == test.bits.shape[1] == len(train.names)
    first = {name for name, bit in zip(train.names, train.bits[0].tolist(), strict=True) if bit}
    assert "age > 35" in first and "age > 40" not in first and "education-num > 12" in first and "sex = Male" in first


@pytest.fixture
def small_adult(own_cache, monkeypatch, tmp_path):
    text = f"|1x3 Cross validator\n{ROW}<=50K.\n{ROW.replace('39,', '?, ', 1).replace('?', '60', 1)}>50K.\n".encode()
    monkeypatch.setattr(adult, "_DIGESTS", dict.fromkeys(adult._DIGESTS, (hashlib.sha256(text).hexdigest(), len(text))))
    monkeypatch.setattr(adult, "_HOME", "http://127.0.0.1:1/")
    (tmp_path / "adult").mkdir()
    return tmp_path, text


def test_adult_packed_or_plain(small_adult):
    folder, text = small_adult
    with pytest.raises(DatasetUnavailable, match="Fetch"):
        Adult(False, folder)
    (folder / "adult" / "adult.test").write_bytes(text)
    plain = Adult(False, folder)
    (folder / "adult" / "adult.test.gz").write_bytes(gzip.compress(text))
    packed = Adult(False, folder)
    assert len(packed) == 2 and torch.equal(plain.bits, packed.bits) and packed.labels.tolist() == [0, 1]
    assert not any(bit for name, bit in zip(packed.names, packed.bits[0].tolist(), strict=True) if "country" in name)
    for content in (gzip.compress(b"other"), gzip.compress(text)[:-9]):
        (folder / "adult" / "adult.test.gz").write_bytes(content)
        with pytest.raises(DatasetCorrupt, match="damaged"):
            Adult(False, folder)


def test_other_content_is_refused(own_cache, monkeypatch, tmp_path):
    text = b"not a table\n"
    digest = hashlib.sha256(text).hexdigest()
    for name in ("monks/monks-1.train", "breast_cancer/breast-cancer.data"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(text)
    monkeypatch.setattr(monks, "_FILES", {(1, "train"): (digest, len(text))})
    monkeypatch.setattr(
        cancer, "_FILE", RemoteFile("breast_cancer/breast-cancer.data", ("http://127.0.0.1:1/x",), digest, len(text))
    )
    with pytest.raises(DatasetCorrupt, match="six attributes"):
        Monks(1, True, tmp_path)
    with pytest.raises(DatasetCorrupt, match="nine attributes"):
        BreastCancer(tmp_path)


def test_wrong_arguments(own_cache, monkeypatch):
    with pytest.raises(ValueError, match="1, 2 or 3"):
        Monks(4)
    with pytest.raises(TypeError, match="True or False"):
        Adult("test")
    with pytest.raises(DatasetUnavailable, match="existing directory"):
        BreastCancer("/nowhere/at/all")
    monkeypatch.setattr(monks, "_HOME", "http://127.0.0.1:1/")
    with pytest.raises(DatasetUnavailable, match="Fetch"):
        Monks(1)
