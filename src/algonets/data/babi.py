"""bAbI: twenty tasks of questions about short stories."""

import os
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from torch.utils.data import Dataset

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.data._babi_files import TASKS
from algonets.data._checks import check_index, check_train
from algonets.data.location import cache_dir
from algonets.data.remote import DatasetCorrupt, DatasetUnavailable, sha256_of

__all__ = ["Babi", "BabiQuestion", "parse_stories"]

_ARCHIVE = "https://s3.amazonaws.com/text-datasets/babi_tasks_1-20_v1-2.tar.gz"
"""All tasks in all forms, 11.7 MB; its files, not the archive, have checksums here."""


class BabiQuestion(NamedTuple):
    """A question about a story.

    Attributes:
        story: the sentences before the question, oldest first, as words in lower case without full stops.
        question: its words.
        answer: one word, or several joined by commas.
        facts: places in ``story`` of the sentences from which the answer follows.
    """

    story: tuple[tuple[str, ...], ...]
    question: tuple[str, ...]
    answer: str
    facts: tuple[int, ...]


class Babi(Dataset[BabiQuestion]):
    """One of the 20 bAbI tasks in English: 1,000 questions for training and 1,000 for the test.

    Each task asks for another kind of reasoning: a fact, two or three of them, counting, lists, deduction, paths.

    Args:
        task: 1 to 20.
        train: the training part, or the test part.
        data_dir: folder that holds the files in ``babi/en/``; by default ``$ALGONETS_DATA``, else the user's cache.

    Attributes:
        name: of the task, such as ``"single-supporting-fact"``.

    Raises:
        TypeError: if ``task`` is not an integer or ``train`` no bool.
        ValueError: if there is no such task.
        DatasetUnavailable: if the file is missing, damaged, or could not be fetched.

    Terms:
        CC BY 3.0, Facebook AI Research. Not shipped with algonets but downloaded from a customary mirror of version
        1.2. Cite the reference.

    Cost:
        About 50 ms a part.

    References:
        J. Weston et al. (2015), Towards AI-Complete Question Answering: A Set of Prerequisite Toy Tasks.

    Example:
        >>> Babi(1)[0].question, Babi(1)[0].answer  # doctest: +SKIP
        (('where', 'is', 'mary'), 'bathroom')
    """

    def __init__(self, task: int, train: bool = True, data_dir: str | os.PathLike[str] | None = None):
        self.task = check_at_least("Babi(task)", task, 1)
        require(task <= len(TASKS), "Babi(task)", f"must be from 1 to {len(TASKS)}", task)
        self.train = check_train("Babi", train)
        self.name = TASKS[task - 1].name
        self.questions = parse_stories(_locate(task, train, data_dir).read_text())

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> BabiQuestion:
        return self.questions[check_index("Babi", index, len(self))]

    def __repr__(self) -> str:
        return f"Babi({self.task}, train={self.train}): {self.name}, {len(self)} questions"


def parse_stories(text: str) -> list[BabiQuestion]:
    """Read the format of the files: numbered lines, a story anew at 1, tabs around the answer of a question.

    Args:
        text: of one file.

    Returns:
        The questions in their order.

    Raises:
        DatasetCorrupt: if a line is none of these.

    Example:
        >>> parse_stories("1 Mary went home.\\n2 Where is Mary? \\thome\\t1\\n")[0].question
        ('where', 'is', 'mary')
    """
    questions: list[BabiQuestion] = []
    story: list[tuple[str, ...]] = []
    places: dict[int, int] = {}
    for line in text.splitlines():
        number, _, rest = line.partition(" ")
        parts = rest.split("\t")
        if not number.isdecimal() or not rest or len(parts) not in (1, 3):
            raise DatasetCorrupt(f"a bAbI file must hold lines of a number and a sentence or question, got {line!r}.")
        if number == "1":
            story, places = [], {}
        if len(parts) == 1:
            places[int(number)] = len(story)
            story.append(_words(rest))
            continue
        facts = tuple(places[int(k)] for k in parts[2].split())
        questions.append(BabiQuestion(tuple(story), _words(parts[0]), parts[1].strip().lower(), facts))
    return questions


def _words(sentence: str) -> tuple[str, ...]:
    return tuple(sentence.lower().replace(".", " ").replace("?", " ").replace(",", " ").split())


def _locate(task: int, train: bool, data_dir: str | os.PathLike[str] | None) -> Path:
    """Return the path of a file with the right checksum; fetch the archive if it is nowhere."""
    named = data_dir if data_dir is not None else os.environ.get("ALGONETS_DATA") or None
    if named is not None and not Path(named).expanduser().is_dir():
        raise DatasetUnavailable(f"data_dir must be an existing directory, got {str(named)!r}. Make it.")
    own = None if named is None else Path(named).expanduser()
    place, checksum = TASKS[task - 1].path(task, train), TASKS[task - 1].checksum(train)
    for folder in (own, cache_dir()):
        if folder is not None and (path := folder / place).is_file():
            if sha256_of(path) == checksum:
                return path
            if folder is own:
                raise DatasetCorrupt(f"{path} is damaged or another file. Delete it, and it is downloaded again.")
    _fetch(cache_dir())
    return cache_dir() / place


def _fetch(home: Path) -> None:
    """Download the archive and keep its English tasks, those whose bytes are right, under ``home``."""
    wanted = {
        f"tasks_1-20_v1-2/en/{Path(entry.path(task, train)).name}": (entry.path(task, train), entry.checksum(train))
        for task, entry in enumerate(TASKS, 1)
        for train in (True, False)
    }
    try:
        with tempfile.TemporaryFile() as file:
            with urllib.request.urlopen(_ARCHIVE, timeout=30) as response:
                while block := response.read(1 << 16):
                    file.write(block)
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                for member in archive:
                    found = archive.extractfile(member) if member.name in wanted else None
                    if found is not None:
                        _keep(home, *wanted.pop(member.name), found.read())
    except (OSError, tarfile.TarError) as error:
        if isinstance(error, DatasetUnavailable):
            raise
        raise DatasetUnavailable(
            f"the bAbI tasks could not be downloaded ({error}). Fetch {_ARCHIVE} yourself and unpack its folder en as "
            f"{home / 'babi' / 'en'}, or name a folder that has babi/en with data_dir or $ALGONETS_DATA."
        ) from error
    if wanted:
        raise DatasetCorrupt(f"the archive {_ARCHIVE} must hold the 20 English tasks; {min(wanted)} is missing.")


def _keep(home: Path, place: str, checksum: str, content: bytes) -> None:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    if sha256_of(part) != checksum:
        part.unlink()
        raise DatasetCorrupt(f"{place} in {_ARCHIVE} is another file than that of version 1.2 of the tasks.")
    part.replace(path)
