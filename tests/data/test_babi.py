"""bAbI: the format, what is refused, the archive, the real tasks."""

import hashlib
import io
import sys
import tarfile

import pytest

from algonets.data import Babi, DatasetCorrupt, DatasetUnavailable
from algonets.data._babi_files import TASKS, Task
from algonets.data.babi import parse_stories

module = sys.modules[Babi.__module__]

STORY = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Mary took the milk, and left.
5 What does Mary carry?\tMilk\t4 1
1 Emily is a wolf.
2 What is Emily?\twolf\t1
"""


def test_stories_are_parsed():
    first, second, third = parse_stories(STORY)
    assert first.story == (("mary", "moved", "to", "the", "bathroom"), ("john", "went", "to", "the", "hallway"))
    assert (first.question, first.answer, first.facts) == (("where", "is", "mary"), "bathroom", (0,))
    assert second.story[2] == ("mary", "took", "the", "milk", "and", "left")
    assert (second.answer, second.facts) == ("milk", (2, 0))  # line 4 is the third sentence
    assert third.story == (("emily", "is", "a", "wolf"),)


@pytest.mark.parametrize("line", ["Mary moved.", "1", "1 Where is Mary?\tbathroom", "x Mary moved."])
def test_other_lines_are_refused(line):
    with pytest.raises(DatasetCorrupt, match="a number and a sentence or question"):
        parse_stories(line)


@pytest.fixture
def one_task(monkeypatch, own_cache):
    digest = hashlib.sha256(STORY.encode()).hexdigest()
    monkeypatch.setattr(module, "TASKS", (Task("tiny", digest, digest),))
    return own_cache


def test_a_data_directory(one_task, tmp_path):
    folder = tmp_path / "babi" / "en"
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        (folder / f"qa1_tiny_{part}.txt").write_text(STORY)
    data = Babi(1, data_dir=tmp_path)
    assert len(data) == 3 and data[-1].answer == "wolf" and "tiny, 3 questions" in repr(data)
    with pytest.raises(IndexError):
        data[3]
    (folder / "qa1_tiny_test.txt").write_text("1 Other.\n")
    with pytest.raises(DatasetCorrupt, match="another file"):
        Babi(1, False, tmp_path)


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tasks_1-20_v1-2/en/qa1_tiny_{name}.txt")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_the_archive_is_fetched_into_the_cache(one_task, serve, monkeypatch):
    monkeypatch.setattr(module, "_ARCHIVE", serve(archive(train=STORY, test=STORY, other="1 No.\n")).url)
    assert len(Babi(1)) == 3
    assert sorted(path.name for path in (one_task / "babi" / "en").iterdir()) == [
        "qa1_tiny_test.txt",
        "qa1_tiny_train.txt",
    ]
    monkeypatch.setattr(module, "_ARCHIVE", "http://127.0.0.1:1/gone")
    assert len(Babi(1, False)) == 3


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (archive(train=STORY), DatasetCorrupt, "is missing"),
        (archive(train=STORY, test="1 Other.\n"), DatasetCorrupt, "another file"),
        (b"<html>Please log in</html>", DatasetUnavailable, "could not be downloaded"),
    ],
)
def test_a_wrong_archive_is_refused(one_task, serve, monkeypatch, content, error, message):
    monkeypatch.setattr(module, "_ARCHIVE", serve(content).url)
    with pytest.raises(error, match=message):
        Babi(1, False)
    assert not (one_task / "babi" / "en" / "qa1_tiny_test.txt").exists()


def test_wrong_arguments(own_cache, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="from 1 to 20"):
        Babi(21)
    with pytest.raises(TypeError, match="True or False"):
        Babi(1, "test")
    with pytest.raises(DatasetUnavailable, match="existing directory"):
        Babi(1, data_dir="/nowhere/at/all")
    monkeypatch.setattr(module, "_ARCHIVE", "http://127.0.0.1:1/gone")
    with pytest.raises(DatasetUnavailable, match="could not be downloaded"):
        Babi(1, data_dir=tmp_path)


@pytest.mark.data
def test_the_real_tasks(real_data):
    if not (real_data / "babi").is_dir():
        pytest.skip(f"{real_data}/babi is not there")
    for task in range(1, len(TASKS) + 1):
        for train in (True, False):
            data = Babi(task, train, real_data)
            assert len(data) == 1000
            assert all(0 <= fact < len(q.story) for q in data.questions for fact in q.facts)
    assert Babi(1, True, real_data)[0].answer == "bathroom"
