import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from algonets.data import AbstractWordDataset, WordBatch, WordSample, collate_words


@pytest.fixture
def dataset() -> AbstractWordDataset:
    images = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).expand(6, 1, 3, 2).contiguous()
    return AbstractWordDataset(images, torch.tensor([0, 1, 2, 2, 1, 0]), [3, 1, 2], "abc")


def test_items(dataset):
    assert len(dataset) == 3
    assert dataset.words == ["abc", "c", "ba"]
    assert (dataset.num_classes, dataset.image_shape, dataset.max_length) == (3, (1, 3, 2), 3)
    images, labels, word = dataset[2]
    assert (images.dtype, labels.dtype, word) == (torch.float32, torch.int64, "ba")
    assert images.shape == (2, 1, 3, 2)
    assert labels.tolist() == [1, 0]
    assert images[:, 0, 0, 0].tolist() == [4.0, 5.0]
    assert dataset[-1].word == "ba"
    assert "3 words of 3 strings, 6 letters 3x2" in repr(dataset)


def test_items_are_copies(dataset):
    dataset[0].images.fill_(9)
    dataset[0].labels.fill_(9)
    assert dataset[0].images.max() == 2
    assert dataset[0].labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("index", [3, -4])
def test_index_out_of_range(dataset, index):
    with pytest.raises(IndexError, match="from -3 to 2"):
        dataset[index]


def test_empty_dataset():
    empty = AbstractWordDataset(torch.zeros(0, 1, 3, 2), torch.zeros(0, dtype=torch.int64), [], "ab")
    assert (len(empty), empty.words, empty.max_length) == (0, [], 0)
    with pytest.raises(IndexError):
        empty[0]


def test_collate(dataset):
    batch = collate_words([dataset[i] for i in range(3)])
    assert isinstance(batch, WordBatch)
    assert batch.images.shape == (3, 3, 1, 3, 2)
    assert batch.labels.tolist() == [[0, 1, 2], [2, -1, -1], [1, 0, -1]]
    assert batch.lengths.tolist() == [3, 1, 2]
    assert batch.words == ["abc", "c", "ba"]
    assert batch.images[1, 1:].abs().max() == 0
    assert batch.images[2, :2].equal(dataset[2].images)


def test_collate_rejects(dataset):
    with pytest.raises(ValueError, match="at least one word"):
        collate_words([])
    other = WordSample(torch.zeros(1, 1, 4, 4), torch.tensor([0]), "a")
    with pytest.raises(ValueError, match="one shape"):
        collate_words([dataset[0], other])


def test_loader_with_a_worker(dataset):
    again = pickle.loads(pickle.dumps(dataset))
    assert again.words == dataset.words
    loader = DataLoader(again, batch_size=2, num_workers=1, collate_fn=collate_words)
    batches = list(loader)
    assert [batch.words for batch in batches] == [["abc", "c"], ["ba"]]
    assert isinstance(batches[0], WordBatch)
    assert batches[0].images[0].equal(dataset[0].images)
