"""Hard edit distances: the bit-parallel kernel against rapidfuzz and the plain recursion, on long and odd inputs."""

import pytest
import torch

import algonets as an
from algonets.dp import EditDistance, edit_distance

rapidfuzz = pytest.importorskip("rapidfuzz")


@pytest.mark.parametrize("alphabet", [2, 26, 100_000])
@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 5), (1, 1), (63, 64), (64, 65), (65, 130), (200, 190)])
def test_equals_rapidfuzz(n, m, alphabet):
    generator = torch.Generator().manual_seed(n + m)
    x = torch.randint(alphabet, (3, n), generator=generator)
    y = torch.randint(alphabet, (3, m), generator=generator)
    y[:, : min(n, m) // 2] = x[:, : min(n, m) // 2]
    for weights in ((1, 1, 1), (1, 1, 2), (2, 2, 2), (1, 3, 2)):
        ours = edit_distance(x, y, *weights)
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        theirs = [rapidfuzz.distance.Levenshtein.distance(a, b, weights=weights) for a, b in pairs]
        assert ours.tolist() == theirs


def test_backends_agree_with_lengths():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randint(-3, 3, (4, 9), generator=generator) for _ in range(2))
    lengths, target_lengths = torch.tensor([9, 0, 4, 1]), torch.tensor([9, 3, 0, 8])
    found = []
    for backend in ("auto", "torch"):
        with an.backend(backend):
            found.append(edit_distance(x, y, 1, 1, 1, lengths, target_lengths))
    assert torch.equal(*found)


def test_extreme_symbols():
    big = 2**63 - 1
    x, y = torch.tensor([[big, -big - 1, 0]]), torch.tensor([[-big - 1, 0, big]])
    assert edit_distance(x, y).item() == 2


def test_soft_distance_tends_to_the_hard_one(any_backend):
    x, y = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[2, 3, 5]])
    program = EditDistance.from_sequences(x, y)
    assert program.distance().item() == edit_distance(x, y).item() == 2
    assert program.distance(1e-3).item() == pytest.approx(2, abs=1e-2)
    assert program.distance(1.0).item() < 2


def test_errors():
    with pytest.raises(TypeError, match="integer"):
        edit_distance(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match="positive"):
        edit_distance(torch.zeros(3).long(), torch.zeros(3).long(), insert=0)
    with pytest.raises(ValueError, match="at most T = 3"):
        edit_distance(torch.zeros(3).long(), torch.zeros(3).long(), lengths=torch.tensor(4))
