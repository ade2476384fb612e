import pickle

import pytest
import torch

from algonets.data import NumberSets

GREY = (torch.arange(10) * 25).to(torch.uint8)[:, None, None].expand(10, 3, 2)
LABELS = torch.arange(10)


def read(pictures: torch.Tensor) -> torch.Tensor:
    """The number from the grey levels of its digits."""
    digits = (pictures[..., 0, 0, ::2] * 255 / 25).round().long()
    return digits @ 10 ** torch.arange(digits.shape[-1] - 1, -1, -1)


def test_pictures_show_the_numbers_and_all_differ():
    sets = NumberSets(GREY, LABELS, n=7, digits=2, size=300, seed=3)
    batch = sets.batch(range(300))
    assert batch.images.shape == (300, 7, 1, 3, 4) and batch.images.dtype == torch.float32
    assert sets.image_shape == (1, 3, 4)
    assert read(batch.images).equal(batch.values) and batch.values.equal(sets.values)
    assert all(len(set(row)) == 7 for row in batch.values.tolist())
    assert len(set(sets.values.flatten().tolist())) > 90  # of 100


def test_one_set_and_a_part():
    sets = NumberSets(GREY, LABELS, n=4, digits=3, size=20)
    images, values = sets[-1]
    assert images.equal(sets.batch([19]).images[0]) and values.equal(sets.values[19])
    first = sets.head(5)
    assert len(first) == 5 and len(sets) == 20 and first[4].images.equal(sets[4].images)
    assert pickle.loads(pickle.dumps(sets))[2].images.equal(sets[2].images)
    assert "20 sets of 4 numbers of 3 digits" in repr(sets)
    with pytest.raises(IndexError):
        sets[20]


def test_the_seed_says_it_all():
    torch.manual_seed(1)
    one = NumberSets(GREY, LABELS, size=10, seed=5)
    torch.manual_seed(2)
    assert one.values.equal(NumberSets(GREY, LABELS, size=10, seed=5).values)
    assert not one.values.equal(NumberSets(GREY, LABELS, size=10, seed=6).values)


def test_edges():
    assert len(NumberSets(GREY, LABELS, size=0).batch([]).values) == 0
    every = NumberSets(GREY[:3], LABELS[:3], n=3, digits=1, size=4)
    assert all(sorted(row) == [0, 1, 2] for row in every.values.tolist())
    assert NumberSets(GREY, LABELS, n=1, digits=18, size=2).values.shape == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 11, "digits": 1}, ValueError, "at most the 10 numbers"),
        ({"n": 0}, ValueError, "at least 1"),
        ({"digits": 19}, ValueError, "at most 18"),
        ({"size": -1}, ValueError, "at least 0"),
        ({"n": 2.5}, TypeError, "integer"),
        ({"labels": LABELS[:4]}, ValueError, r"shape \(10,\)"),
        ({"images": GREY[0]}, ValueError, "shape"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        NumberSets(**{"images": GREY, "labels": LABELS, **arguments})
