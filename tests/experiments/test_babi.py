"""Questions about stories: tensors, uneven time, the readers, and two real tasks in short."""

import os
from pathlib import Path

import pytest
import torch

from algonets.data import BabiQuestion
from algonets.experiments._training import RunError
from algonets.experiments.babi import BabiExperiment, Recipe, StoryBatch, StoryReader, StorySet, Vocabulary, spread
from algonets.experiments.babi.evaluate import evaluate
from algonets.experiments.babi.published import PUBLISHED

DATA = Path(os.environ.get("ALGONETS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
QUIET = {"enable_progress_bar": False}


def question(*story: str, asked: str = "where is mary", answer: str = "hall", facts: tuple[int, ...] = (0,)):
    return BabiQuestion(tuple(tuple(s.split()) for s in story), tuple(asked.split()), answer, facts)


def test_questions_become_tensors():
    train = [question("mary to hall", "john to garden"), question("mary to hall", answer="garden")]
    vocabulary = Vocabulary(train, 50)
    assert (len(vocabulary), vocabulary.words, vocabulary.memories) == (8, 3, 3)
    batch = StorySet(train, vocabulary)[0]
    assert (batch.stories[0] == 0).all() and batch.facts.tolist() == [False, True, False]
    names = [[vocabulary.names[k] for k in row] for row in batch.stories.tolist()]
    assert names[1:] == [["mary", "to", "hall"], ["john", "to", "garden"]]
    unknown = StorySet([question("mary to cellar", answer="cellar")], vocabulary)[0]
    assert int(unknown.answers) == -1 and unknown.stories[-1, -1] == 0
    several = StorySet(train, vocabulary).__getitems__([1, 1])
    assert several.stories.shape == (2, 1, 3)  # what is empty in all of them is left out


def test_old_sentences_and_their_facts_fall_out():
    long = question(*(f"mary to place{k}" for k in range(6)), facts=(0, 5))
    kept = StorySet([long], Vocabulary([long], 4)).batch
    assert kept.stories.shape == (1, 4, 3) and kept.facts.tolist() == [[False, False, False, True]]


def test_spread_keeps_the_sentences_in_their_order():
    torch.manual_seed(0)
    stories = torch.zeros(200, 24, 2, dtype=torch.int64)
    stories[:, 4:] = torch.arange(1, 21)[:, None]
    moved = spread(stories, 24)
    blanks = []
    for row in moved:
        there = row[:, 0][row[:, 0] != 0]
        assert torch.equal(there, torch.arange(1, 21)[20 - len(there) :])
        blanks.append(int((row[:, 0] == 0).sum()))
    assert moved.shape == (200, 22, 2) or moved.shape == (200, 24, 2)
    assert len({tuple(row[:, 0].tolist()) for row in moved}) > 20
    tight = spread(stories[:, 4:], 20)
    assert tight.shape == (200, 20, 2) and (tight[:, -1] == 20).float().mean() > 0.5
    assert spread(stories[:0], 24).shape[0] == 0


@pytest.mark.parametrize("model", ["memory", "lstm", "bag"])
def test_every_reader_takes_padding_for_nothing(model):
    torch.manual_seed(0)
    reader = StoryReader(model, 9, 5, 4, 6, 2, Recipe(1, 0, 0.1, 1)).eval()
    story, asked = torch.randint(1, 9, (3, 2, 4)), torch.randint(1, 9, (3, 4))
    story[0, :, 2:] = 0
    padded = torch.cat([torch.zeros(3, 3, 4, dtype=torch.int64), story], 1)
    empty = torch.zeros(0)
    torch.testing.assert_close(
        reader(StoryBatch(story, asked, empty, empty)), reader(StoryBatch(padded, asked, empty, empty))
    )
    if model != "memory":
        with pytest.raises(TypeError, match="no memory"):
            reader.attention(StoryBatch(story, asked, empty, empty))


def test_errors_and_found_facts_are_counted():
    questions = [question("mary to hall", "john to garden"), question("mary to hall", answer="garden")]
    stories = StorySet(questions, Vocabulary(questions, 50))

    class Fixed(StoryReader):
        def forward(self, batch):
            return torch.nn.functional.one_hot(stories.batch.answers[:1].expand(len(batch.answers)), 8).float()

        def attention(self, batch):
            return torch.nn.functional.one_hot(torch.tensor([[2], [1]]), 3).float()

    found = evaluate(Fixed("memory", 8, 3, 3, 4, 1, Recipe(1, 0, 0.1, 1)), stories)
    assert found.error == 50.0 and found.found == 0.0  # the facts are in places 1 and 2


def test_the_published_means():
    means = {name: sum(errors) / 20 for name, errors in PUBLISHED.items()}
    assert means["memory, per task"] == pytest.approx(13.9, abs=0.06)
    assert means["memory, joint"] == pytest.approx(12.4, abs=0.06)
    assert means["lstm, per task"] == pytest.approx(51.3, abs=0.06)


@pytest.mark.parametrize("options", [{"tasks": "0"}, {"tasks": "1,x"}, {"starts": 0}, {"output": ""}, {"epochs": 0}])
def test_wrong_options(options):
    with pytest.raises(RunError):
        BabiExperiment(**options)


def without_seconds(found):
    """The clock of a finished training that is opened again may differ by a tick."""
    if isinstance(found, dict):
        return {key: without_seconds(value) for key, value in found.items() if key != "train_seconds"}
    return [without_seconds(value) for value in found] if isinstance(found, list) else found


@pytest.mark.slow
@pytest.mark.data
def test_the_memory_network_answers_where_an_lstm_does_not(tmp_path):
    if not (DATA / "babi").is_dir():
        pytest.skip(f"no datasets at {DATA}: set ALGONETS_DATA")
    options = {"data_dir": str(DATA), "trainer": QUIET}
    reading = BabiExperiment("1,12", "memory", output=str(tmp_path / "m"), starts=1, epochs=20, **options).run()
    tasks = reading["models"]["memory"]["tasks"]
    assert tasks["1"]["error"] <= 2 and tasks["12"]["error"] <= 5
    assert tasks["1"]["facts_found"] > 90
    lstm = BabiExperiment("1", "lstm", output=str(tmp_path / "l"), epochs=12, **options).run()
    assert lstm["models"]["lstm"]["mean_error"] > 40
    assert (tmp_path / "m" / "report.png").stat().st_size > 10_000
    with pytest.raises(RunError, match="holds a run already"):
        BabiExperiment("1", "memory", output=str(tmp_path / "m"), starts=1, epochs=20, **options).run()
    again = BabiExperiment("1,12", "memory", output=str(tmp_path / "m"), starts=1, epochs=20, resume=True, **options)
    assert without_seconds(again.run()["models"]) == without_seconds(reading["models"])


@pytest.mark.slow
@pytest.mark.data
def test_one_reader_for_two_tasks(tmp_path):
    if not (DATA / "babi").is_dir():
        pytest.skip(f"no datasets at {DATA}: set ALGONETS_DATA")
    options = {"data_dir": str(DATA), "trainer": QUIET, "epochs": 2, "starts": 1, "training": "joint"}
    found = BabiExperiment("4,20", "all", output=str(tmp_path), **options).run()
    for name in ("memory", "lstm", "bag"):
        assert list(found["models"][name]["tasks"]) == ["4", "20"]
        assert found["models"][name]["mean_error"] < 90
    assert (tmp_path / "errors.png").stat().st_size > 5_000
