"""Generated data of the lectures (scenes, chairs), and Golub's microarrays."""

import numpy
import pytest
import torch

from algonets.data import Chairs, DatasetCorrupt, DatasetUnavailable, GeneExpression, Scenes
from algonets.data.scenes import COLOURS, RELATIONS, SHAPES


@pytest.mark.parametrize("relations", [("left", "above"), RELATIONS])
def test_scenes_answer_their_questions(relations):
    """Relations are recomputed from the pixels: where each colour is."""
    scenes = Scenes(40, relations)
    batch = scenes.draw(300, torch.Generator().manual_seed(0))
    kinds = torch.bincount(batch.kinds, minlength=3)
    assert 110 < kinds[0] < 190 and kinds[1:].min() > 40
    yes, asked = 0, set()
    for image, words, answer, kind in zip(*batch, strict=True):
        text = scenes.text(words).split()
        said = scenes.answers[answer]
        if kind == 0:
            centre = {}
            for k, colour in enumerate(COLOURS):
                rest = image[[c for c in range(3) if c != k]].amax(0)
                centre[colour] = ((image[k] > 0.6) & (rest < 0.5)).nonzero().float().mean(0)
            first, relation, second = text[1], text[3], text[5]
            dy, dx = (centre[first] - centre[second]).tolist()
            holds = {"left": dx < 0, "right": dx > 0, "above": dy < 0, "below": dy > 0}[relation]
            assert said == ("yes" if holds else "no"), text
            yes += holds
            asked.add(relation)
        elif kind == 1:
            assert said in SHAPES and text[:2] == ["what", "is"]
        else:
            assert said in "0123" and text[0] == "how"
    assert 0.35 < yes / int(kinds[0]) < 0.65 and asked == set(relations)


def test_scenes_are_drawn_by_the_generator():
    a, b, c = (Scenes(16).draw(4, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True)) and not torch.equal(a.images, c.images)
    with pytest.raises(ValueError, match=r"Scenes\(side\).*at least 16"):
        Scenes(8)
    for bad in ((), ("left", "beside")):
        with pytest.raises(ValueError, match=r"Scenes\(relations\).*some of left, right, above, below"):
            Scenes(16, bad)


def test_chairs_turn_and_grow():
    chairs = Chairs(32)
    middle = torch.full((1, 6), 0.5)
    whole = chairs.render(middle, torch.tensor([0.4]))
    assert torch.equal(whole[1], chairs.render(middle, torch.tensor([0.4 + 2 * torch.pi]))[1])
    assert whole[0][whole[1] == 0].mean() > 0.95 and whole[0][whole[1] == 1].mean() < 0.8
    front, back = (chairs.render(middle, torch.tensor([a]))[1] for a in (0.0, torch.pi))
    assert torch.equal(front, front.flip(-1)) and not torch.equal(front, back)
    for measure in (1, 2):  # a higher back, a wider seat
        large = middle.clone()
        large[0, measure] = 1.0
        assert chairs.render(large, torch.tensor([0.4]))[1].sum() > whole[1].sum()
    for edge in (0.0, 0.85):  # no ink at the frame but for the very largest
        mask = chairs.render(torch.full((1, 6), edge), torch.tensor([0.8]))[1][0, 0]
        assert not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
    assert chairs.render(torch.zeros(0, 6), torch.zeros(0))[0].shape == (0, 1, 32, 32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Chairs(8), "at least 16"),
        (lambda: Chairs(16, 90.0), "0 to 80 degrees"),
        (lambda: Chairs(16).render(torch.zeros(2, 5), torch.zeros(2)), r"\(N, 6\)"),
        (lambda: Chairs(16).render(torch.full((1, 6), 1.5), torch.zeros(1)), r"in \[0, 1\]"),
    ],
)
def test_chairs_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_gene_expression(own_cache, tmp_path):
    with pytest.raises(DatasetUnavailable, match="no public copy"):
        GeneExpression(tmp_path)
    folder = tmp_path / "gene_expression"
    folder.mkdir()
    path = folder / "golub_leukemia.npz"
    numpy.savez(path, X=numpy.array([[-5, 100, 1000], [20000, 10, 16000]], numpy.int32), y=numpy.array([0, 1]),
                is_train=numpy.array([True, False]), gene=numpy.array(["a", "b", "c"]))  # fmt: skip
    data = GeneExpression(tmp_path)
    assert torch.allclose(data.activity, torch.tensor([[2.0, 2.0, 3.0], [4.2041, 2.0, 4.2041]]), atol=1e-4)
    assert data[1][1] == 1 and data.genes == ["a", "b", "c"] and data.train.tolist() == [True, False] and len(data) == 2
    path.write_bytes(b"PK cut")
    with pytest.raises(DatasetCorrupt, match="is_train"):
        GeneExpression(tmp_path)


@pytest.mark.data
def test_real_gene_expression(real_data):
    data = GeneExpression(real_data)
    assert data.activity.shape == (72, 7129) and torch.bincount(data.labels).tolist() == [47, 25]
    assert int(data.train.sum()) == 38 and 2 <= data.activity.min() < data.activity.max() <= 4.21
